# SPDX-License-Identifier: Apache-2.0
"""
Replies out of a stream of octets, as a client reads them.

Tolerant where it costs nothing: a line may be longer than 512 octets or have no text. Strict where a mistake would book
a reply for the wrong command: only CRLF ends a line, all lines of a reply have one code, and it begins with 2 to 5.
Not here: what a reply means (results.py). Raises RemoteProtocolError. RFC 5321 §2.3.8 and §4.2, RFC 2034 §4.
"""

import functools
import re
from typing import Final

from lmtp.protocol.errors import RemoteProtocolError
from lmtp.protocol.reply import MAX_CHALLENGE_LINE, Reply
from lmtp.protocol.status import EnhancedStatus

MAX_LINES: Final = 1024
"""Lines of one reply at most, so that no server fills our memory (RFC 5321 §4.5.3.1 sets no limit)."""

_LINE: Final = re.compile(rb"(?P<code>[2-5][0-9]{2})(?:(?P<mark>[ -])(?P<text>.*))?", re.DOTALL)
_STATUS: Final = re.compile(r"^(?P<status>[245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|$)")


class ReplyParser:
    """
    Octets that have come in from a server and have not been read.
    """

    def __init__(self) -> None:
        self._octets = bytearray()
        self._searched = 0
        self._lines: list[bytes] = []
        self.reads_status = False
        """The server has listed ENHANCEDSTATUSCODES; without it what looks like a status is text (RFC 2034 §3)."""

    @property
    def beginning(self) -> bytes:
        """
        The first octets, three at most, of what has come in and is not a whole reply yet.
        """
        return self._lines[0][:3] if self._lines else bytes(self._octets[:3])

    def feed(self, octets: bytes) -> None:
        """
        Add what came in.
        """
        self._octets += octets

    def next_reply(self) -> Reply | None:
        """
        Return the next reply with all its lines, or None when more must come in.

        Raises:
            RemoteProtocolError: that is no reply, or one beyond all measure.
        """
        while (line := self._next_line()) is not None:
            is_last = line[3:4] != b"-"
            if is_last and not self._lines:
                return _read(line, self.reads_status)
            self._add(line)
            if is_last:
                lines, self._lines = self._lines, []
                return _join(lines, self.reads_status)
        return None

    def _add(self, line: bytes) -> None:
        # Looked at as soon as it is there: what can't become a reply is not waited for.
        _match(line)
        if self._lines and line[:3] != self._lines[0][:3]:
            raise RemoteProtocolError("the lines of a reply have different codes")
        if len(self._lines) >= MAX_LINES:
            raise RemoteProtocolError(f"a reply of more than {MAX_LINES} lines")
        self._lines.append(line)

    def _next_line(self) -> bytes | None:
        end = self._octets.find(b"\n", self._searched, MAX_CHALLENGE_LINE)
        if end < 0:
            self._searched = len(self._octets)
            if self._searched >= MAX_CHALLENGE_LINE:
                raise RemoteProtocolError(f"a line of more than {MAX_CHALLENGE_LINE} octets")
            return None
        line = bytes(self._octets[:end])
        if not line.endswith(b"\r"):
            # Text of somebody else's that was echoed with its line ends would make replies of its own.
            raise RemoteProtocolError("a line of a reply ends in LF alone")
        # Deleting at the front of a bytearray moves its start and copies nothing.
        del self._octets[: end + 1]
        self._searched = 0
        return line[:-1]


@functools.lru_cache(maxsize=256)
def _read(line: bytes, reads_status: bool) -> Reply:  # noqa: FBT001 - part of what is cached
    """
    Read a reply of one line. Servers say the same few things all day, which is why the values are kept.
    """
    return _join([line], reads_status)


def _join(lines: list[bytes], reads_status: bool) -> Reply:  # noqa: FBT001 - as above
    matches = [_match(line) for line in lines]
    code = matches[0]["code"]
    texts = [_readable((match["text"] or b"").decode("utf-8", "backslashreplace")) for match in matches]
    status = _status(texts[-1], code) if reads_status else None
    if status is not None:  # other lines may lack it, or have another (RFC 2034 §4 notwithstanding)
        texts = [_STATUS.sub("", text) for text in texts]
    return Reply(int(code), status, "\n".join(texts))


def _readable(text: str) -> str:
    """
    Replace what would move a terminal's cursor or begin another line of a log.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\t" else "?" for each in text)


def _match(line: bytes) -> re.Match[bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise RemoteProtocolError(f"{line[:40]!r} is no reply")
    return match


def _status(text: str, code: bytes) -> EnhancedStatus | None:
    """
    Return the enhanced status; one of another class than the code says nothing (RFC 2034 §4, RFC 3463 §2).
    """
    match = _STATUS.match(text)
    if match is None or match["status"][0] != code.decode("ascii")[0]:
        return None
    try:
        return EnhancedStatus(match["status"])
    except ValueError:  # a leading zero
        return None
