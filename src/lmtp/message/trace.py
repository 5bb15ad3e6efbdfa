# SPDX-License-Identifier: Apache-2.0
r"""
The trace fields a final delivery owes: Return-Path, Delivered-To, Received; and the count of hops.

Values come in, octets with CRLF go out. Whatever a peer chose (its name, an address) is made grammatical first, so
that no CR, LF or NUL of a peer or of a users file ever starts a field of its own. Called by delivery/, once a
recipient. Never raises. RFC 5321 §4.4, §6.3, RFC 3848, RFC 6531 §4.3, RFC 9228.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, assert_never

from lmtp.message.header import HeaderSection
from lmtp.protocol.address import ForwardPath, Mailbox, ReversePath
from lmtp.protocol.grammar import ADDRESS_LITERAL, DOMAIN

MAX_HOPS: Final = 100
"""Received fields from which on a message is taken to run in circles (RFC 5321 §6.3: normally at least 100)."""

_MAX_COLUMNS: Final = 78
_WORD: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^ ])+')
"""What no line break may come into: a quoted string is one word, whatever spaces are in it."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_ATOM: Final = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_NOT_IN_DOMAIN: Final = re.compile(r"[^A-Za-z0-9.-]+")


def lmtp_keyword(*, is_encrypted: bool, is_authenticated: bool, is_utf8: bool) -> str:
    """
    Return what follows ``with`` in a Received field: LMTP, LMTPS, LMTPA, LMTPSA or one of these after UTF8.

    Args:
        is_encrypted: The session was under TLS.
        is_authenticated: An AUTH succeeded (RFC 4954 §7); who owns the other end of a local socket is none.
        is_utf8: The transaction asked for SMTPUTF8 (RFC 6531 §4.3).
    """
    return "".join(("UTF8" if is_utf8 else "", "LMTP", "S" if is_encrypted else "", "A" if is_authenticated else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """
    How a message came here: the values of one Received field (RFC 5321 §4.4).
    """

    client_name: str
    """What the client called itself in LHLO."""
    peer_address: IPv4Address | IPv6Address | None
    """Where it connected from, or None for a local socket."""
    server_name: str
    """What we call ourselves."""
    keyword: str
    """The protocol; see `lmtp_keyword`."""
    transaction_id: str
    """Names the transaction in our log."""
    forward_path: ForwardPath | None
    """The one recipient of this copy; None leaves the clause out. Never one of several: that would be a leak."""
    date: str
    """When the content had come; see `lmtp.message.dates`."""

    def __bytes__(self) -> bytes:
        """
        Return the field, folded below 78 columns where a word allows it, with its CRLF.
        """
        clauses = [
            f"from {_domain(self.client_name)} ({_address(self.peer_address)})",
            f"by {_domain(self.server_name)}",
            f"with {_atom(self.keyword)}",
            f"id {_atom(self.transaction_id)}",
        ]
        if self.forward_path is not None:
            clauses.append(f"for {_printable(str(self.forward_path))}")
        clauses[-1] += ";"
        return _fold("Received:", [*clauses, _printable(self.date)])


def return_path(reverse_path: ReversePath) -> bytes:
    """
    Return the Return-Path field; ``<>`` for the null reverse-path. Never folded: readers take it as one line.
    """
    return _octets(f"Return-Path: {_printable(str(reverse_path))}\r\n")


def delivered_to(mailbox: Mailbox) -> bytes:
    """
    Return the Delivered-To field: the mailbox without brackets (RFC 9228). Never folded, as loop tests read it.
    """
    return _octets(f"Delivered-To: {_printable(str(mailbox))}\r\n")


def trace_fields(reverse_path: ReversePath, mailbox: Mailbox, received: Received) -> bytes:
    """
    Return the three fields of one recipient's copy in the order in which they are stored.
    """
    return return_path(reverse_path) + delivered_to(mailbox) + bytes(received)


class Edited(NamedTuple):
    """
    How a copy begins, and from where on it is the content as it came.
    """

    head: bytes
    """The octets that come first."""
    body_start: int
    """Offset in the content of what follows the head unchanged."""


def edit_for_delivery(header: HeaderSection, fields: bytes) -> Edited:
    """
    Put trace fields on top of a message and take any old Return-Path out of it (RFC 5321 §4.4).

    A message without one, which is nearly all of them, is neither copied nor changed. One that begins with white
    space has no header section; an empty line keeps its first line from being read as a continuation of our
    last trace field, which would let a sender write its end.
    """
    if header.octets.startswith((b" ", b"\t")):
        return Edited(fields + b"\r\n", 0)
    if not header.count(b"Return-Path"):
        return Edited(fields, 0)
    return Edited(fields + header.without(b"Return-Path"), header.end)


def has_looped(header: HeaderSection, max_hops: int = MAX_HOPS) -> bool:
    """
    Tell whether a message has been through so many hosts that it must run in circles (RFC 5321 §6.3).

    Such a message fails with 5.4.6; taking it would send it round once more.
    """
    return header.count(b"Received") >= max_hops


def _domain(name: str) -> str:
    # A host's name stays ASCII also where addresses need not (RFC 6531 §3.7.1).
    if name.isascii() and (DOMAIN.fullmatch(_octets(name)) or ADDRESS_LITERAL.fullmatch(_octets(name))):
        return name
    likeness = _NOT_IN_DOMAIN.sub("-", name).strip("-.")
    return likeness if DOMAIN.fullmatch(_octets(likeness)) else "unknown"


def _address(peer: IPv4Address | IPv6Address | None) -> str:
    match peer:
        case None:
            return "localhost"
        case IPv4Address():
            return f"[{peer}]"
        case IPv6Address(ipv4_mapped=IPv4Address() as mapped):
            return f"[{mapped}]"
        case IPv6Address():
            return f"[IPv6:{IPv6Address(peer.packed)}]"  # without the %interface of a link-local one
        case _:
            assert_never(peer)


def _atom(text: str) -> str:
    return _NOT_IN_ATOM.sub("", text) or "unknown"


def _printable(text: str) -> str:
    return _CONTROLS.sub("", text)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _fold(name: str, clauses: Sequence[str]) -> bytes:
    """
    Join the clauses into lines of at most 78 columns, breaking inside a clause only where it fits on no line.
    """
    # A break among the spaces of a quoted string could make a line of white space alone, which RFC 5322 §3.2.2
    # forbids. Such a string may have a line of its own beyond 78 columns; the limit of a path keeps it below 998.
    lines = [name]
    for clause in clauses:
        for piece in [clause] if len(clause) < _MAX_COLUMNS else _WORD.findall(clause):
            if len(lines[-1]) + 1 + len(piece) <= _MAX_COLUMNS:
                lines[-1] += f" {piece}"
            else:
                lines.append(f" {piece}")
    return _octets("\r\n".join(lines) + "\r\n")
