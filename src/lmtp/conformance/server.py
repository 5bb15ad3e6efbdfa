# SPDX-License-Identifier: Apache-2.0
"""
What is known of the server under test: where it is, whom it knows, what it offers.

Values only; `probe` in runner.py finds out what is offered. `Setup` raises ValueError for what can't go together.
"""

import enum
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from lmtp.conformance.replies import WireReply
from lmtp.conformance.wire import Target

SENDER: Final = "lmtp-check@client.example"
"""Who messages are from, unless told otherwise."""
TIMEOUT_SECONDS: Final = 10.0
"""How long a reply may take, unless told otherwise."""
QUIET_SECONDS: Final = 0.2
"""How long silence takes, unless told otherwise."""

_KEYWORD: Final = re.compile(rb"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?P<values>(?: [!-~]+)*)")


class Tls(enum.Enum):
    """
    When TLS begins.
    """

    NEVER = "never"
    """All is said in clear, but for the cases about STARTTLS."""
    STARTTLS = "starttls"
    """Before anything else is said, by the command (RFC 3207)."""
    IMPLICIT = "implicit"
    """With the connection."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    Who logs in with AUTH PLAIN (RFC 4616).
    """

    name: str
    """The authentication identity."""
    password: str = field(repr=False)
    """The password; it is never shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """
    What the tester was told.

    Raises:
        ValueError: TLS without a context.
    """

    target: Target
    """Where the server is."""
    users: tuple[str, ...] = ()
    """Addresses it accepts and delivers to."""
    unknown: str = ""
    """An address it refuses at RCPT."""
    failing: str = ""
    """An address it accepts at RCPT and refuses after the content."""
    maildir: Path | None = None
    """A folder somewhere below which what was delivered can be read."""
    sender: str = SENDER
    """Who the messages are from."""
    is_safe: bool = False
    """Nothing that could be delivered is sent."""
    tls: Tls = Tls.NEVER
    """When TLS begins."""
    tls_context: ssl.SSLContext | None = None
    """What TLS is begun with."""
    credentials: Credentials | None = None
    """Who logs in, if anybody does."""
    timeout_seconds: float = TIMEOUT_SECONDS
    """How long a reply may take."""
    quiet_seconds: float = QUIET_SECONDS
    """How long nothing must come before that counts as silence."""

    def __post_init__(self) -> None:
        if self.tls is not Tls.NEVER and self.tls_context is None:
            raise ValueError("TLS needs a context")


@dataclass(frozen=True, slots=True)
class Offers:
    """
    What a reply to LHLO lists (RFC 5321 §4.1.1.1).
    """

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The words behind each keyword; keywords in capitals."""
    strange_lines: tuple[bytes, ...] = ()
    """Lines that are not a keyword and its parameters."""

    @classmethod
    def read(cls, reply: WireReply) -> Self:
        """
        Read the lines behind the first one.
        """
        values: dict[str, tuple[str, ...]] = {}
        strange = []
        for text in reply.texts[1:]:
            match = _KEYWORD.fullmatch(text)
            if match is None:
                strange.append(text)
            else:
                values[match["keyword"].decode().upper()] = tuple(match["values"].decode().split())
        return cls(values, tuple(strange))

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.values

    def of(self, keyword: str) -> tuple[str, ...]:
        """
        Return the words behind a keyword, none when it is not offered.
        """
        return self.values.get(keyword, ())


@dataclass(frozen=True, slots=True)
class Server:
    """
    The server under test, as far as it is known before a case begins.
    """

    setup: Setup
    """What the tester was told."""
    offers: Offers
    """What it offers when TLS and AUTH are done."""
    offers_in_clear: Offers
    """What it offers before STARTTLS; the same without it."""

    @property
    def size_limit(self) -> int:
        """
        The fixed maximum of a message's size, 0 when there is none (RFC 1870 §3).
        """
        value = self.offers.of("SIZE")[:1]
        return int(value[0]) if value and value[0].isdigit() and len(value[0]) <= 20 else 0

    @property
    def is_encrypted(self) -> bool:
        """
        Mail goes over TLS.
        """
        return self.setup.tls is not Tls.NEVER

    @property
    def some_address(self) -> str:
        """
        An address to name in RCPT when it does not matter whether it is accepted.
        """
        return (*self.setup.users, self.setup.unknown, "nobody@client.example")[0] or "nobody@client.example"
