# SPDX-License-Identifier: Apache-2.0
"""
RFC 2033 §4.2: one reply for each accepted recipient after the content.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from lmtp.conformance.model import MUST, SHOULD, Group
from lmtp.conformance.needs import delivers, failing, fixed_size_limit, reads, unknown, users
from lmtp.conformance.session import PreconditionError, Session

GROUP: Final = Group("data", "RFC 2033 §4.2: DATA and the replies after the content")

MAX_SENT: Final = 64 * 1024 * 1024
"""Octets we send at most to meet a limit."""
LATE_SECONDS: Final = 1.0
"""How long a message that was not stored in time is waited for."""
DOT: Final = b".\r\n"
"""What ends a content, at the beginning of a line."""


@GROUP.case("LMTP-4.2-2", MUST, "RFC 2033 §4.2")
async def data_without_rcpt_is_503(session: Session) -> None:
    """
    DATA in a transaction without any RCPT is answered 503.
    """
    await session.greet()
    await session.mail()
    await session.expect("DATA", "503")


@GROUP.case("LMTP-4.2-2b", MUST, "RFC 2033 §4.2", unknown)
async def data_without_accepted_rcpt_is_503(session: Session) -> None:
    """
    DATA after nothing but refused RCPTs is answered 503.
    """
    await session.greet()
    await session.mail()
    await session.given(f"RCPT TO:<{session.server.setup.unknown}>", "4yz", "5yz")
    await session.expect("DATA", "503")


@GROUP.case("LMTP-4.2-2c", MUST, "RFC 5321 §4.1.4", users(1))
async def refused_data_changes_nothing(session: Session) -> None:
    """
    After DATA was refused for want of recipients, RCPT and DATA still work.
    """
    await session.greet()
    await session.mail()
    await session.given("DATA", "5yz")
    await session.expect(f"RCPT TO:<{session.users[0]}>", "2yz")
    await session.expect("DATA", "354")


@GROUP.case("LMTP-4.2-3", MUST, "RFC 2033 §4.2", users(1), delivers)
async def one_recipient_gets_one_reply(session: Session) -> None:
    """
    One accepted recipient gets one reply after the content.
    """
    await session.content(session.users[0])
    await session.check_count(session.message() + DOT, 1)


@GROUP.case("LMTP-4.2-3b", MUST, "RFC 2033 §4.2", users(2), delivers)
async def each_recipient_gets_a_reply(session: Session) -> None:
    """
    Two accepted recipients get a reply each after the content.
    """
    await session.content(*session.users[:2])
    await session.check_count(session.message() + DOT, 2)


@GROUP.case("LMTP-4.2-3c", MUST, "RFC 2033 §4.2", users(1), failing, delivers)
async def replies_are_in_the_order_of_rcpt(session: Session) -> None:
    """
    The replies come in the order of the RCPTs: the one that fails was named first.
    """
    await session.content(session.server.setup.failing, session.users[0])
    first, second = await session.check_count(session.message() + DOT, 2)
    _check_outcomes(session, str(second), failed=first.matches("4yz", "5yz"), accepted=second.is_positive)


@GROUP.case("LMTP-4.2-3d", MUST, "RFC 2033 §4.2", users(1), failing, delivers)
async def replies_are_in_the_order_of_rcpt_also_backwards(session: Session) -> None:
    """
    The replies come in the order of the RCPTs: the one that fails was named last.
    """
    await session.content(session.users[0], session.server.setup.failing)
    first, second = await session.check_count(session.message() + DOT, 2)
    _check_outcomes(session, str(first), failed=second.matches("4yz", "5yz"), accepted=first.is_positive)


def _check_outcomes(session: Session, came: str, *, failed: bool, accepted: bool) -> None:
    if not failed and accepted:
        raise PreconditionError("the address of --failing got the message")
    session.check(failed and accepted, "each recipient's own reply, at its own place", came)


@GROUP.case("LMTP-4.2-4", MUST, "RFC 2033 §4.2", users(1), unknown, delivers)
async def refused_rcpt_gets_no_reply(session: Session) -> None:
    """
    A refused RCPT gets no reply after the content.
    """
    await session.transaction(session.users[0])
    await session.given(f"RCPT TO:<{session.server.setup.unknown}>", "4yz", "5yz")
    await session.given("DATA", "354")
    await session.check_count(session.message() + DOT, 1)


@GROUP.case("LMTP-4.2-5", MUST, "RFC 2033 §4.2", users(1), delivers)
async def same_forward_path_twice_gets_two_replies(session: Session) -> None:
    """
    The same forward-path accepted twice gets two replies.
    """
    await session.content(session.users[0], session.users[0])
    await session.check_count(session.message() + DOT, 2)


@GROUP.case("LMTP-4.2-5b", MUST, "RFC 2033 §4.2", users(2), delivers)
async def each_of_many_rcpts_gets_a_reply(session: Session) -> None:
    """
    Six accepted RCPTs of two recipients, in turn, get six replies.
    """
    await session.content(*(session.users[i % 2] for i in range(6)))
    await session.check_count(session.message() + DOT, 6)


@GROUP.case("T06", MUST, "RFC 2033 §4.2", users(1), delivers)
async def other_spelling_gets_its_own_reply(session: Session) -> None:
    """
    An address in small and in capital letters, if both are accepted, gets two replies.
    """
    local_part, _, domain = session.users[0].rpartition("@")
    await session.content(session.users[0], f"{local_part.upper()}@{domain.upper()}")
    await session.check_count(session.message() + DOT, 2)


@GROUP.case("LMTP-4.2-8", MUST, "RFC 2033 §4.2", users(2), delivers)
async def refused_content_is_refused_for_each(session: Session) -> None:
    """
    A content with bare LF and NUL, refused or not, gets a reply for each recipient.
    """
    await session.content(*session.users[:2])
    await session.check_count(session.message(b"bare\nLF and \0 NUL\r\n") + DOT, 2)


@GROUP.case("LMTP-4.2-8b", MUST, "RFC 2033 §4.2", users(2), fixed_size_limit, delivers)
async def content_beyond_the_limit_is_refused_for_each(session: Session) -> None:
    """
    A content beyond the size limit gets a refusal for each recipient.
    """
    limit = session.server.size_limit
    if limit > MAX_SENT:
        raise session.out_of_scope(f"it would take more than {MAX_SENT} octets to go beyond SIZE {limit}")
    await session.content(*session.users[:2])
    await session.send(session.message())
    for piece in _filling(limit):
        await session.send(piece, shown=b"[%d octets]" % len(piece))
        await asyncio.sleep(0)
    await session.check_count(DOT, 2, "5yz", "5yz")


def _filling(size: int) -> Iterator[bytes]:
    piece = (b"x" * 76 + b"\r\n") * 12_000
    yield from (piece for _ in range(size // len(piece) + 1))


@GROUP.case("LMTP-4.2-9", MUST, "RFC 2033 §4.2", users(1), delivers)
async def transaction_ends_with_the_last_reply(session: Session) -> None:
    """
    After the last reply MAIL is accepted without RSET, and the old recipients are forgotten.
    """
    await session.content(session.users[0])
    await session.send(session.message() + DOT)
    await session.read()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}>", "2yz")
    await session.expect("DATA", "503")


@GROUP.case("LMTP-4.2-9b", MUST, "RFC 2033 §4.2", users(2), delivers)
async def second_transaction_has_its_own_recipients(session: Session) -> None:
    """
    A transaction for one recipient after one for two gets one reply.
    """
    await session.content(*session.users[:2])
    # A refusal is what shows that there are no more replies to the content.
    await session.send(session.message() + DOT + b"WIBBLE\r\n")
    replies = [await session.read()]
    while replies[-1].is_positive:
        replies.append(await session.read())
    if len(replies) != 3:
        raise session.other_case("LMTP-4.2-3b", "; ".join(map(str, replies)))
    await session.mail()
    await session.recipients(session.users[1])
    await session.given("DATA", "354")
    await session.check_count(session.message() + DOT, 1)


@GROUP.case("LMTP-4.2-7", MUST, "RFC 2033 §4.2", users(1), reads)
async def accepted_message_is_there(session: Session) -> None:
    """
    What was answered 2yz is stored when the reply comes.
    """
    await session.content(session.users[0])
    await session.send(session.message() + DOT)
    reply = await session.read()
    if not reply.is_positive:
        raise PreconditionError(f"the message was not accepted: {reply}")
    if not session.landed():
        await asyncio.sleep(LATE_SECONDS)
        session.check(not session.landed(), "the message stored before the reply", "the message some time later")
        raise PreconditionError("what was accepted can't be found below the folder of --maildir")


@GROUP.case("LMTP-4.2-7b", MUST, "RFC 2033 §4.2", users(2), reads)
async def each_recipient_gets_a_copy(session: Session) -> None:
    """
    Two recipients answered 2yz have a copy each.
    """
    await session.content(*session.users[:2])
    copies = await session.delivered(session.message() + DOT, 2)
    session.check(len(copies) == 2, "2 copies", len(copies))


@GROUP.case("DUP-6", MUST, "RFC 5321 §4.1.1.10", users(1), reads)
async def lost_connection_delivers_nothing(session: Session) -> None:
    """
    A connection lost in the middle of a content delivers nothing.
    """
    await session.content(session.users[0])
    await session.send(session.message(b"half a\r\n"))
    await session.close()
    await asyncio.sleep(session.server.setup.quiet_seconds)
    session.check(not session.landed(), "nothing delivered", "half a message")


@GROUP.case("T60", SHOULD, "RFC 5321 §4.1.1.10", users(2), delivers)
async def replies_are_sent_when_the_client_has_closed_its_side(session: Session) -> None:
    """
    A client that closes its side right behind the content still gets all replies.
    """
    if session.server.is_encrypted:
        raise session.out_of_scope("with TLS a side can't be closed alone")
    await session.content(*session.users[:2])
    await session.send(session.message() + DOT)
    session.wire.end_sending()
    replies = await session.read_to_end()
    session.check(len(replies) >= 2, "2 replies before the end", len(replies))
