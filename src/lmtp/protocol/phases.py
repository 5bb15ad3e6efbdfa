# SPDX-License-Identifier: Apache-2.0
"""
Where a session can be, what moves it, and what an operator calls each place.

The enums and the tables; nothing else changes the phase of an engine. A pair that is not in `SERVER` is a bad
sequence of commands: 503, and nothing changes (RFC 5321 §4.1.4). Commands that never change anything (NOOP, VRFY,
HELP) are in no table. The diagram in docs/explanation/phases.md is made from here.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class Phase(enum.Enum):
    """
    Where a session is.
    """

    __hash__ = object.__hash__  # each command is looked up by these, and enum's own is not written in C

    CONNECTED = "connected"
    """The client has not said who it is."""
    READY = "ready"
    """No transaction is open."""
    MAIL = "mail"
    """A transaction is open; no recipient has been accepted."""
    RCPT = "rcpt"
    """At least one recipient has been accepted."""
    CONTENT = "content"
    """After the 354: everything is content until CRLF.CRLF."""
    CHUNK = "chunk"
    """After BDAT: as many octets of content as it said (RFC 3030 §2)."""
    CHUNKS = "chunks"
    """Between two chunks."""
    BROKEN = "broken"
    """A chunk was refused: those that still come are thrown away (RFC 3030 §2)."""
    REPLYING = "replying"
    """The content is complete; a reply is owed to each accepted recipient (RFC 2033 §4.2)."""
    AUTHENTICATING = "authenticating"
    """An exchange of challenges and responses is under way (RFC 4954 §4)."""
    HANDSHAKE = "handshake"
    """After the 220 to STARTTLS: what comes is TLS's, not ours (RFC 3207 §4)."""
    CLOSED = "closed"
    """Nothing more is read; what has been answered may still have to be sent."""


class Step(enum.Enum):
    """
    What can happen in a session.
    """

    __hash__ = object.__hash__  # each command is looked up by these, and enum's own is not written in C

    GREET = "LHLO"
    """The client said who it is; an open transaction is gone (RFC 5321 §4.1.4)."""
    MAIL = "MAIL"
    """A reverse-path was accepted."""
    RCPT = "RCPT"
    """A recipient was offered."""
    RECIPIENT_ACCEPTED = "250 to RCPT"
    """A recipient was accepted."""
    DATA = "DATA"
    """The client wants to send the content."""
    END_OF_CONTENT = "end of content"
    """The content is complete, by CRLF.CRLF or a last chunk."""
    BDAT = "BDAT"
    """The client sends a chunk."""
    END_OF_CHUNK = "end of chunk"
    """A chunk that was not the last is complete."""
    CHUNK_REFUSED = "chunk refused"
    """A chunk that was not the last was refused."""
    LAST_REPLY = "last reply"
    """Every accepted recipient has its outcome; the transaction is over (RFC 2033 §4.2)."""
    RSET = "RSET"
    """The client forgets the transaction."""
    AUTH = "AUTH"
    """The client begins to prove who it is."""
    AUTH_ENDED = "end of AUTH"
    """It has, or has not."""
    STARTTLS = "STARTTLS"
    """The client begins to encrypt."""
    START_ANEW = "start anew"
    """The handshake, or XCLIENT, has made all that was said before void (RFC 3207 §4.2)."""
    FORWARD = "XFORWARD"
    """The client says where the next message comes from."""
    CLOSE = "QUIT or 421"
    """One of the two ends the session."""


SERVER: Final[Mapping[tuple[Phase, Step], Phase]] = {
    (Phase.CONNECTED, Step.GREET): Phase.READY,
    (Phase.CONNECTED, Step.RSET): Phase.CONNECTED,
    (Phase.CONNECTED, Step.STARTTLS): Phase.HANDSHAKE,
    (Phase.CONNECTED, Step.START_ANEW): Phase.CONNECTED,
    (Phase.CONNECTED, Step.CLOSE): Phase.CLOSED,
    (Phase.READY, Step.GREET): Phase.READY,
    (Phase.READY, Step.MAIL): Phase.MAIL,
    (Phase.READY, Step.RSET): Phase.READY,
    (Phase.READY, Step.AUTH): Phase.AUTHENTICATING,
    (Phase.READY, Step.STARTTLS): Phase.HANDSHAKE,
    (Phase.READY, Step.START_ANEW): Phase.CONNECTED,
    (Phase.READY, Step.FORWARD): Phase.READY,
    (Phase.READY, Step.CLOSE): Phase.CLOSED,
    (Phase.AUTHENTICATING, Step.AUTH_ENDED): Phase.READY,
    (Phase.AUTHENTICATING, Step.CLOSE): Phase.CLOSED,
    (Phase.HANDSHAKE, Step.START_ANEW): Phase.CONNECTED,
    (Phase.HANDSHAKE, Step.CLOSE): Phase.CLOSED,
    (Phase.MAIL, Step.GREET): Phase.READY,
    (Phase.MAIL, Step.RCPT): Phase.MAIL,
    (Phase.MAIL, Step.RECIPIENT_ACCEPTED): Phase.RCPT,
    (Phase.MAIL, Step.RSET): Phase.READY,
    (Phase.MAIL, Step.CLOSE): Phase.CLOSED,
    (Phase.RCPT, Step.GREET): Phase.READY,
    (Phase.RCPT, Step.RCPT): Phase.RCPT,
    (Phase.RCPT, Step.RECIPIENT_ACCEPTED): Phase.RCPT,
    (Phase.RCPT, Step.DATA): Phase.CONTENT,
    (Phase.RCPT, Step.BDAT): Phase.CHUNK,
    (Phase.RCPT, Step.CHUNK_REFUSED): Phase.BROKEN,
    (Phase.RCPT, Step.END_OF_CONTENT): Phase.REPLYING,
    (Phase.RCPT, Step.RSET): Phase.READY,
    (Phase.RCPT, Step.CLOSE): Phase.CLOSED,
    (Phase.CONTENT, Step.END_OF_CONTENT): Phase.REPLYING,
    (Phase.CONTENT, Step.CLOSE): Phase.CLOSED,
    (Phase.CHUNK, Step.END_OF_CHUNK): Phase.CHUNKS,
    (Phase.CHUNK, Step.CHUNK_REFUSED): Phase.BROKEN,
    (Phase.CHUNK, Step.END_OF_CONTENT): Phase.REPLYING,
    (Phase.CHUNK, Step.CLOSE): Phase.CLOSED,
    (Phase.CHUNKS, Step.BDAT): Phase.CHUNK,
    (Phase.CHUNKS, Step.CHUNK_REFUSED): Phase.BROKEN,
    (Phase.CHUNKS, Step.END_OF_CONTENT): Phase.REPLYING,
    (Phase.CHUNKS, Step.GREET): Phase.READY,
    (Phase.CHUNKS, Step.RSET): Phase.READY,
    (Phase.CHUNKS, Step.CLOSE): Phase.CLOSED,
    (Phase.BROKEN, Step.CHUNK_REFUSED): Phase.BROKEN,
    (Phase.BROKEN, Step.END_OF_CONTENT): Phase.REPLYING,
    (Phase.BROKEN, Step.GREET): Phase.READY,
    (Phase.BROKEN, Step.RSET): Phase.READY,
    (Phase.BROKEN, Step.CLOSE): Phase.CLOSED,
    (Phase.REPLYING, Step.LAST_REPLY): Phase.READY,
    (Phase.REPLYING, Step.CLOSE): Phase.CLOSED,
}
"""The server's side: what each step leads to (RFC 5321 §4.1.4, RFC 2033 §4.2)."""


class Wait(enum.Enum):
    """
    What a session in some phase is waiting for; each kind has a deadline of its own.
    """

    COMMAND = enum.auto()
    """The client's next command (RFC 5321 §4.5.3.2.7)."""
    CONTENT = enum.auto()
    """The client's next octets of content (RFC 5321 §4.5.3.2.5)."""
    HANDLER = enum.auto()
    """The programme behind the server."""
    NOTHING = enum.auto()
    """Nothing but its own end."""


@dataclass(frozen=True, slots=True)
class PhaseInfo:
    """
    What a phase means to an operator.
    """

    wait: Wait
    """What the session waits for."""
    doing: str
    """The words for the log: "timed out while …"."""


PHASES: Final[Mapping[Phase, PhaseInfo]] = {
    Phase.CONNECTED: PhaseInfo(Wait.COMMAND, "waiting for the client's greeting"),
    Phase.READY: PhaseInfo(Wait.COMMAND, "waiting for a transaction"),
    Phase.MAIL: PhaseInfo(Wait.COMMAND, "waiting for a recipient"),
    Phase.RCPT: PhaseInfo(Wait.COMMAND, "waiting for recipients or content"),
    Phase.CONTENT: PhaseInfo(Wait.CONTENT, "receiving the content"),
    Phase.CHUNK: PhaseInfo(Wait.CONTENT, "receiving a chunk of the content"),
    Phase.CHUNKS: PhaseInfo(Wait.COMMAND, "waiting for the next chunk"),
    Phase.BROKEN: PhaseInfo(Wait.COMMAND, "waiting for the client to give up a refused content"),
    Phase.AUTHENTICATING: PhaseInfo(Wait.COMMAND, "authenticating"),
    Phase.HANDSHAKE: PhaseInfo(Wait.COMMAND, "waiting for the TLS handshake"),
    Phase.REPLYING: PhaseInfo(Wait.HANDLER, "delivering"),
    Phase.CLOSED: PhaseInfo(Wait.NOTHING, "closing"),
}
"""Every phase in the operator's words."""
