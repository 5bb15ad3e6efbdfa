# SPDX-License-Identifier: Apache-2.0
"""
The addresses, for any octets: a path or a refusal, and what is read is written so that it is read as the same again.

Raises AssertionError when that does not hold. Called by run.py, and by the tests. RFC 5321 §4.1.2, RFC 6531 §3.3.
"""

from collections.abc import Iterator
from typing import Final

from lmtp.protocol.address import MAX_DOMAIN, AddressSyntaxError, ForwardPath, ReversePath, parse_domain
from lmtp.protocol.commands import Mail, Rcpt
from lmtp.protocol.dialect import LMTP
from lmtp.protocol.extensions import Offer, offered
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.parser import CommandParser

DICTIONARY: Final = "lmtp.dict"
"""The words of the protocol."""
LONGEST: Final = 600
"""More than the longest path."""

_LIMITS: Final = Limits()
_PARSER: Final = CommandParser(LMTP, _LIMITS, Leniency.NONE, [row for row, _ in offered(Offer(), _LIMITS)])


def check(octets: bytes) -> None:
    """
    Read the octets as each kind of address there is.
    """
    _check_domain(octets)
    _check_path(octets, ForwardPath, b"RCPT TO:")
    _check_path(octets, ReversePath, b"MAIL FROM:")


def _check_domain(octets: bytes) -> None:
    try:
        domain = parse_domain(octets)
    except AddressSyntaxError:
        return
    assert octets == domain.encode("utf-8"), domain
    assert len(octets) <= MAX_DOMAIN, domain
    _check_text(domain)


def _check_path(octets: bytes, kind: type[ForwardPath] | type[ReversePath], label: bytes) -> None:
    try:
        path = kind.parse(octets)
    except AddressSyntaxError:
        path = None
    else:
        _check_text(str(path))
        assert path == kind.parse(str(path).encode("utf-8")), path
    _check_command(octets, path, label)


def _check_command(octets: bytes, path: ForwardPath | ReversePath | None, label: bytes) -> None:
    """
    See that a command has the same idea of where the path ends.
    """
    suffix = b"" if octets.isascii() or label.startswith(b"RCPT") else b" SMTPUTF8"
    try:
        command = _PARSER.parse(label + octets + suffix)
    except CommandError:
        assert path is None or len(octets) > _LIMITS.path_bytes, path
        return
    if path is not None:
        assert path == (command.forward_path if isinstance(command, Rcpt) else _reverse_path(command))


def _reverse_path(command: object) -> ReversePath:
    assert isinstance(command, Mail), command
    return command.reverse_path


def _check_text(text: str) -> None:
    text.encode("utf-8")  # no half of a surrogate pair
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text), text


def seeds() -> Iterator[bytes]:
    """
    Make an address of each kind.
    """
    yield from (b"<>", b"<ann@example.org>", b'<"a>b\\"c\\\\ d"@example.org>', b"<postmaster>", b"<Postmaster@x>")
    yield from (b"<@a.example,@b.example:ann@example>", b"<ann@[192.0.2.1]>", b"<ann@[IPv6:2001:db8::1]>")
    yield from (b"<ann@[x-tag:y]>", b"mx.example", b"[192.0.2.1]", "<jörg@bücher.example>".encode(), b'<""@x>')
