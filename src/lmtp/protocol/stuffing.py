# SPDX-License-Identifier: Apache-2.0
"""
Make a content fit to be sent: every line ends in CRLF, and no line of it looks like its end.

Works on whole pieces; the last octets of one are remembered, for a CRLF may be cut in two. The other direction is
content.py. Never raises. RFC 5321 §2.3.8 and §4.5.2, RFC 3030 §2.
"""


class LineEnds:
    """
    Turns CR and LF alone into CRLF, as ``email`` and every text mode do; a server may take nothing else (§2.3.8).
    """

    def __init__(self) -> None:
        self._held_cr = b""
        self._tail = b"\r\n"

    def encode(self, octets: bytes) -> bytes:
        """
        Return a piece with its line ends mended; a CR at its end waits for what follows.
        """
        octets = self._held_cr + octets
        self._held_cr = b"\r" if octets.endswith(b"\r") else b""
        octets = with_crlf(octets.removesuffix(b"\r"))
        self._tail = (self._tail + octets[-2:])[-2:]
        return octets

    def finish(self) -> bytes:
        """
        Return what ends the last line, if anything is missing.
        """
        is_complete = self._tail == b"\r\n" and not self._held_cr
        return b"" if is_complete else b"\r\n"


def with_crlf(octets: bytes) -> bytes:
    """
    Return octets with CR and LF alone turned into CRLF; those that have none are not copied.
    """
    line_ends = octets.count(b"\r\n")
    if octets.count(b"\n") == line_ends and octets.count(b"\r") == line_ends:
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


class DotStuffing:
    """
    Doubles the dot at the beginning of a line, and writes the dot that ends the content (RFC 5321 §4.5.2).

    Takes what `LineEnds` returns.
    """

    def __init__(self) -> None:
        self._tail = b"\r\n"

    def encode(self, octets: bytes) -> bytes:
        """
        Return a piece as it goes on the wire.
        """
        # The two octets before the piece are looked at with it: they may be the line end before a dot, or half of it.
        stuffed = (self._tail + octets).replace(b"\r\n.", b"\r\n..")[2:]
        self._tail = (self._tail + octets[-2:])[-2:]
        return stuffed

    def finish(self) -> bytes:
        """
        Return the end of the content.
        """
        return b".\r\n"
