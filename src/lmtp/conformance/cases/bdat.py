# SPDX-License-Identifier: Apache-2.0
"""
RFC 2033 §4.3: BDAT LAST gets one reply for each accepted recipient, all else one reply.
"""

from typing import Final

from lmtp.conformance.model import MUST, QUALITY, Group
from lmtp.conformance.needs import delivers, failing, offers, unknown, users
from lmtp.conformance.session import PreconditionError, Session

GROUP: Final = Group("bdat", "RFC 2033 §4.3: BDAT", (offers("CHUNKING"),))


def chunk(octets: bytes, *, is_last: bool = False) -> bytes:
    """
    Return a BDAT command with its octets.
    """
    return b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if is_last else b"", octets)


@GROUP.case("LMTP-4.3-1", MUST, "RFC 2033 §4.3", users(2), delivers)
async def last_chunk_gets_a_reply_for_each(session: Session) -> None:
    """
    BDAT LAST gets a reply for each accepted recipient.
    """
    await session.transaction(*session.users[:2])
    await session.check_count(chunk(session.message(), is_last=True), 2)


@GROUP.case("LMTP-4.3-1b", MUST, "RFC 2033 §4.3", users(2), delivers)
async def empty_last_chunk_gets_a_reply_for_each(session: Session) -> None:
    """
    BDAT 0 LAST behind another chunk gets a reply for each accepted recipient.
    """
    await session.transaction(*session.users[:2])
    await session.send(chunk(session.message()))
    await session.expect_reply("250")
    await session.check_count(chunk(b"", is_last=True), 2)


@GROUP.case("LMTP-4.3-1c", MUST, "RFC 2033 §4.3", users(2), delivers)
async def empty_message_gets_a_reply_for_each(session: Session) -> None:
    """
    BDAT 0 LAST as the only chunk gets a reply for each accepted recipient.
    """
    await session.transaction(*session.users[:2])
    await session.check_count(chunk(b"", is_last=True), 2)


@GROUP.case("LMTP-4.3-1d", MUST, "RFC 2033 §4.3", users(1), delivers)
async def same_forward_path_twice_gets_two_replies(session: Session) -> None:
    """
    BDAT LAST gets two replies when the same forward-path was accepted twice.
    """
    await session.transaction(session.users[0], session.users[0])
    await session.check_count(chunk(session.message(), is_last=True), 2)


@GROUP.case("LMTP-4.3-1e", MUST, "RFC 2033 §4.3", users(1), unknown, delivers)
async def refused_rcpt_gets_no_reply(session: Session) -> None:
    """
    A refused RCPT gets no reply after BDAT LAST.
    """
    await session.transaction(session.users[0])
    await session.given(f"RCPT TO:<{session.server.setup.unknown}>", "4yz", "5yz")
    await session.check_count(chunk(session.message(), is_last=True), 1)


@GROUP.case("LMTP-4.3-1f", MUST, "RFC 2033 §4.3", users(1), failing, delivers)
async def replies_are_in_the_order_of_rcpt(session: Session) -> None:
    """
    The replies to BDAT LAST come in the order of the RCPTs.
    """
    await session.transaction(session.server.setup.failing, session.users[0])
    first, second = await session.check_count(chunk(session.message(), is_last=True), 2)
    if first.is_positive and second.is_positive:
        raise PreconditionError("the address of --failing got the message")
    session.check(second.is_positive, "the second recipient's reply at the second place", f"{first}; {second}")


@GROUP.case("LMTP-4.3-2", MUST, "RFC 2033 §4.3", users(2))
async def other_chunks_get_one_reply(session: Session) -> None:
    """
    BDAT without LAST gets one reply, however many the recipients.
    """
    await session.transaction(*session.users[:2])
    await session.check_count(chunk(session.message()), 1, "250")


async def _check_no_reply(session: Session, octets: bytes) -> None:
    await session.greet()
    await session.mail()
    await session.send(octets)
    replies = await session.replies_until_quit()
    session.check(not replies, "no reply, then 221 for QUIT", "; ".join(map(str, replies)))


@GROUP.case("LMTP-4.3-3", MUST, "RFC 2033 §4.3", delivers)
async def last_chunk_for_nobody_gets_no_reply(session: Session) -> None:
    """
    BDAT LAST in a transaction without an accepted recipient gets no reply at all.
    """
    await _check_no_reply(session, chunk(b"Subject: nobody\r\n\r\n", is_last=True))


@GROUP.case("LMTP-4.3-3b", MUST, "RFC 2033 §4.3", delivers)
async def empty_last_chunk_for_nobody_gets_no_reply(session: Session) -> None:
    """
    BDAT 0 LAST in a transaction without an accepted recipient gets no reply at all.
    """
    await _check_no_reply(session, chunk(b"", is_last=True))


@GROUP.case("LMTP-4.3-3c", MUST, "RFC 2033 §4.3", unknown, delivers)
async def last_chunk_for_refused_recipients_gets_no_reply(session: Session) -> None:
    """
    BDAT LAST after nothing but refused RCPTs gets no reply at all.
    """
    await session.greet()
    await session.mail()
    await session.given(f"RCPT TO:<{session.server.setup.unknown}>", "4yz", "5yz")
    await session.send(chunk(b"Subject: nobody\r\n\r\n", is_last=True))
    replies = await session.replies_until_quit()
    session.check(not replies, "no reply, then 221 for QUIT", "; ".join(map(str, replies)))


@GROUP.case("LMTP-4.3-5", QUALITY, "RFC 2033 §4.3")
async def chunk_for_nobody_is_503(session: Session) -> None:
    """
    BDAT without LAST and without an accepted recipient is answered 503, once.
    """
    await session.greet()
    await session.mail()
    await session.check_count(chunk(b"Subject: nobody\r\n\r\n"), 1, "503")
