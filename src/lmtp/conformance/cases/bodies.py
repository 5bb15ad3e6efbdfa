# SPDX-License-Identifier: Apache-2.0
"""
RFC 6152 and RFC 1870: what a content may hold, and how big it may be.
"""

from typing import Final

from lmtp.conformance import mailboxes
from lmtp.conformance.cases.data import DOT
from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group
from lmtp.conformance.needs import delivers, fixed_size_limit, offers, reads, users
from lmtp.conformance.session import Session

EIGHT_BIT: Final = Group("8bitmime", "RFC 6152: 8BITMIME", (offers("8BITMIME"),))
SIZE: Final = Group("size", "RFC 1870: SIZE", (offers("SIZE"),))


async def _mail(session: Session, parameters: str, *patterns: str) -> None:
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> {parameters}", *patterns)


@EIGHT_BIT.case("8B-1", MUST, "RFC 6152 §2")
async def body_8bitmime_is_accepted(session: Session) -> None:
    """
    MAIL with BODY=8BITMIME is accepted.
    """
    await _mail(session, "BODY=8BITMIME", "2yz")


@EIGHT_BIT.case("8B-1b", MUST, "RFC 6152 §2")
async def body_7bit_is_accepted(session: Session) -> None:
    """
    MAIL with BODY=7BIT is accepted.
    """
    await _mail(session, "BODY=7BIT", "2yz")


@EIGHT_BIT.case("8B-1c", SHOULD, "RFC 5321 §4.1.1.11")
async def other_bodies_are_refused(session: Session) -> None:
    """
    MAIL with another value of BODY is refused.
    """
    await _mail(session, "BODY=WIBBLE", "5yz")


@EIGHT_BIT.case("8B-1d", MUST, "RFC 5321 §2.4")
async def body_in_any_case(session: Session) -> None:
    """
    The value of BODY may be written in small letters.
    """
    await _mail(session, "BODY=8bitmime", "2yz")


@EIGHT_BIT.case("8B-2", MUST, "RFC 6152 §3", users(1), delivers)
async def eight_bit_content_is_accepted(session: Session) -> None:
    """
    A content with octets above 127 is accepted.
    """
    await session.content(session.users[0], parameters="BODY=8BITMIME")
    await session.check_count(session.message("Grüße\r\n".encode()) + DOT, 1, "2yz")


@EIGHT_BIT.case("8B-2b", MUST, "RFC 6152 §3", users(1), reads)
async def eight_bit_content_is_kept(session: Session) -> None:
    """
    All octets above 127 are kept.
    """
    body = bytes(range(128, 256)) + b"\r\n"
    await session.content(session.users[0], parameters="BODY=8BITMIME")
    (copy, *_) = await session.delivered(session.message(body) + DOT, 1)
    stored = mailboxes.body_of(copy)
    session.check(stored == mailboxes.with_lf(body), "the body as it was sent", stored)


@SIZE.case("SI-1", MUST, "RFC 1870 §4")
async def size_has_one_number(session: Session) -> None:
    """
    Behind the keyword SIZE stands nothing, or one number of up to 20 digits.
    """
    values = (await session.greet()).of("SIZE")
    is_right = len(values) <= 1 and all(value.isdigit() and len(value) <= 20 for value in values)
    session.check(is_right, "SIZE, or SIZE and a number", "SIZE " + " ".join(values))


@SIZE.case("SI-1b", MUST, "RFC 1870 §3")
async def small_size_is_accepted(session: Session) -> None:
    """
    MAIL with a small SIZE is accepted.
    """
    await _mail(session, "SIZE=1000", "2yz")


@SIZE.case("SI-1c", SHOULD, "RFC 5321 §4.1.1.11")
async def size_must_be_a_number(session: Session) -> None:
    """
    MAIL with a SIZE that is no number is refused.
    """
    await _mail(session, "SIZE=big", "5yz")


@SIZE.case("SI-1d", SHOULD, "RFC 1870 §3")
async def size_has_up_to_20_digits(session: Session) -> None:
    """
    MAIL with a SIZE of 21 digits is refused.
    """
    await _mail(session, "SIZE=" + "9" * 21, "5yz")


@SIZE.case("SI-1e", SHOULD, "RFC 1870 §3")
async def size_needs_a_value(session: Session) -> None:
    """
    MAIL with SIZE and no value is refused.
    """
    await _mail(session, "SIZE", "5yz")


@SIZE.case("SI-3", SHOULD, "RFC 1870 §6.1", fixed_size_limit)
async def size_beyond_the_limit_is_refused(session: Session) -> None:
    """
    MAIL with a SIZE beyond the limit is refused.
    """
    await _mail(session, f"SIZE={session.server.size_limit + 1}", "5yz", "452")


@SIZE.case("SI-3b", SHOULD, "RFC 1870 §6.1", fixed_size_limit)
async def size_beyond_the_limit_is_552(session: Session) -> None:
    """
    MAIL with a SIZE beyond the limit is answered 552.
    """
    await session.greet()
    reply = await session.say(f"MAIL FROM:<{session.server.setup.sender}> SIZE={session.server.size_limit + 1}")
    if reply.is_positive:
        raise session.other_case("SI-3", reply)
    session.check_code(reply, "552")


@SIZE.case("SI-3c", QUALITY, "RFC 1870 §6.1", fixed_size_limit)
async def size_at_the_limit_is_accepted(session: Session) -> None:
    """
    MAIL with a SIZE of just the limit is accepted.
    """
    await _mail(session, f"SIZE={session.server.size_limit}", "2yz")


@SIZE.case("SI-5", SHOULD, "RFC 1870 §6.3", users(1), delivers)
async def declared_size_is_accepted(session: Session) -> None:
    """
    A content of just the declared size is accepted.
    """
    message = session.message()
    await session.content(session.users[0], parameters=f"SIZE={len(message)}")
    await session.check_count(message + DOT, 1, "2yz")


@SIZE.case("SI-6", MUST, "RFC 1870 §6", users(1), delivers)
async def declared_size_is_not_the_end(session: Session) -> None:
    """
    A content goes on to its final dot, whatever size was declared.
    """
    await session.content(session.users[0], parameters="SIZE=10")
    await session.check_count(session.message(b"NOOP\r\n" * 20) + DOT, 1)
