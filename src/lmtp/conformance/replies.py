# SPDX-License-Identifier: Apache-2.0
"""
Replies as they came: every raw line is kept, and what is wrong with it is noted, not repaired.

Far more tolerant than a client should be, because a tester that stumbles over a fault can't report it.
Not here: reading from a connection (wire.py). Raises nothing. RFC 5321 §4.2, RFC 2034 §4.
"""

import enum
import re
from dataclasses import dataclass
from typing import Final

from lmtp.protocol.reply import MAX_LINE
from lmtp.protocol.status import EnhancedStatus

_LINE: Final = re.compile(rb"(?P<code>[0-9]{3})(?:(?P<mark>[ -])(?P<text>.*))?", re.DOTALL)
_CODE: Final = re.compile(rb"[2-5][0-5][0-9]")
_UNPRINTABLE: Final = re.compile(rb"[^\t -~]")
_STATUS: Final = re.compile(rb"(?P<status>[0-9]+\.[0-9]+\.[0-9]+)(?: |$)")
_PATTERNS: Final = str.maketrans({"y": "[0-9]", "z": "[0-9]", "x": "[2-5]"})


class Fault(enum.Enum):
    """
    What can be wrong with the grammar of a reply.
    """

    LINE_END = "a line that does not end in CRLF"
    """RFC 5321 §2.3.8."""
    NO_CODE = "a line that does not begin with three digits and a space or hyphen"
    """RFC 5321 §4.2."""
    BAD_CODE = "a code outside 200 to 559"
    """RFC 5321 §4.2: the digits are 2 to 5, 0 to 5, 0 to 9."""
    OTHER_CODE = "lines of one reply with different codes"
    """RFC 5321 §4.2.1."""
    UNPRINTABLE = "octets other than printable ASCII, space and tab"
    """RFC 5321 §4.2."""
    TOO_LONG = "a line of more than 512 octets"
    """RFC 5321 §4.5.3.1.5."""
    NO_SPACE = "a last line without a space behind the code"
    """RFC 5321 §4.2: a server should send it."""


def continues(line: bytes) -> bool:
    """
    Tell whether more lines of the reply follow one.
    """
    match = _LINE.match(line)
    return match is not None and match["mark"] == b"-"


@dataclass(frozen=True, slots=True)
class WireReply:
    """
    One reply, of as many lines as the server sent for it.
    """

    lines: tuple[bytes, ...]
    """The raw lines with their ends."""

    def __str__(self) -> str:
        return b" / ".join(line.rstrip(b"\r\n") for line in self.lines).decode("ascii", "backslashreplace")

    @property
    def code(self) -> str:
        """
        The three digits of the last line, or nothing.
        """
        match = _LINE.match(self.lines[-1])
        return match["code"].decode("ascii") if match else ""

    @property
    def texts(self) -> tuple[bytes, ...]:
        """
        What stands behind the code on each line, without the line's end.
        """
        matches = (_LINE.match(line.rstrip(b"\r\n")) for line in self.lines)
        return tuple((match["text"] or b"") if match else b"" for match in matches)

    @property
    def statuses(self) -> tuple[bytes, ...]:
        """
        What has the look of an enhanced status code on each line, or nothing.
        """
        matches = (_STATUS.match(text) for text in self.texts)
        return tuple(match["status"] if match else b"" for match in matches)

    def matches(self, *patterns: str) -> bool:
        """
        Tell whether the code is one of those: ``250``, ``2yz``, ``50z``.
        """
        return any(re.fullmatch(pattern.translate(_PATTERNS), self.code) for pattern in patterns)

    @property
    def is_positive(self) -> bool:
        """
        The first digit is 2 (RFC 2033 §4).
        """
        return self.code.startswith("2")

    @property
    def faults(self) -> frozenset[Fault]:
        """
        All that is wrong with its grammar.
        """
        found = {fault for line in self.lines for fault in _faults_of(line)}
        if len({line[:3] for line in self.lines}) > 1:
            found.add(Fault.OTHER_CODE)
        if re.fullmatch(rb"[0-9]{3}\r?\n", self.lines[-1]):
            found.add(Fault.NO_SPACE)
        return frozenset(found)

    @property
    def bad_status(self) -> str:
        """
        What is wrong with the enhanced status codes of a reply that must have them; nothing when all is well.
        """
        statuses = self.statuses
        if b"" in statuses:
            return "a line without an enhanced status code"
        if len(set(statuses)) > 1:
            return "lines with different enhanced status codes"
        text = statuses[0].decode("ascii")
        try:
            EnhancedStatus(text)
        except ValueError:
            return f"{text}, which is no enhanced status code"
        return "" if text[0] == self.code[:1] else f"{text}, which is of another class than {self.code}"


def _faults_of(line: bytes) -> set[Fault]:
    found = set()
    if not line.endswith(b"\r\n"):
        found.add(Fault.LINE_END)
    bare = line.removesuffix(b"\n").removesuffix(b"\r")
    match = _LINE.fullmatch(bare)
    if match is None:
        found.add(Fault.NO_CODE)
    elif _CODE.fullmatch(match["code"]) is None:
        found.add(Fault.BAD_CODE)
    if _UNPRINTABLE.search(bare):
        found.add(Fault.UNPRINTABLE)
    if len(line) > MAX_LINE:
        found.add(Fault.TOO_LONG)
    return found
