# SPDX-License-Identifier: Apache-2.0
"""
The errors of the protocol room, and the two a driver may raise.

    ProtocolError               somebody broke the protocol
    ├── LocalProtocolError      our own caller did: raised at the call that was wrong
    └── RemoteProtocolError     the peer did: reported, never raised out of ``receive_data``
    DeliveryError               a driver could not do its work; carries what the peer is told
    ├── TransientError          4yz: the client keeps the message and tries again
    └── PermanentError          5yz: the client gives up

A server engine answers its peer with replies (RFC 5321 §4.2.4); it raises `LocalProtocolError` alone.
"""


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
