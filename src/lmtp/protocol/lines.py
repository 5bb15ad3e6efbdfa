# SPDX-License-Identifier: Apache-2.0
"""
Command lines out of a stream of octets.

Goals: only CRLF ends a line (RFC 5321 §2.3.8); no line is ever half executed; memory is bounded by the longest line;
a byte that has been searched is not searched again, so a peer that sends one octet at a time costs linear time.
What is no line is refused the moment that is certain, once, and thrown away up to the next CRLF: nothing behind a
stray LF can run as a command of its own, and nobody waits for an answer that will not come.
"""

from typing import Final

from lmtp.protocol.reply import LINE_ENDING, LINE_TOO_LONG, Reply

_CR: Final = 0x0D


class LineBuffer:
    """
    Octets that have come in and have not been read.

    Args:
        max_line_bytes: The longest line allowed, with its CRLF.
    """

    def __init__(self, max_line_bytes: int) -> None:
        self._max = max_line_bytes
        self.octets = bytearray()
        """All of them; whoever reads a content takes it from the front, between two lines."""
        self._searched = 0
        self._discarding = False

    def __len__(self) -> int:
        return len(self.octets)

    def feed(self, octets: bytes | memoryview) -> None:
        """
        Add what came in.
        """
        self.octets += octets

    def next_line(self) -> bytes | Reply | None:
        """
        Return the next line without its CRLF, the reply that a broken one gets, or None when more must come in.
        """
        if self._discarding and not self._discard():
            return None
        end = self.octets.find(b"\n", self._searched, self._max)
        if end < 0:
            return self._unfinished()
        if end == 0 or self.octets[end - 1] != _CR:
            return self._refuse(end + 1, LINE_ENDING)
        line = bytes(self.octets[: end - 1])
        self._drop(end + 1)
        return line

    def _unfinished(self) -> Reply | None:
        if len(self.octets) >= self._max:
            return self._refuse(self._max, LINE_TOO_LONG)
        self._searched = len(self.octets)
        return None

    def _refuse(self, length: int, reply: Reply) -> Reply:
        # The last octet stays when it is a CR: the LF that makes it a line end may follow.
        self._drop(length - 1 if self.octets[length - 1] == _CR else length)
        self._discarding = True
        return reply

    def _discard(self) -> bool:
        """
        Throw away up to the next CRLF; whether it was found.
        """
        end = self.octets.find(b"\r\n")
        if end >= 0:
            self._drop(end + 2)
            self._discarding = False
        else:
            self._drop(len(self.octets) - self.octets.endswith(b"\r"))
        return end >= 0

    def _drop(self, length: int) -> None:
        # Deleting at the front of a bytearray moves its start and copies nothing.
        del self.octets[:length]
        self._searched = 0
