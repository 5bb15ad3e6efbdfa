# SPDX-License-Identifier: Apache-2.0
"""
RFC 3030: CHUNKING and BINARYMIME, as far as they are the same in LMTP and SMTP.
"""

import asyncio
from typing import Final

from lmtp.conformance import mailboxes
from lmtp.conformance.cases.bdat import chunk
from lmtp.conformance.cases.data import DOT
from lmtp.conformance.model import MUST, QUALITY, Group
from lmtp.conformance.needs import delivers, offers, reads, users
from lmtp.conformance.session import PreconditionError, Session

GROUP: Final = Group("chunking", "RFC 3030: CHUNKING and BINARYMIME", (offers("CHUNKING"),))

_COMMANDS: Final = b"RSET\r\nNOOP\r\nWIBBLE\r\n"
"""Text that would be obeyed if it were taken for commands."""


async def _check_consumed(session: Session, octets: bytes, count: int, *patterns: str) -> None:
    """
    Send refused chunks, which must get so many replies: more of them come from text that was taken for commands.
    """
    await session.send(octets)
    replies = await session.replies_until_quit()
    came = "; ".join(map(str, replies[:6]))
    if any(reply.code == "421" for reply in replies):
        raise PreconditionError(f"the server ended the session: {came}")
    session.check(len(replies) == count, f"exactly {count} replies, then 221 for QUIT", came)
    for reply in replies:
        session.check_code(reply, *patterns)


@GROUP.case("CH-2", MUST, "RFC 3030 §2", users(1), delivers)
async def data_still_works(session: Session) -> None:
    """
    DATA works as ever.
    """
    await session.content(session.users[0])
    await session.check_count(session.message() + DOT, 1)


@GROUP.case("CH-1", MUST, "RFC 3030 §2", users(1), delivers)
async def dots_mean_nothing(session: Session) -> None:
    """
    CRLF.CRLF inside a chunk ends nothing.
    """
    await session.transaction(session.users[0])
    await session.check_count(chunk(session.message(b"one\r\n.\r\nNOOP\r\n"), is_last=True), 1)


@GROUP.case("CH-1b", MUST, "RFC 3030 §2", users(1), reads)
async def dots_are_kept(session: Session) -> None:
    """
    No dot is taken off a line of a chunk.
    """
    body = b".one\r\n..two\r\n.\r\nend\r\n"
    await session.transaction(session.users[0])
    (copy, *_) = await session.delivered(chunk(session.message(body), is_last=True), 1)
    stored = mailboxes.body_of(copy)
    session.check(stored == mailboxes.with_lf(body), "the body as it was sent", stored)


@GROUP.case("CH-1c", MUST, "RFC 5321 §2.4", users(1), delivers)
async def bdat_in_any_case(session: Session) -> None:
    """
    BDAT and LAST may be written in small letters.
    """
    message = session.message()
    await session.transaction(session.users[0])
    await session.check_count(b"bdat %d last\r\n%s" % (len(message), message), 1)


@GROUP.case("CH-3", MUST, "RFC 3030 §2", users(1))
async def each_chunk_is_250(session: Session) -> None:
    """
    Each chunk is answered 250.
    """
    await session.transaction(session.users[0])
    for octets in (b"Subject: x\r\n", b"\r\n", b"text"):
        await session.send(chunk(octets))
        await session.expect_reply("250")


@GROUP.case("CH-4", MUST, "RFC 3030 §2")
async def refused_chunk_is_consumed_outside_a_transaction(session: Session) -> None:
    """
    The octets of a chunk without MAIL are thrown away before the one refusal.
    """
    await session.greet()
    await _check_consumed(session, chunk(_COMMANDS), 1, "5yz")


@GROUP.case("CH-4b", MUST, "RFC 3030 §2")
async def refused_chunk_is_consumed_without_recipients(session: Session) -> None:
    """
    The octets of a chunk without recipients are thrown away before the one refusal.
    """
    await session.greet()
    await session.mail()
    await _check_consumed(session, chunk(_COMMANDS), 1, "5yz", "250")


@GROUP.case("CH-4c", MUST, "RFC 3030 §2")
async def refused_chunk_is_consumed_before_lhlo(session: Session) -> None:
    """
    The octets of a chunk before LHLO are thrown away before the one refusal.
    """
    await session.open()
    await _check_consumed(session, chunk(_COMMANDS), 1, "5yz")


@GROUP.case("CH-4d", QUALITY, "RFC 3030 §2")
async def chunk_with_a_bad_mark_is_consumed(session: Session) -> None:
    """
    The octets of a chunk with another word than LAST are thrown away, or the session ends.
    """
    await session.greet()
    await session.mail()
    await session.send(b"BDAT %d FIRST\r\n%s" % (len(_COMMANDS), _COMMANDS))
    replies = await session.replies_until_quit()
    has_ended = bool(replies) and replies[-1].code == "421"
    came = "; ".join(map(str, replies[:6]))
    session.check(has_ended or len(replies) == 1, "one refusal, then 221 for QUIT, or 421", came)


@GROUP.case("CH-4e", MUST, "RFC 3030 §2")
async def last_chunk_without_mail_is_consumed(session: Session) -> None:
    """
    The octets of a last chunk without MAIL are thrown away.
    """
    await session.greet()
    await session.send(chunk(_COMMANDS, is_last=True))
    replies = await session.replies_until_quit()
    # One refusal, or none by the letter of RFC 2033 §4.3: there is no successful RCPT either.
    session.check(len(replies) <= 1, "one reply or none, then 221 for QUIT", "; ".join(map(str, replies)))


@GROUP.case("CH-5", QUALITY, "RFC 3030 §2")
async def unreadable_size_is_refused(session: Session) -> None:
    """
    BDAT whose size is no number is refused.
    """
    await session.greet()
    await session.mail()
    reply = await session.read_anything("BDAT many LAST")
    session.check(reply.matches("5yz", "421"), "5yz or 421", reply)


@GROUP.case("CH-5b", QUALITY, "RFC 3030 §2")
async def absurd_size_is_refused(session: Session) -> None:
    """
    BDAT with a size of 40 digits is refused.
    """
    await session.greet()
    await session.mail()
    reply = await session.read_anything("BDAT " + "9" * 40)
    session.check(reply.matches("5yz", "421"), "5yz or 421", reply)


@GROUP.case("CH-6", MUST, "RFC 3030 §2")
async def chunks_behind_a_failed_one_are_consumed(session: Session) -> None:
    """
    Chunks in the pipeline behind a refused one are thrown away and refused each.
    """
    await session.greet()
    await _check_consumed(session, chunk(_COMMANDS) * 3, 3, "5yz")


@GROUP.case("CH-8", MUST, "RFC 3030 §2", users(1), delivers)
async def chunk_after_the_last_is_503(session: Session) -> None:
    """
    BDAT after BDAT LAST is answered 503, and its octets are thrown away.
    """
    await session.transaction(session.users[0])
    await session.send(chunk(session.message(), is_last=True))
    await session.read()
    await _check_consumed(session, chunk(_COMMANDS), 1, "503")


@GROUP.case("CH-8b", MUST, "RFC 3030 §2", users(1))
async def data_after_bdat_is_503(session: Session) -> None:
    """
    DATA after BDAT in a transaction is answered 503.
    """
    await session.transaction(session.users[0])
    await session.send(chunk(b"Subject: x\r\n"))
    await session.expect_reply("250")
    await session.expect("DATA", "503")


@GROUP.case("CH-9", MUST, "RFC 3030 §2", users(1))
async def rset_drops_the_chunks(session: Session) -> None:
    """
    RSET between chunks drops them: a new transaction takes DATA.
    """
    await session.transaction(session.users[0])
    await session.send(chunk(b"Subject: x\r\n"))
    await session.expect_reply("250")
    await session.expect("RSET", "250")
    await session.mail()
    await session.expect(f"RCPT TO:<{session.users[0]}>", "2yz")
    await session.expect("DATA", "354")


@GROUP.case("CH-10", MUST, "RFC 3030 §2", users(1))
async def empty_chunk_is_250(session: Session) -> None:
    """
    BDAT 0 without LAST is answered 250.
    """
    await session.transaction(session.users[0])
    await session.expect("BDAT 0", "250")


@GROUP.case("CH-17", MUST, "RFC 3030 §2", users(1), reads)
async def chunks_may_be_cut_anywhere(session: Session) -> None:
    """
    A CRLF cut in two by chunks is one line end.
    """
    message = session.message(b"one\r\ntwo\r\n")
    cut = message.rindex(b"\ntwo")
    await session.transaction(session.users[0])
    await session.send(chunk(message[:cut]))
    await session.expect_reply("250")
    (copy, *_) = await session.delivered(chunk(message[cut:], is_last=True), 1)
    stored = mailboxes.body_of(copy)
    session.check(stored == b"one\ntwo\n", "the body as it was sent", stored)


@GROUP.case("DUP-6b", MUST, "RFC 5321 §4.1.1.10", users(1), reads)
async def lost_connection_delivers_nothing(session: Session) -> None:
    """
    A connection lost in the middle of a last chunk delivers nothing.
    """
    message = session.message(b"half a chunk\r\n")
    await session.transaction(session.users[0])
    await session.send(chunk(message + b"x" * 100, is_last=True)[:-100])
    await session.close()
    await asyncio.sleep(session.server.setup.quiet_seconds)
    session.check(not session.landed(), "nothing delivered", "half a message")


@GROUP.case("CH-11", MUST, "RFC 3030 §3", offers("BINARYMIME"), users(1))
async def binary_and_data_do_not_go_together(session: Session) -> None:
    """
    DATA after BODY=BINARYMIME is answered 503.
    """
    await session.transaction(session.users[0], parameters="BODY=BINARYMIME")
    await session.expect("DATA", "503")


@GROUP.case("CH-12", MUST, "RFC 3030 §3", offers("BINARYMIME"), users(1), reads)
async def binary_content_is_kept(session: Session) -> None:
    """
    All octets of a BINARYMIME content are kept.
    """
    body = bytes(range(256)) + b"\n\r\r\n"
    await session.transaction(session.users[0], parameters="BODY=BINARYMIME")
    (copy, *_) = await session.delivered(chunk(session.message(body), is_last=True), 1)
    session.check(copy.endswith(body), "the body, octet for octet", copy[-len(body) :])
