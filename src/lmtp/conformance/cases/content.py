# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §4.1.1.4, §4.5.2: the content, its dots and its end.
"""

from typing import Final

from lmtp.conformance import mailboxes
from lmtp.conformance.cases.data import DOT
from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group
from lmtp.conformance.needs import delivers, reads, users
from lmtp.conformance.session import PreconditionError, Session

GROUP: Final = Group("content", "RFC 5321 §4.5.2: the content and its dots")

_STUFFED: Final = b"..\r\n...\r\n..one\r\n.. \r\nin . the middle\r\n..."
_UNSTUFFED: Final = b".\r\n..\r\n.one\r\n. \r\nin . the middle\r\n.."


async def _stored_body(session: Session, body: bytes, stuffed: bytes) -> bytes:
    """
    Deliver a body and return it as it was stored; both with LF.
    """
    await session.content(session.users[0])
    (copy, *_) = await session.delivered(session.message(stuffed) + DOT, 1)
    stored = mailboxes.body_of(copy)
    session.check(stored == mailboxes.with_lf(body), "the body as it was sent", stored)
    return stored


@GROUP.case("TX-2", MUST, "RFC 5321 §4.5.2", users(1), reads)
async def one_dot_is_taken_off(session: Session) -> None:
    """
    A line that begins with a dot loses that dot and nothing else.
    """
    await _stored_body(session, _UNSTUFFED + b"\r\n", _STUFFED + b"\r\n")


@GROUP.case("TX-2b", MUST, "RFC 5321 §4.5.2", users(1), delivers)
async def stuffed_dot_is_no_end(session: Session) -> None:
    """
    A line of two dots does not end the content.
    """
    await session.content(session.users[0])
    await session.check_count(session.message(b"one\r\n..\r\nNOOP\r\n") + DOT, 1)


@GROUP.case("TX-2c", MUST, "RFC 5321 §4.5.2", users(1), delivers)
async def dot_before_text_is_no_end(session: Session) -> None:
    """
    A line of a dot and more does not end the content.
    """
    await session.content(session.users[0])
    await session.check_count(session.message(b".NOOP\r\n. \r\nNOOP\r\n") + DOT, 1)


@GROUP.case("TX-2d", MUST, "RFC 5321 §4.1.1.4", users(1), delivers)
async def end_may_come_in_pieces(session: Session) -> None:
    """
    The end of the content is recognised when its octets come one by one.
    """
    await session.content(session.users[0])
    await session.send(session.message(b"text"))
    for octet in b"\r\n.\r":
        await session.send(bytes([octet]))
    await session.check_quiet("no reply before the last octet")
    await session.check_count(b"\n", 1)


@GROUP.case("TX-5", MUST, "RFC 2033 §4.2", users(2), delivers)
async def empty_content_gets_its_replies(session: Session) -> None:
    """
    An empty content gets a reply for each recipient.
    """
    await session.content(*session.users[:2])
    await session.check_count(DOT, 2)


@GROUP.case("TX-5b", MUST, "RFC 5321 §4.1.1.4", users(1), delivers)
async def content_without_header_gets_its_reply(session: Session) -> None:
    """
    A content without a header section gets its reply.
    """
    await session.content(session.users[0])
    await session.check_count(b"just a line\r\n" + DOT, 1)


@GROUP.case("TX-15", SHOULD, "RFC 5321 §3.3", users(1), delivers)
async def header_defects_are_no_reason_to_refuse(session: Session) -> None:
    """
    A message is not refused because its header section lacks From and Date.
    """
    await session.content(session.users[0])
    await session.check_count(
        b"Subject: lmtp check\r\nX-Lmtp-Check: %s\r\n\r\ntext\r\n" % session.token + DOT, 1, "2yz"
    )


@GROUP.case("TX-15b", MUST, "RFC 5321 §6.4, §4.4", users(1), reads)
async def content_is_not_changed(session: Session) -> None:
    """
    Nothing of the message is changed below the trace fields.
    """
    message = session.message(b"first\r\n\r\n  second \t\r\n\r\n\r\n")
    await session.content(session.users[0])
    (copy, *_) = await session.delivered(message + DOT, 1)
    stored = mailboxes.with_lf(copy)
    session.check(stored.endswith(mailboxes.with_lf(message)), "the message as it was sent", stored)


@GROUP.case("TX-13", SHOULD, "RFC 5321 §4.5.2", users(1), reads)
async def control_characters_are_kept(session: Session) -> None:
    """
    Control characters other than NUL are kept.
    """
    body = bytes(octet for octet in range(1, 32) if octet not in b"\r\n") + b"\x7f\r\n"
    await _stored_body(session, body, body)


@GROUP.case("TX-13b", MUST, "RFC 5321 §4.5.2", users(1), reads)
async def nul_cuts_nothing_off(session: Session) -> None:
    """
    A content with NUL, when it is accepted, is not cut there.
    """
    await session.content(session.users[0])
    (copy, *_) = await session.delivered(session.message(b"before\0after\r\nthe end\r\n") + DOT, 1)
    stored = mailboxes.body_of(copy)
    session.check(b"after" in stored and stored.endswith(b"the end\n"), "all that came behind NUL", stored)


@GROUP.case("TX-16", MUST, "RFC 5321 §4.5.3.1.6", users(1), delivers)
async def line_of_1000_octets_is_accepted(session: Session) -> None:
    """
    A text line of 1000 octets with its CRLF is accepted.
    """
    await session.content(session.users[0])
    await session.check_count(session.message(b"x" * 998 + b"\r\n") + DOT, 1, "2yz")


@GROUP.case("TX-16b", MUST, "RFC 5321 §4.5.3.1.6", users(1), reads)
async def line_of_1000_octets_is_kept(session: Session) -> None:
    """
    A text line of 1000 octets is stored as one line; the dot it was stuffed with does not count.
    """
    line = b"." + b"x" * 997 + b"\r\n"
    await _stored_body(session, line, b"." + line)


@GROUP.case("TX-16c", MUST, "RFC 2033 §4.2", users(2), delivers)
async def longer_line_gets_its_replies(session: Session) -> None:
    """
    A text line of 5000 octets, accepted or not, gets a reply for each recipient.
    """
    await session.content(*session.users[:2])
    await session.check_count(session.message(b"x" * 5000 + b"\r\n") + DOT, 2)


@GROUP.case("TX-16d", QUALITY, "RFC 5321 §4.5.3.1.6", users(1), reads)
async def longer_line_is_not_broken(session: Session) -> None:
    """
    A text line of 5000 octets, when it is accepted, is not broken into several.
    """
    line = b"x" * 5000 + b"\r\n"
    await _stored_body(session, line, line)


@GROUP.case("SZ-7", MUST, "RFC 5321 §4.5.3.1.7", users(1), delivers)
async def content_of_64_kib_is_accepted(session: Session) -> None:
    """
    A content of 64 KiB is not refused for its size.
    """
    head = session.message(b"")
    lines, rest = divmod(65536 - len(head), 80)
    await session.content(session.users[0])
    (reply,) = await session.check_count(head + (b"x" * 78 + b"\r\n") * lines + b"y" * (rest - 2) + b"\r\n" + DOT, 1)
    if reply.matches("4yz"):
        raise PreconditionError(f"the server has trouble: {reply}")
    session.check_code(reply, "2yz")
