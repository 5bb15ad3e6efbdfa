# SPDX-License-Identifier: Apache-2.0
"""
Hypothesis strategies for the words of the protocol: addresses, envelopes, messages, and ways to cut octets.

What they make is valid unless the name says otherwise, and written by the same values the engine reads.
Not here: what a session does with it. Importing this needs hypothesis, which no installation of lmtp brings.
RFC 5321 §4.1.2, §4.1.3, §4.5.2.
"""

import datetime as dt
import functools
import operator
from typing import Final, TypeVar

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError("lmtp.testing.strategies needs hypothesis: python -m pip install hypothesis") from error

from lmtp.protocol.address import ForwardPath, Mailbox, ReversePath
from lmtp.protocol.commands import Rcpt
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import (
    Body,
    ByMode,
    DeliverBy,
    MailParameters,
    Notify,
    OriginalRecipient,
    RcptParameters,
    Return,
    ValidSince,
    WhenUnsure,
)

_Path = TypeVar("_Path", bound=ReversePath | ForwardPath)

_ATEXT: Final = "abcXYZ019!#$%&'*+-/=?^_`{|}~"
_LET_DIG: Final = "abcXYZ019"
_LETTERS: Final = "äßçŁяあ漢𝄞"
_QUOTABLE: Final = [chr(code) for code in range(0x20, 0x7F)]
_PRINTABLE: Final = st.text(_QUOTABLE, min_size=1, max_size=30)
_TRICKY: Final = [
    b"\r",
    b"\n",
    b"\r\n",
    b".",
    b"..",
    b"\0",
    b"\r\n.",
    b".\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\xff",
    b"text",
]


def local_parts() -> st.SearchStrategy[str]:
    """
    Make local parts as they are meant, without quotes: atoms with dots, and whatever only quotes can hold.
    """
    dotted = st.lists(st.text(_ATEXT, min_size=1, max_size=12), min_size=1, max_size=4).map(".".join)
    return dotted | st.text(_QUOTABLE, max_size=24)


def domains() -> st.SearchStrategy[str]:
    """
    Make domains and address literals.
    """
    labels = st.builds(
        lambda first, inner, last: first + inner + last,
        st.sampled_from(_LET_DIG),
        st.text(_LET_DIG + "-", max_size=8),
        st.sampled_from(_LET_DIG),
    )
    return st.lists(labels, min_size=1, max_size=4).map(".".join) | address_literals()


def address_literals() -> st.SearchStrategy[str]:
    """
    Make addresses of hosts in their brackets (RFC 5321 §4.1.3).
    """
    return st.ip_addresses(v=4).map("[{}]".format) | st.ip_addresses(v=6).map("[IPv6:{}]".format)


def mailboxes() -> st.SearchStrategy[Mailbox]:
    """
    Make mailboxes of ASCII: plain ones, quoted ones, ones at address literals.
    """
    return st.builds(Mailbox, local_parts(), domains())


def quoted_mailboxes() -> st.SearchStrategy[Mailbox]:
    """
    Make mailboxes whose local part needs quotes: spaces, at signs, backslashes, dots where none may stand, nothing.
    """
    unquotable = st.sampled_from(["", " ", "@", '"', "\\", "..", ".", ",", "<", ">"])
    local_part = st.builds(lambda before, middle, after: before + middle + after, *[st.text("abc", max_size=4)] * 3)
    return st.builds(
        lambda text, odd, domain: Mailbox(odd + text + odd, domain),
        local_part,
        unquotable,
        domains(),
    ).filter(lambda mailbox: str(mailbox).startswith('"'))


def utf8_mailboxes() -> st.SearchStrategy[Mailbox]:
    """
    Make mailboxes that need SMTPUTF8 (RFC 6531 §3.3).
    """
    paths = st.builds(ReversePath, mailboxes())
    mailboxes_of = international(paths).map(lambda path: path.mailbox or Mailbox("", ""))
    return mailboxes_of.filter(lambda mailbox: not mailbox.is_ascii)


def reverse_paths() -> st.SearchStrategy[ReversePath]:
    """
    Make reverse-paths, the null one among them.
    """
    return st.builds(ReversePath, st.none() | mailboxes())


def forward_paths() -> st.SearchStrategy[ForwardPath]:
    """
    Make forward-paths, the bare postmaster among them.
    """
    postmasters = st.sampled_from(["postmaster", "Postmaster", "POSTMASTER"])
    return st.builds(ForwardPath, mailboxes() | st.builds(Mailbox, postmasters, st.just("")))


def international(paths: st.SearchStrategy[_Path]) -> st.SearchStrategy[_Path]:
    """
    Make paths whose local parts and domains may have UTF-8, out of paths that have none (RFC 6531 §3.3).
    """
    return st.builds(_with_utf8, paths, st.text(_LETTERS, max_size=4), st.text(_LETTERS, max_size=4))


def _with_utf8(path: _Path, before: str, behind: str) -> _Path:
    if path.mailbox is None or path.mailbox.domain.startswith("[") or not path.mailbox.domain:
        return path
    return type(path)(Mailbox(before + path.mailbox.local_part, path.mailbox.domain + behind))


def envelopes(*, max_recipients: int = 5) -> st.SearchStrategy[tuple[ReversePath, list[ForwardPath]]]:
    """
    Make what MAIL and RCPT say: a reverse-path and one or more forward-paths, some of them given twice.
    """
    distinct = st.lists(forward_paths(), min_size=1, max_size=max_recipients)
    repeated = distinct.flatmap(lambda paths: st.lists(st.sampled_from(paths), min_size=1, max_size=max_recipients))
    return st.tuples(reverse_paths(), distinct | repeated)


def contents() -> st.SearchStrategy[bytes]:
    """
    Make contents as a conforming client means them: lines that end with CRLF and have no other CR or LF, and no NUL.
    """
    octets = st.binary(max_size=40) | st.sampled_from([b"", b".", b"..", b".text", b"Subject: hi"])
    lines = octets.map(lambda line: line.translate(None, b"\r\n\0") + b"\r\n")
    return st.lists(lines, max_size=8).map(b"".join)


def wild_octets() -> st.SearchStrategy[bytes]:
    """
    Make octets that look for the seams of a reader: stray CR and LF, dots, NUL, ends of content that are none.
    """
    return st.lists(st.sampled_from(_TRICKY) | st.binary(max_size=4), max_size=16).map(b"".join)


def transmitted(content: bytes) -> bytes:
    """
    Return the octets that carry a content: one dot more before each that begins a line, and CRLF.CRLF (§4.5.2).
    """
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def chunkings(octets: bytes, *, max_chunks: int = 12) -> st.SearchStrategy[list[bytes]]:
    """
    Make ways to cut octets into pieces, as a network might.
    """
    offsets = st.lists(st.integers(0, len(octets)), max_size=max_chunks - 1).map(sorted)
    return offsets.map(lambda cuts: [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)])


def mail_parameters() -> st.SearchStrategy[MailParameters]:
    """
    Make what may go with MAIL, by all extensions there are.
    """
    return st.builds(
        MailParameters,
        size_bytes=st.none() | st.integers(0, 10**20 - 1),
        body=st.none() | st.sampled_from(Body),
        is_internationalized=st.booleans(),
        returned=st.none() | st.sampled_from(Return),
        envelope_id=st.none() | _PRINTABLE,
        submitter=st.none() | reverse_paths(),
        deliver_by=st.none() | _delivery_times(),
        priority=st.none() | st.integers(-9, 9),
        requires_tls=st.booleans(),
        traceparent=st.just("") | _traceparents(),
    )


def rcpt_parameters() -> st.SearchStrategy[RcptParameters]:
    """
    Make what may go with RCPT, by all extensions there are.
    """
    return st.builds(
        RcptParameters,
        notify=st.none() | st.just(Notify.NEVER) | _notices(),
        original_recipient=st.none() | st.builds(OriginalRecipient, st.sampled_from(["rfc822", "x400"]), _PRINTABLE),
        valid_since=st.none() | st.builds(ValidSince, _moments(), st.sampled_from(WhenUnsure)),
        ignores_quota=st.booleans(),
    )


def _delivery_times() -> st.SearchStrategy[DeliverBy]:
    notify = st.builds(DeliverBy, st.integers(-999_999_999, 999_999_999), st.just(ByMode.NOTIFY), st.booleans())
    return notify | st.builds(DeliverBy, st.integers(1, 999_999_999), st.just(ByMode.RETURN), st.booleans())


def _notices() -> st.SearchStrategy[Notify]:
    reasons = st.lists(st.sampled_from([*Notify]), min_size=1, max_size=3)
    return reasons.map(lambda members: functools.reduce(operator.or_, members))


def _moments() -> st.SearchStrategy[dt.datetime]:
    zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
    return st.datetimes(min_value=dt.datetime(1900, 1, 1), timezones=zones).map(  # noqa: DTZ001 - as hypothesis wants it
        lambda moment: moment.replace(microsecond=0)
    )


def _traceparents() -> st.SearchStrategy[str]:
    return st.builds(
        "00-{:032x}-{:016x}-{:02x}".format,
        st.integers(1, 2**128 - 1),
        st.integers(1, 2**64 - 1),
        st.integers(0, 255),
    )


def outgoing_envelopes(
    *,
    max_recipients: int = 5,
    parameters: st.SearchStrategy[MailParameters] = st.just(MailParameters()),  # noqa: B008 - strategies don't change
    recipient_parameters: st.SearchStrategy[RcptParameters] = st.just(RcptParameters()),  # noqa: B008 - likewise
) -> st.SearchStrategy[OutgoingEnvelope]:
    """
    Make envelopes as a client sends them, of ASCII addresses; some name a recipient twice.

    Args:
        max_recipients: How many recipients at most.
        parameters: What goes with MAIL, such as `mail_parameters`; by default nothing.
        recipient_parameters: What goes with RCPT, such as `rcpt_parameters`; by default nothing.
    """
    return st.builds(
        _outgoing_envelope,
        envelopes(max_recipients=max_recipients),
        parameters,
        st.lists(recipient_parameters, min_size=max_recipients, max_size=max_recipients),
    )


def _outgoing_envelope(
    paths: tuple[ReversePath, list[ForwardPath]], parameters: MailParameters, of_recipients: list[RcptParameters]
) -> OutgoingEnvelope:
    reverse_path, forward_paths = paths
    rcpts = tuple(map(Rcpt, forward_paths, of_recipients))
    return OutgoingEnvelope(reverse_path, rcpts, parameters)


def messages(*, max_lines: int = 8) -> st.SearchStrategy[bytes]:
    """
    Make messages: a header section, an empty line, and a body with what goes wrong on the way.

    Every line ends with CRLF and has no other CR or LF. Bodies have lines that begin with dots, octets above 127, lines
    of 998 octets and longer ones, and no line at all.

    Args:
        max_lines: Lines of a body at most.
    """
    odd = [b"", b".", b"..", b". ", b".From", b"From here", b"x" * 998, b"y" * 2000, "grüße".encode(), b"\xff\xfe"]
    lines = st.sampled_from(odd) | st.binary(max_size=80).map(lambda line: line.translate(None, b"\r\n\0"))
    body = st.lists(lines.map(lambda line: line + b"\r\n"), max_size=max_lines).map(b"".join)
    return st.builds(lambda header, text: header + b"\r\n" + text, header_sections(), body)


def header_sections() -> st.SearchStrategy[bytes]:
    """
    Make header sections: fields in any order and number, some folded, each with its CRLF; there is a From and a Date.
    """
    names = st.sampled_from([b"Subject", b"To", b"Received", b"X-Spam", b"Message-ID", b"Return-Path"])
    values = st.lists(st.text("abc xyz.,;@<>=?", min_size=1, max_size=40), min_size=1, max_size=3)
    fields = st.builds(lambda name, folded: name + b": " + b"\r\n\t".join(folded) + b"\r\n", names, values.map(_words))
    needed = [b"From: ann@example.org\r\n", b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"]
    return st.lists(fields, max_size=6).flatmap(lambda more: st.permutations([*needed, *more])).map(b"".join)


def _words(pieces: list[str]) -> list[bytes]:
    # A piece of white space alone would end the header section to some readers (RFC 5322 §3.2.2).
    return [piece.strip().encode("ascii") or b"x" for piece in pieces]
