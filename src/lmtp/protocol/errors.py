# SPDX-License-Identifier: Apache-2.0
"""
The errors of the protocol room, the two a driver may raise, and the one a client meets.

    ProtocolError               somebody broke the protocol
    ├── LocalProtocolError      our own caller did: raised at the call that was wrong
    └── RemoteProtocolError     the peer did: reported, never raised out of ``receive_data``
    DeliveryError               a driver could not do its work; carries what the peer is told
    ├── TransientError          4yz: the client keeps the message and tries again
    └── PermanentError          5yz: the client gives up
    SessionError                a client has no session with a server, or has it no longer

A server engine answers its peer with replies (RFC 5321 §4.2.4); it raises `LocalProtocolError` alone.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmtp.protocol.reply import Reply


class ProtocolError(Exception):
    """
    Somebody did not keep to the protocol.
    """


class LocalProtocolError(ProtocolError):
    """
    The calling programme asked for something the protocol does not allow now.
    """


class RemoteProtocolError(ProtocolError):
    """
    The peer sent something the protocol does not allow.
    """


class DeliveryError(Exception):
    """
    A directory or a store could not do its work.

    Args:
        status: The enhanced status code for the peer, such as ``"4.3.0"`` (RFC 3463).
        detail: What went wrong, for the log; the peer never sees it.
    """

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class TransientError(DeliveryError):
    """
    It may work later: answered with a 4yz reply.
    """


class PermanentError(DeliveryError):
    """
    It will never work: answered with a 5yz reply.
    """


class SessionError(ConnectionError):
    """
    A server can't be talked to: no session could be opened, or there is none any more.

    It says nothing about any recipient, so whoever has mail for that server keeps it (RFC 5321 §3.8). It is an OSError
    as are the failures of the network, and can be caught with them.

    Args:
        why: What happened.
        reply: What the server said, if it did.
    """

    def __init__(self, why: str, reply: "Reply | None" = None) -> None:
        super().__init__(why)
        self.reply = reply
