# SPDX-License-Identifier: Apache-2.0
"""
LMTP and SMTP, and everything in which they differ.

The fields of `Dialect` are the whole article "Differences from SMTP" (RFC 2033 §4): an engine that obeys them
speaks either. The table in docs/explanation/dialects.md is made from here.
"""

import enum
from dataclasses import dataclass
from typing import Final


class Replies(enum.Enum):
    """
    How many replies follow the end of the content.
    """

    PER_RECIPIENT = "one for each accepted recipient, in the order of the RCPT commands"
    """RFC 2033 §4.2: the rule LMTP exists for."""
    PER_MESSAGE = "one for the message"
    """RFC 5321 §4.1.1.4: so a server must queue for those who could not be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """
    One of the two protocols.
    """

    name: str
    """What it is called, in the greeting and in ``Received … with`` (RFC 3848)."""
    greeting_verb: str
    """The command that opens a session (RFC 2033 §4.1)."""
    refused_verbs: tuple[str, ...]
    """Commands that show that the client speaks the other protocol: answered 500 (RFC 2033 §4.1)."""
    replies: Replies
    """How many replies follow the end of the content (RFC 2033 §4.2)."""
    no_recipients_code: int
    """The answer to DATA when no recipient was accepted (RFC 2033 §4.2; RFC 5321 §3.3)."""


LMTP: Final = Dialect(
    name="LMTP",
    greeting_verb="LHLO",
    refused_verbs=("HELO", "EHLO"),
    replies=Replies.PER_RECIPIENT,
    no_recipients_code=503,
)
"""RFC 2033."""

SMTP: Final = Dialect(
    name="ESMTP",
    greeting_verb="EHLO",
    refused_verbs=("LHLO",),
    replies=Replies.PER_MESSAGE,
    no_recipients_code=554,
)
"""RFC 5321, with its extended greeting."""
