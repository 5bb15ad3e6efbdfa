# SPDX-License-Identifier: Apache-2.0
"""
Decode the content as it comes in: after DATA in lines up to a dot, after BDAT in chunks of a stated size.

Works on whole pieces, one search and one replacement each, and keeps back only what might be the beginning of the end.
Not here: size limits (intake.py). Never raises. RFC 5321 §4.5.2, §4.1.1.4; RFC 3030 §2.
"""

import enum
from typing import Final, Protocol

_END: Final = b"\r\n.\r\n"
_LONE_DOT: Final = _END[2:]
_PREFIXES: Final = tuple(_END[:length] for length in range(len(_END) - 1, 0, -1))


class Fault(enum.Flag):
    """
    What RFC 5321 does not want in a content.
    """

    NONE = 0
    """All is well."""
    STRAY_LINE_END = enum.auto()
    """A CR without LF or an LF without CR (RFC 5321 §2.3.8); refused because readers disagree on what it means."""
    NUL = enum.auto()
    """A NUL octet (RFC 5321 §4.5.2 discourages it); refused because readers stop there."""


def faults_in(octets: bytes) -> Fault:
    """
    Return what is wrong with octets that do not begin or end between a CR and its LF.
    """
    faults = Fault.NONE
    line_ends = octets.count(b"\r\n")
    if octets.count(b"\r") != line_ends or octets.count(b"\n") != line_ends:
        faults = Fault.STRAY_LINE_END
    if b"\0" in octets:
        faults |= Fault.NUL
    return faults


class Decoder(Protocol):
    """
    Takes one content, or a part of one, out of what came in.
    """

    @property
    def faults(self) -> Fault:
        """
        What has been found so far.
        """
        ...

    def decode(self, received: bytearray) -> tuple[bytes, bool]:
        """
        Take from the front of what came in all that is certain.

        What follows the end is neither copied nor moved: with many messages in one segment that would be quadratic.

        Returns:
            The decoded octets, and whether the end was reached.
        """
        ...


class DotDecoder:
    """
    The decoder of a content that comes in lines.

    Only CRLF.CRLF ends it; any other mixture of CR, LF and dots is content (RFC 5321 §4.1.1.4).
    """

    def __init__(self) -> None:
        self._has_begun = False
        self.faults = Fault.NONE
        """What has been found so far."""

    def decode(self, received: bytearray) -> tuple[bytes, bool]:
        """
        Take from the front of what came in all that is certain; what may be the beginning of the end stays there.

        Returns:
            The decoded octets, and whether the content has come to its end.
        """
        if not self._has_begun and (ended := self._begin(received)) is not None:
            return b"", ended
        end = received.find(_END)
        length = end + 2 if end >= 0 else _certain(received)
        octets = bytes(memoryview(received)[:length])
        del received[: length if end < 0 else end + len(_END)]
        self.faults |= faults_in(octets)
        return octets.replace(b"\r\n.", b"\r\n"), end >= 0

    def _begin(self, received: bytearray) -> bool | None:
        """
        Look for a dot at once: the CRLF of the DATA command is the line end before the first line.

        Returns:
            Whether the content is empty or more must come in to know; None when the first line has begun.
        """
        start = received[: len(_LONE_DOT)]
        if start == _LONE_DOT:
            del received[: len(_LONE_DOT)]
            return True
        if _LONE_DOT.startswith(start):
            return False
        self._has_begun = True
        del received[: start.startswith(b".")]
        return None


def _certain(received: bytearray) -> int:
    """
    Return how many octets can't be part of the end whatever follows.
    """
    return len(received) - next((len(prefix) for prefix in _PREFIXES if received.endswith(prefix)), 0)


class ChunkDecoder:
    """
    The decoder of a content that comes in chunks; a CRLF may be cut in two by their ends.
    """

    def __init__(self) -> None:
        self._left = 0
        self._has_held_cr = False
        self._faults = Fault.NONE

    @property
    def faults(self) -> Fault:
        """
        What has been found so far; a CR at the end of a chunk is none before the next octet is seen.
        """
        return self._faults

    def begin(self, size_bytes: int) -> None:
        """
        Begin a chunk.
        """
        self._left = size_bytes

    def decode(self, received: bytearray) -> tuple[bytes, bool]:
        """
        Take what belongs to the chunk.

        Returns:
            The octets, and whether the chunk is complete.
        """
        octets = bytes(memoryview(received)[: self._left])
        del received[: len(octets)]
        self._left -= len(octets)
        self._inspect(octets)
        return octets, self._left == 0

    def finish(self) -> None:
        """
        Note that the chunk that came to its end was the last.
        """
        if self._has_held_cr:
            self._faults |= Fault.STRAY_LINE_END

    def _inspect(self, octets: bytes) -> None:
        octets = b"\r" * self._has_held_cr + octets
        self._has_held_cr = octets.endswith(b"\r")
        self._faults |= faults_in(octets.removesuffix(b"\r"))
