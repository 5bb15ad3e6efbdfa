# SPDX-License-Identifier: Apache-2.0
r"""
Who sent what, as lines a person can read and a terminal can't be harmed by.

Octets that are not printable ASCII are written as ``\r``, ``\n`` or ``\xHH``; what is long is cut in the middle.
Kept while a case runs, so its memory is bounded however much goes over the wire. Raises nothing.
"""

from typing import Final

MAX_SHOWN: Final = 240
"""Octets of one line that are shown."""
MAX_LINES: Final = 60
"""Lines that are kept; the first half and the last half of a longer talk."""

_NAMED: Final = {0x0D: "\\r", 0x0A: "\\n", 0x09: "\\t", 0x5C: "\\\\"}


def printable(octets: bytes) -> str:
    """
    Return octets as printable ASCII.
    """
    if len(octets) > MAX_SHOWN:
        half = MAX_SHOWN // 2
        return f"{printable(octets[:half])} [... {len(octets)} octets ...] {printable(octets[-half:])}"
    return "".join(_NAMED.get(octet) or (chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}") for octet in octets)


class Transcript:
    """
    What was said on the connections of one case.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._left_out = 0

    @property
    def lines(self) -> tuple[str, ...]:
        """
        What there is, oldest first.
        """
        if not self._left_out:
            return tuple(self._lines)
        half = MAX_LINES // 2
        return (*self._lines[:half], f"   [... {self._left_out} lines ...]", *self._lines[half:])

    def client(self, octets: bytes) -> None:
        """
        Record what we sent, a line for each of its lines unless they are many.
        """
        pieces = octets.splitlines(keepends=True) if octets.count(b"\n") <= 8 else [octets]
        for piece in pieces:
            self._add(f"C: {printable(piece)}")

    def server(self, line: bytes) -> None:
        """
        Record a line of the server's.
        """
        self._add(f"S: {printable(line)}")

    def note(self, text: str) -> None:
        """
        Record what happened on the connection.
        """
        self._add(f"   ({text})")

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) > MAX_LINES:
            del self._lines[MAX_LINES // 2]
            self._left_out += 1
