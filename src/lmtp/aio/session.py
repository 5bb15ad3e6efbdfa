# SPDX-License-Identifier: Apache-2.0
"""
What a handler gets to see: the session, and the transaction with its envelope and content.

Plain values; what happens to them is in connection.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lmtp.aio.spool import Spool
from lmtp.aio.tls import TlsFacts
from lmtp.protocol.address import ReversePath
from lmtp.protocol.envelope import Envelope, Recipient


@dataclass(slots=True)
class Session:
    """
    One connection, from the greeting to its close (RFC 5321 §3.1).
    """

    session_id: str
    """Names it in the log."""
    endpoint: str
    """Where the client came in."""
    peer: str
    """The client's address and port, or ``unix``."""
    peer_address: str
    """The client's address alone; empty on a Unix socket."""
    server_name: str
    """Our name, as we greeted."""
    dialect_name: str
    """What is spoken: ``LMTP``."""
    client_name: str = ""
    """What the client called itself in LHLO; nobody has checked it."""
    proxy: str = ""
    """The peer that says it stands for the client, by PROXY or XCLIENT; empty: none."""
    tls: TlsFacts | None = None
    """What is known of the encryption; None: there is none."""
    identity: str = ""
    """Whom the client has proved to act for (RFC 4954), or a trusted proxy says; empty: nobody."""
    is_authenticated: bool = False
    """The identity was proved to us."""
    trace_id: str = ""
    """What the client wants the log to call the session besides."""
    forwarded: Mapping[str, str | None] = field(default_factory=dict)
    """Where the next message comes from, as a trusted content filter says (XFORWARD), by name in capitals."""


@dataclass(slots=True)
class Transaction:
    """
    From MAIL to the last reply: an envelope and, in the end, a content (RFC 5321 §3.3).
    """

    session: Session
    """Where it happens."""
    transaction_id: str
    """Names it in the log."""
    envelope: Envelope
    """Whom it is from and whom it is for."""
    content: Spool
    """The message; complete when the transaction is to be delivered."""
    forwarded: Mapping[str, str | None] = field(default_factory=dict)
    """Where it comes from, as a trusted content filter says (XFORWARD), by name in capitals."""

    @property
    def reverse_path(self) -> ReversePath:
        """
        Whom failures are reported to.
        """
        return self.envelope.reverse_path

    @property
    def recipients(self) -> list[Recipient]:
        """
        The accepted recipients in RCPT order, duplicates included: each is owed a `settle`.
        """
        return self.envelope.recipients
