# SPDX-License-Identifier: Apache-2.0
"""
Mailboxes and the paths that carry them: ``MAIL FROM:<reverse-path>``, ``RCPT TO:<forward-path>``.

Octets come in, values go out; the local part keeps its case, the domain compares without (RFC 5321 §2.4).
Not here: whether anybody lives at an address. Raises `AddressSyntaxError`. RFC 5321 §4.1.1.2 to §4.1.3.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final, Self

from lmtp.protocol.grammar import ADDRESS_LITERAL, DOMAIN, DOT_STRING, PATH

MAX_DOMAIN: Final = 255
"""Octets of a domain (RFC 5321 §4.5.3.1.2)."""

# Next line, line separator and the like: what reads a trace field or a log later may end a line there.
_CONTROLS: Final = re.compile("[\x80-\x9f\u2028\u2029]")
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_NEEDS_BACKSLASH: Final = re.compile(r'(["\\])')


class AddressSyntaxError(ValueError):
    """
    The octets are no address of RFC 5321.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Mailbox:
    """
    ``local_part@domain``: who, and where (RFC 5321 §2.3.11).

    Two mailboxes are equal when the local parts are, octet by octet, and the domains are, case aside;
    ``"ann"@x`` and ``ann@x`` are the same (RFC 5321 §4.1.2).
    """

    local_part: str
    """The local part without quotes and backslashes, in its own case."""
    domain: str
    """The domain, or an address literal in its brackets; empty for a bare ``postmaster``."""
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Written once: each recipient's mailbox is asked for its text by replies, trace fields and log lines.
        local_part = self.local_part
        if DOT_STRING.fullmatch(local_part.encode("utf-8", "surrogatepass")) is None:
            local_part = '"' + _NEEDS_BACKSLASH.sub(r"\\\1", local_part) + '"'
        object.__setattr__(self, "_text", f"{local_part}@{self.domain}" if self.domain else local_part)

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mailbox) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str]:
        return self.local_part, self.domain.lower()

    @property
    def is_ascii(self) -> bool:
        """
        It needs no SMTPUTF8 (RFC 6531 §3.3).
        """
        return self._text.isascii()

    @property
    def is_postmaster(self) -> bool:
        """
        It is the reserved mailbox that must always be accepted, in any case spelling (RFC 5321 §4.5.1).
        """
        return self.local_part.lower() == "postmaster"


@dataclass(frozen=True, slots=True)
class ReversePath:
    """
    Where failures are reported to; without a mailbox it is ``<>`` and nobody may be told (RFC 5321 §4.5.5).
    """

    mailbox: Mailbox | None = None
    """The sender's mailbox, or None for the null reverse-path."""

    @property
    def is_null(self) -> bool:
        """
        It is ``<>``: nothing automatic may ever be sent back.
        """
        return self.mailbox is None

    def __str__(self) -> str:
        return f"<{self.mailbox}>" if self.mailbox else "<>"

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """
        Read a reverse-path in its brackets.

        Raises:
            AddressSyntaxError: it is none.
        """
        if octets == b"<>":
            return cls(None)
        mailbox = _parse_path(octets)
        if not mailbox.domain:
            raise AddressSyntaxError("a reverse-path needs a domain")
        return cls(mailbox)


@dataclass(frozen=True, slots=True)
class ForwardPath:
    """
    Where a message is to go: the mailbox a client names in RCPT.
    """

    mailbox: Mailbox
    """The recipient's mailbox; any source route has been dropped (RFC 5321 appendix C)."""

    def __str__(self) -> str:
        return f"<{self.mailbox}>"

    @classmethod
    def parse(cls, octets: bytes, *, domain_optional: bool = False) -> Self:
        """
        Read a forward-path in its brackets.

        Args:
            octets: The path as it stood in the command.
            domain_optional: Let any local part stand alone; else only ``postmaster`` may (RFC 5321 §4.1.1.3).

        Raises:
            AddressSyntaxError: it is none.
        """
        mailbox = _parse_path(octets)
        if not (mailbox.domain or domain_optional or mailbox.is_postmaster):
            raise AddressSyntaxError("a forward-path needs a domain")
        return cls(mailbox)


def _parse_path(octets: bytes) -> Mailbox:
    match = PATH.fullmatch(octets)
    if match is None:
        raise AddressSyntaxError("no path")
    return Mailbox(_unquote(match["local_part"]), parse_domain(match["domain"] or b""))


def _unquote(octets: bytes) -> str:
    text = _decode(octets)
    return _QUOTED_PAIR.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def parse_domain(octets: bytes) -> str:
    """
    Read a domain or an address literal; nothing at all is returned as nothing.

    Raises:
        AddressSyntaxError: it is neither, or too long.
    """
    if len(octets) > MAX_DOMAIN:
        raise AddressSyntaxError("domain too long")
    if ADDRESS_LITERAL.fullmatch(octets):
        _check_literal(octets[1:-1].decode("ascii"))
    elif octets and DOMAIN.fullmatch(octets) is None:
        raise AddressSyntaxError("bad domain")
    return _decode(octets)


def _decode(octets: bytes) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AddressSyntaxError("no UTF-8") from error
    if _CONTROLS.search(text):
        raise AddressSyntaxError("control characters")
    return text


def _check_literal(text: str) -> None:
    """
    Refuse ``[300.1.1.1]`` and the like; a tag we do not know needs just a name and content (RFC 5321 §4.1.3).
    """
    tag, colon, content = text.partition(":")
    try:
        if not colon:
            ipaddress.IPv4Address(text)
        elif tag.lower() == "ipv6":
            ipaddress.IPv6Address(content)
        elif not content or DOMAIN.fullmatch(tag.encode()) is None:
            raise AddressSyntaxError("bad address literal")
    except ipaddress.AddressValueError as error:
        raise AddressSyntaxError("bad address literal") from error
