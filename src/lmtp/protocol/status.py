# SPDX-License-Identifier: Apache-2.0
"""
Enhanced status codes: the value ``x.y.z`` and what each code means.

Not here: basic reply codes (reply.py). Used by everything that answers or reports.
`EnhancedStatus` raises ValueError for text that is no code. RFC 3463 §2, RFC 2034 §4, RFC 5248.
"""

import re
from collections.abc import Mapping
from typing import Final, Self

_CODE: Final = re.compile(r"(?P<category>[245])\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")

MEANINGS: Final[Mapping[str, str]] = {
    "0.0": "Other or undefined status",
    "1.0": "Other address status",
    "1.1": "No such mailbox here",
    "1.2": "No such domain here",
    "1.3": "Bad mailbox address syntax",
    "1.4": "Ambiguous mailbox address",
    "1.5": "Recipient accepted",
    "1.6": "Mailbox has moved",
    "1.7": "Bad sender address syntax",
    "1.8": "Bad sender domain",
    "2.0": "Mailbox unavailable",
    "2.1": "Mailbox disabled",
    "2.2": "Mailbox full",
    "2.3": "Message too long for this mailbox",
    "2.4": "Mailing list expansion problem",
    "3.0": "Mail system trouble",
    "3.1": "Mail system full",
    "3.2": "System not accepting messages now",
    "3.3": "System not capable of the selected features",
    "3.4": "Message too big for system",
    "3.5": "System incorrectly configured",
    "4.0": "Network or routing trouble",
    "4.1": "No answer from host",
    "4.2": "Bad connection",
    "4.3": "Directory lookup failed",
    "4.4": "Unable to route",
    "4.5": "System congested",
    "4.6": "Too many hops, routing loop detected",
    "4.7": "Delivery time expired",
    "5.0": "Protocol trouble",
    "5.1": "Invalid command",
    "5.2": "Syntax error",
    "5.3": "Too many recipients",
    "5.4": "Invalid command arguments",
    "5.5": "Wrong protocol version",
    "5.6": "Authentication exchange line too long",
    "6.0": "Message content not acceptable",
    "6.1": "Media not supported",
    "6.3": "Conversion required but not supported",
    "6.7": "Non-ASCII addresses not permitted for that sender or recipient",
    "6.9": "Non-ASCII header fields not permitted for that recipient",
    "7.0": "Refused for security reasons",
    "7.1": "Refused by policy",
    "7.8": "Authentication credentials invalid",
    "7.9": "Authentication mechanism too weak",
    "7.11": "Encryption required for this authentication mechanism",
    "7.12": "A password transition is needed",
    "7.17": "Mailbox owner has changed",
    "7.18": "Domain owner has changed",
    "7.19": "Owner of the mailbox can't be known",
    "7.30": "REQUIRETLS support required",
}
"""What each ``subject.detail`` says to people: the fixed phrases of our replies (RFC 3463 §3)."""


class EnhancedStatus(str):
    """
    An enhanced status code such as ``"4.2.2"``: class, subject, detail (RFC 3463 §2).

    It is a string that has been checked, so it may be written wherever text goes.

    Raises:
        ValueError: the text is no enhanced status code.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:  # noqa: D102 - the class says it
        if _CODE.fullmatch(text) is None:
            raise ValueError(f"not an enhanced status code: {text!r}")
        return super().__new__(cls, text)

    @property
    def category(self) -> int:
        """
        The class digit: 2 success, 4 persistent transient failure, 5 permanent failure.
        """
        return int(self[0])

    @property
    def meaning(self) -> str:
        """
        What the code says to people; a code we do not know means its subject's ".0" (RFC 3463 §2).
        """
        subject, _, _ = self[2:].partition(".")
        return MEANINGS.get(self[2:]) or MEANINGS.get(f"{subject}.0") or MEANINGS["0.0"]
