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
_KEPT_OF_BROKEN: Final = 8


class LineBuffer:
    """
    Octets that have come in and have not been read.

    Args:
        max_line_bytes: The longest line allowed, with its CRLF.
        takes_lf: A lone LF ends a line too.
    """

    def __init__(self, max_line_bytes: int, *, takes_lf: bool = False) -> None:
        self.max_line_bytes = max_line_bytes
        """The longest line allowed, with its CRLF; whoever changes it does so between two lines."""
        self._takes_lf = takes_lf
        self.octets = bytearray()
        """All of them; whoever reads a content takes it from the front, between two lines."""
        self.broken = b""
        """How the line began that was refused last."""
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
        self._discarding = self._discarding and not self._discard()
        if self._discarding:
            return None
        end = self.octets.find(b"\n", self._searched, self.max_line_bytes)
        if end < 0:
            return self._unfinished()
        has_cr = end > 0 and self.octets[end - 1] == _CR
        if not (has_cr or self._takes_lf):
            return self._refuse(LINE_ENDING)
        line = bytes(self.octets[: end - has_cr])
        self._drop(end + 1)
        return line

    def _unfinished(self) -> Reply | None:
        if len(self.octets) >= self.max_line_bytes:
            return self._refuse(LINE_TOO_LONG)
        self._searched = len(self.octets)
        return None

    def _refuse(self, reply: Reply) -> Reply:
        self.broken = bytes(self.octets[:_KEPT_OF_BROKEN])
        self._discarding = not self._discard()
        return reply

    def _discard(self) -> bool:
        """
        Throw away up to the next line end; whether it was found.
        """
        line_end = b"\n" if self._takes_lf else b"\r\n"
        end = self.octets.find(line_end)
        # A CR at the end stays: the LF that makes it a line end may follow.
        self._drop(end + len(line_end) if end >= 0 else len(self.octets) - self.octets.endswith(b"\r"))
        return end >= 0

    def _drop(self, length: int) -> None:
        # Deleting at the front of a bytearray moves its start and copies nothing.
        del self.octets[:length]
        self._searched = 0
