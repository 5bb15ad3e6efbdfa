# SPDX-License-Identifier: Apache-2.0
"""
How long a session waits, in each phase, before it gives up on whoever it waits for.

RFC 5321 §4.5.3.2 tells clients how long to wait for us; what our own side may take must be less, so that a client
always gets an answer before it gives up and delivers twice (RFC 1047).
"""

from dataclasses import dataclass

from lmtp.protocol.phases import Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """
    The deadlines of a server, in seconds.

    Raises:
        ValueError: one is not positive.
    """

    command_seconds: float = 300
    """For the client's next command, before 421 (RFC 5321 §4.5.3.2.7: at least 5 minutes)."""
    content_seconds: float = 300
    """For the client's next octets of content, before 421 (RFC 5321 §4.5.3.2.5: a client gives each block 3)."""
    verify_seconds: float = 120
    """For the verdict on a recipient, before 451 (RFC 5321 §4.5.3.2.3: a client waits 5 minutes)."""
    delivery_seconds: float = 300
    """For the outcomes of a transaction, before 451 (RFC 5321 §4.5.3.2.6: a client waits 10 minutes)."""
    handshake_seconds: float = 30
    """For a TLS handshake to come to its end, before the connection is cut."""
    closing_seconds: float = 30
    """For the client to take our last replies, before the connection is cut."""
    drain_seconds: float = 30
    """For open transactions to end when the server shuts down, before they are answered 421."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")

    def seconds_for(self, wait: Wait) -> float:
        """
        Return how long the client may keep us waiting.
        """
        match wait:
            case Wait.CONTENT:
                return self.content_seconds
            case Wait.NOTHING:
                return self.closing_seconds
            case _:
                return self.command_seconds
