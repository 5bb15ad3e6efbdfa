# SPDX-License-Identifier: Apache-2.0
"""
What a server said it can do, read from its answer to LHLO or EHLO.

Lines that are no keyword are passed over: Cyrus ends its list with one. What can't be read as a limit is no limit.
RFC 5321 §4.1.1.1, RFC 1870 §4, RFC 9422 §3.7.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from lmtp.protocol.reply import Reply

_KEYWORD: Final = re.compile(r"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:[ =]+(?P<arguments>.*))?")
_SIZE: Final = re.compile(r"[0-9]{1,20}")
_LIMITS: Final = re.compile(r"[A-Za-z0-9_-]+(?:=[!-:<-~]+)?")
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Offered:
    """
    The extensions one server offers to us, as things stand: STARTTLS, AUTH and XCLIENT may change them.
    """

    server_name: str = ""
    """What the server calls itself."""
    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keywords in capitals, each with the words behind it."""

    @classmethod
    def read(cls, reply: Reply, *, is_plain: bool = False) -> Self:
        """
        Read the answer to LHLO or EHLO; what is listed in two lines, as AUTH and AUTH= once were, is taken together.

        Args:
            reply: The answer.
            is_plain: HELO was answered, which lists nothing.
        """
        first, *lines = reply.text.split("\n")
        found: dict[str, tuple[str, ...]] = {}
        for match in (_KEYWORD.fullmatch(line.strip()) for line in lines if not is_plain):
            if match is not None:
                keyword = match["keyword"].upper()
                found[keyword] = found.get(keyword, ()) + tuple((match["arguments"] or "").split())
        return cls(first.partition(" ")[0], found)

    def __contains__(self, keyword: object) -> bool:
        return keyword in self.keywords

    @property
    def size_limit_bytes(self) -> int | None:
        """
        The biggest message the server takes; None when it does not say (RFC 1870 §4: 0 says nothing).
        """
        words = self.keywords.get("SIZE", ())
        return int(words[0]) or None if words and _SIZE.fullmatch(words[0]) else None

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """
        The SASL mechanisms, in capitals (RFC 4954 §3).
        """
        return tuple(word.upper() for word in self.keywords.get("AUTH", ()))

    def limit(self, name: str) -> int | None:
        """
        Return a limit of RFC 9422 such as ``RCPTMAX``; None when there is none that can be read.

        A value that is none is passed over; words that are no limits at all make the whole line void (§3.7).
        """
        words = self.keywords.get("LIMITS", ())
        if not all(_LIMITS.fullmatch(word) for word in words):
            return None
        for word in words:
            found, _, value = word.partition("=")
            if found.upper() == name and _LIMIT.fullmatch(value):
                return int(value)
        return None
