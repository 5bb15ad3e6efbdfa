# SPDX-License-Identifier: Apache-2.0
"""
How much a peer may ask of the engine, and which departures from the grammar are let pass.

Numbers only: time is counted in aio/deadlines.py. The minimums are those of RFC 5321 §4.5.3.
"""

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    The limits of one engine.

    Raises:
        ValueError: a limit is below what RFC 5321 §4.5.3.1 makes every server accept.
    """

    command_line_bytes: int = 8192
    """A command line with its CRLF; a longer one is answered 500 (at least 512)."""
    path_bytes: int = 512
    """A reverse-path or forward-path with its brackets; a longer one is answered 501 (at least 256)."""
    message_bytes: int = 50 * 1024 * 1024
    """The content of a message, announced as SIZE; a bigger one is answered 552 (at least 64 KiB)."""
    recipients: int = 1000
    """Recipients of a transaction; more are answered 452 (at least 100)."""
    transactions: int = 0
    """MAIL commands of a session before it is closed with 421; 0: any number."""
    authentication_failures: int = 3
    """Failed authentications before the session is closed with 421 (at least 3, RFC 4954 §9)."""
    bad_commands: int = 20
    """Commands in a row that may be refused for their syntax or place before the session is closed with 421."""

    def __post_init__(self) -> None:
        for name, least in _MINIMUMS.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}")


_MINIMUMS = {
    "command_line_bytes": 512,
    "path_bytes": 256,
    "message_bytes": 64 * 1024,
    "recipients": 100,
    "transactions": 0,
    "authentication_failures": 3,
    "bad_commands": 1,
}


class Leniency(enum.Flag):
    """
    Departures from the letter that are let pass when asked for; all are off unless named.
    """

    NONE = 0
    """The letter of the RFCs."""
    DOMAIN_OPTIONAL = enum.auto()
    """``RCPT TO:<ann>`` without a domain, which the grammar allows for postmaster alone (RFC 5321 §4.1.1.3)."""
    SPACE_BEFORE_PATH = enum.auto()
    """``MAIL FROM: <ann@example.org>``, as many a hand-written client has it (RFC 5321 §3.3 forbids the space)."""
    PATH_WITHOUT_BRACKETS = enum.auto()
    """``RCPT TO:ann@example.org`` (RFC 5321 §4.1.2 wants brackets)."""
    UNDERSCORE_IN_NAME = enum.auto()
    """``LHLO mail_1``, the name of many a container (RFC 5321 §4.1.2 has letters, digits and hyphens)."""
    LF_ENDS_COMMANDS = enum.auto()
    """
    A lone LF ends a command line as CRLF does (RFC 5321 §2.3.8 forbids it).

    The content still ends with CRLF.CRLF and nothing else: taking less is how messages are smuggled.
    """
    STRAY_LINE_ENDS = enum.auto()
    """
    Bare CR and bare LF inside a content are kept as they came (RFC 5321 §2.3.8 forbids them).

    They never end a line or the content either way; a programme that reads the stored message may see it otherwise.
    """
    NUL = enum.auto()
    """NUL octets inside a content are kept (RFC 5321 §4.5.2 would let them through; many readers stop there)."""
