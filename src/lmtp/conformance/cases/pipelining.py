# SPDX-License-Identifier: Apache-2.0
"""
RFC 2920: commands that come in one segment.
"""

from typing import Final

from lmtp.conformance.cases.data import DOT
from lmtp.conformance.model import MUST, Group
from lmtp.conformance.needs import delivers, offers, unknown, users
from lmtp.conformance.session import CLIENT_NAME, PreconditionError, Session

GROUP: Final = Group("pipelining", "RFC 2920: PIPELINING", (offers("PIPELINING"),))


def _lines(*lines: str) -> bytes:
    return b"".join(line.encode() + b"\r\n" for line in lines)


async def _check_codes(session: Session, octets: bytes, *patterns: str) -> None:
    await session.send(octets)
    for pattern in patterns:
        await session.expect_reply(pattern)


@GROUP.case("PL-6", MUST, "RFC 2920 §3.2")
async def group_is_answered_in_order(session: Session) -> None:
    """
    Commands in one segment are answered one by one and in order.
    """
    await session.greet()
    mail = f"MAIL FROM:<{session.server.setup.sender}>"
    await _check_codes(session, _lines(mail, "WIBBLE", "RSET", "DATA", mail, "NOOP"), *_GROUP_CODES)


_GROUP_CODES: Final = ("2yz", "5yz", "250", "503", "2yz", "250")


@GROUP.case("PL-6b", MUST, "RFC 2920 §3.2", users(1), unknown)
async def transaction_in_one_segment(session: Session) -> None:
    """
    A transaction up to DATA in one segment is answered in order, with a refused RCPT among the others.
    """
    setup, user = session.server.setup, session.users[0]
    await session.greet()
    lines = _lines(
        f"MAIL FROM:<{setup.sender}>", f"RCPT TO:<{user}>", f"RCPT TO:<{setup.unknown}>", f"RCPT TO:<{user}>", "DATA"
    )
    await _check_codes(session, lines, "2yz", "2yz", "5yz", "2yz", "354")


@GROUP.case("T25", MUST, "RFC 2920 §3.2", unknown)
async def refused_group_does_not_hang(session: Session) -> None:
    """
    MAIL, a refused RCPT and DATA in one segment get their three replies.
    """
    setup = session.server.setup
    await session.greet()
    lines = _lines(f"MAIL FROM:<{setup.sender}>", f"RCPT TO:<{setup.unknown}>", "DATA")
    await _check_codes(session, lines, "2yz", "5yz", "503")


@GROUP.case("PL-8", MUST, "RFC 2920 §3.2")
async def failing_command_loses_no_input(session: Session) -> None:
    """
    What follows a failing command in its segment is not thrown away.
    """
    await session.greet()
    await session.send(_lines("WIBBLE", "MAIL FROM:<", "RCPT TO:<>", "NOOP", "RSET"))
    replies = await session.replies_until_quit()
    if any(reply.code == "421" for reply in replies):
        raise PreconditionError("the server ended the session")
    session.check(len(replies) == 5, "5 replies, then 221 for QUIT", "; ".join(map(str, replies)))


@GROUP.case("PL-8b", MUST, "RFC 2920 §3.2")
async def lhlo_loses_no_input(session: Session) -> None:
    """
    What follows LHLO in its segment is not thrown away.
    """
    await session.open()
    await _check_codes(session, _lines(f"LHLO {CLIENT_NAME}", "NOOP", "WIBBLE"), "250", "250", "5yz")


@GROUP.case("PL-7", MUST, "RFC 2920 §3.2")
async def replies_do_not_wait_for_more_input(session: Session) -> None:
    """
    A reply is not held back while half a command is waiting behind it.
    """
    await session.greet()
    await session.send(_lines("RSET") + b"NO")
    await session.expect_reply("250")
    await session.send(b"OP\r\n")
    await session.expect_reply("250")


@GROUP.case("PL-12", MUST, "RFC 2920 §3.2", users(2), delivers)
async def next_transaction_waits_its_turn(session: Session) -> None:
    """
    The next transaction in the segment of the content is answered after all replies to the content.
    """
    await session.content(*session.users[:2])
    following = _lines(f"MAIL FROM:<{session.server.setup.sender}>", "MAIL FROM:<>", "RSET")
    replies = await session.end_content(session.message() + DOT + following)
    codes = [reply.code for reply in replies]
    session.check(len(codes) == 5, "2 replies to the content, then 3 to the commands", ", ".join(codes))
    session.check(codes[3] == "503" and codes[4] == "250", "503 to the second MAIL, 250 to RSET", ", ".join(codes))


@GROUP.case("T60b", MUST, "RFC 2920 §3.2", users(2), delivers)
async def quit_behind_the_content_cuts_nothing_off(session: Session) -> None:
    """
    QUIT in the segment of the content is answered after all replies to the content.
    """
    await session.content(*session.users[:2])
    await session.send(session.message() + DOT + b"QUIT\r\n")
    codes = [reply.code for reply in await session.read_to_end()]
    if "421" in codes:
        raise PreconditionError("the server ended the session")
    session.check(len(codes) == 3 and codes[-1] == "221", "2 replies, then 221", ", ".join(codes))
