# SPDX-License-Identifier: Apache-2.0
"""
The header section of a message, octet by octet: where it ends, which fields it has, and all but some of them.

No MIME parse and no decoding: folding, order, spelling and malformed lines stay as they came, and no octet is ever
lost. Called once a message by delivery/ and by trace.py. Never raises. RFC 5322 §2.1, §2.2.3, §4.5.
"""

import re
from collections.abc import Iterator
from typing import Final

MAX_OCTETS: Final = 256 * 1024
"""How far a header section may reach; what lies beyond is body to us. Postfix and Sendmail stop far earlier."""

_CRLF: Final = b"\r\n"
_FIELD_END: Final = re.compile(rb"\r\n(?![ \t])")  # a CRLF before white space is folding (RFC 5322 §2.2.3)
_COLON: Final = re.compile(rb"[ \t]*:")  # white space before the colon: obsolete, but seen (RFC 5322 §4.5)


class HeaderSection:
    """
    What stands before the first empty line, or the whole message when there is no such line.

    Lines that are no fields (an mbox ``From `` line, a continuation of nothing, plain text) are kept where they
    stand and are never found by name. Only CRLF ends a line. Everything here takes time linear in the section.

    Args:
        leading: The first octets of the content: all of it, or at least `MAX_OCTETS`.
    """

    __slots__ = ("_lowered", "end", "octets")

    end: int
    """Offset in the content where the section ends: the empty line, when there is one, follows there."""
    octets: bytes
    """The section, without the empty line."""

    def __init__(self, leading: bytes) -> None:
        self.end = _end_of_section(leading)
        self.octets = leading[: self.end]
        # The CRLF in front makes the first line no special case, and each offset of one the offset of a field.
        self._lowered = _CRLF + self.octets.lower()

    def fields(self) -> Iterator[bytes]:
        """
        Yield the fields in order, each with its folding and its CRLF; joined they are the section again.
        """
        start = 0
        for match in _FIELD_END.finditer(self.octets):
            yield self.octets[start : match.end()]
            start = match.end()
        if start < len(self.octets):
            yield self.octets[start:]

    def find(self, name: bytes) -> list[bytes]:
        """
        Return the fields of this name, case aside, from top to bottom, each with its folding and its CRLF.
        """
        return [self.octets[start : self._end_of_field(start)] for start in self._starts(name)]

    def count(self, name: bytes) -> int:
        """
        Return how many fields have this name, case aside.
        """
        return sum(1 for _ in self._starts(name))

    def without(self, name: bytes) -> bytes:
        """
        Return the section without the fields of this name, case aside; all else is as it was.
        """
        kept = []
        kept_from = 0
        for start in self._starts(name):
            kept.append(self.octets[kept_from:start])
            kept_from = self._end_of_field(start)
        kept.append(self.octets[kept_from:])
        return b"".join(kept)

    def _starts(self, name: bytes) -> Iterator[int]:
        needle = _CRLF + name.lower()
        at = self._lowered.find(needle)
        while at >= 0:
            if _COLON.match(self._lowered, at + len(needle)):
                yield at
            at = self._lowered.find(needle, at + len(needle))

    def _end_of_field(self, start: int) -> int:
        match = _FIELD_END.search(self.octets, start)
        return match.end() if match else len(self.octets)


def _end_of_section(leading: bytes) -> int:
    if leading.startswith(_CRLF):
        return 0
    empty_line = leading.find(_CRLF + _CRLF, 0, MAX_OCTETS)
    if empty_line >= 0:
        return empty_line + len(_CRLF)
    if len(leading) < MAX_OCTETS:
        return len(leading)
    return _last_field_start(leading)


def _last_field_start(leading: bytes) -> int:
    """
    Return where to cut a section that is too long: before a field, so that none is torn from its continuation.
    """
    at = leading.rfind(_CRLF, 0, MAX_OCTETS)
    while at >= 0:
        start = at + len(_CRLF)
        if leading[start : start + 1] not in {b"", b" ", b"\t"}:
            return start
        at = leading.rfind(_CRLF, 0, at)
    return 0
