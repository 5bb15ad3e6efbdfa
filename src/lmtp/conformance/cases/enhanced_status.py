# SPDX-License-Identifier: Apache-2.0
"""
RFC 2034, RFC 3463: enhanced status codes.
"""

from collections.abc import Iterable
from typing import Final

from lmtp.conformance.cases.data import DOT
from lmtp.conformance.cases.reply_grammar import survey
from lmtp.conformance.model import MUST, QUALITY, Group
from lmtp.conformance.needs import delivers, failing, offers, users
from lmtp.conformance.replies import WireReply
from lmtp.conformance.session import Session

GROUP: Final = Group("enhanced", "RFC 2034: ENHANCEDSTATUSCODES", (offers("ENHANCEDSTATUSCODES"),))


def _check_all(session: Session, replies: Iterable[WireReply]) -> None:
    for reply in replies:
        if reply.matches("2yz", "4yz", "5yz"):
            session.check(not reply.bad_status, "one enhanced status code of the right class on each line", reply)


@GROUP.case("ES-1", MUST, "RFC 2034 §4")
async def every_reply_has_one(session: Session) -> None:
    """
    Each 2yz, 4yz and 5yz begins with an enhanced status code, but for the greeting and the answer to LHLO.
    """
    for reply in await survey(session):
        if reply.matches("2yz", "4yz", "5yz"):
            session.check(any(reply.statuses), "an enhanced status code", reply)


@GROUP.case("ES-2", MUST, "RFC 2034 §4")
async def classes_agree(session: Session) -> None:
    """
    The class of the enhanced status code is the first digit of the code.
    """
    for reply in await survey(session):
        for status in filter(None, reply.statuses):
            session.check(status[:1] == reply.code[:1].encode(), f"{reply.code[:1]}.y.z", reply)


@GROUP.case("ES-3", MUST, "RFC 2034 §4")
async def every_line_has_the_same(session: Session) -> None:
    """
    All lines of a reply have the same enhanced status code.
    """
    for reply in await survey(session):
        if any(reply.statuses):
            session.check(len(set(reply.statuses)) == 1, "the same enhanced status code on each line", reply)


@GROUP.case("ES-4", MUST, "RFC 2034 §4, RFC 3463 §2")
async def numbers_have_up_to_three_digits(session: Session) -> None:
    """
    Subject and detail are numbers of up to three digits without leading zeros.
    """
    for reply in await survey(session):
        for status in filter(None, reply.statuses):
            parts = status.split(b".")[1:]
            is_right = all(len(part) <= 3 and (part == b"0" or not part.startswith(b"0")) for part in parts)
            session.check(is_right, "numbers of up to three digits", status)


@GROUP.case("ES-5", MUST, "RFC 2034 §4", users(1), delivers)
async def replies_to_the_content_have_one(session: Session) -> None:
    """
    The replies to the content have an enhanced status code.
    """
    await session.content(session.users[0], session.users[0])
    _check_all(session, await session.end_content(session.message() + DOT))


@GROUP.case("ES-5b", MUST, "RFC 2034 §4", failing, delivers)
async def refusals_of_the_content_have_one(session: Session) -> None:
    """
    A refusal after the content has an enhanced status code.
    """
    await session.content(session.server.setup.failing)
    _check_all(session, await session.end_content(session.message() + DOT))


@GROUP.case("ES-5c", MUST, "RFC 2034 §4")
async def they_do_not_wait_for_lhlo(session: Session) -> None:
    """
    Replies before LHLO have enhanced status codes too.
    """
    await session.open()
    _check_all(session, [await session.say(line) for line in ("NOOP", "RSET", "WIBBLE", "QUIT")])


@GROUP.case("ES-1b", QUALITY, "RFC 2034 §4", users(1))
async def intermediate_replies_have_none(session: Session) -> None:
    """
    354 has no enhanced status code.
    """
    await session.transaction(session.users[0])
    reply = await session.given("DATA", "354")
    session.check(not any(reply.statuses), "354 without an enhanced status code", reply)


@GROUP.case("ES-6", QUALITY, "RFC 3463 §3.6")
async def out_of_order_is_5_5_1(session: Session) -> None:
    """
    A command out of order gets 5.5.1.
    """
    await session.greet()
    reply = await session.given("DATA", "503")
    session.check(reply.statuses[0] == b"5.5.1", "503 5.5.1", reply)
