# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §4.5.3.1: how much every server takes, and what becomes of more.
"""

from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group
from lmtp.conformance.needs import users
from lmtp.conformance.session import PreconditionError, Session

GROUP: Final = Group("limits", "RFC 5321 §4.5.3.1: sizes and numbers")

MANY_RECIPIENTS: Final = 1100
"""RCPTs we send at most to meet a limit."""


async def _check_path(session: Session, path: str) -> None:
    await session.greet()
    reply = await session.say(f"MAIL FROM:<{path}>")
    session.check(not reply.matches("50z"), "anything but 50z: it is not too long", reply)


@GROUP.case("SZ-1", MUST, "RFC 5321 §4.5.3.1.1")
async def local_part_of_64_octets(session: Session) -> None:
    """
    A local part of 64 octets is not too long.
    """
    await _check_path(session, f"{'a' * 64}@client.example")


@GROUP.case("SZ-2", MUST, "RFC 5321 §4.5.3.1.2, §4.5.3.1.3")
async def path_of_256_octets(session: Session) -> None:
    """
    A path of 256 octets, nearly all of them its domain, is not too long.
    """
    domain = ".".join(["d" * 62] * 4)
    await _check_path(session, f"ab@{domain}"[:254])


@GROUP.case("SZ-4", MUST, "RFC 5321 §4.5.3.1.4")
async def command_line_of_512_octets(session: Session) -> None:
    """
    A command line of 512 octets is not too long.
    """
    await session.open()
    reply = await session.say("NOOP x")
    if reply.code != "250":
        raise session.other_case("GR-6d", reply)
    await session.expect("NOOP " + "x" * 505, "250")


@GROUP.case("SZ-9", MUST, "RFC 5321 §2.3.8, §4.2")
async def endless_line_gets_one_reply(session: Session) -> None:
    """
    A line of 20,000 octets gets one reply at most: its rest is not taken for commands.
    """
    await session.open()
    await session.send(b"NOOP " + b"x" * 20_000 + b"\r\n")
    replies = await session.replies_until_quit()
    if any(reply.code == "421" for reply in replies):
        return
    # Closing without a word may be defence (RFC 5321 §7.8), and is SZ-9b's and SZ-9c's to tell.
    session.check(len(replies) <= 1, "one reply, then 221 for QUIT", "; ".join(map(str, replies)))


@GROUP.case("SZ-9b", SHOULD, "RFC 5321 §4.5.3.1.9")
async def endless_line_is_500(session: Session) -> None:
    """
    A line of 20,000 octets is answered 500, unless it is taken.
    """
    await session.open()
    await session.expect("NOOP " + "x" * 20_000, "500", "2yz")


@GROUP.case("SZ-9c", QUALITY, "RFC 5321 §4.5.3.1.9")
async def session_goes_on_after_a_long_line(session: Session) -> None:
    """
    The session goes on after a line of 20,000 octets.
    """
    await session.open()
    reply = await session.read_anything("NOOP " + "x" * 20_000)
    session.check(reply.code != "421", "anything but 421", reply)
    await session.check_alive()


def _recipient_limit(session: Session) -> int:
    words = (word.partition("=") for word in session.server.offers.of("LIMITS"))
    return next((int(value) for name, _, value in words if name.upper() == "RCPTMAX" and value.isdigit()), 0)


@GROUP.case("SZ-8", MUST, "RFC 5321 §4.5.3.1.8", users(1))
async def hundred_recipients(session: Session) -> None:
    """
    A transaction takes 100 recipients, unless LIMITS says fewer.
    """
    count = min(100, _recipient_limit(session) or 100)
    await session.greet()
    await session.mail()
    await session.send(
        b"".join(b"RCPT TO:<%s>\r\n" % session.users[i % len(session.users)].encode() for i in range(count))
    )
    for number in range(count):
        reply = await session.read()
        session.check(not reply.matches("452", "552"), f"{count} recipients", f"{number}, then {reply}")
        if not reply.is_positive:
            raise PreconditionError(f"recipient {number + 1} was answered {reply}")


@GROUP.case("SZ-10", MUST, "RFC 5321 §4.5.3.1.10", users(1))
async def surplus_recipients_spoil_nothing(session: Session) -> None:
    """
    When there are too many recipients, those accepted before stay valid and DATA works.
    """
    await session.greet()
    await session.mail()
    rcpt = b"RCPT TO:<%s>\r\n" % session.users[0].encode()
    for _ in range(MANY_RECIPIENTS // 100):
        await session.send(rcpt * 100)
        replies = [await session.read() for _ in range(100)]
        if not replies[-1].is_positive:
            session.check(replies[-1].matches("4yz", "5yz"), "452", replies[-1])
            await session.expect("DATA", "354")
            return
    raise session.out_of_scope(f"it takes {MANY_RECIPIENTS} recipients and more")


@GROUP.case("SZ-10b", MUST, "RFC 5321 §4.5.3.1.10", users(1))
async def surplus_recipients_are_452(session: Session) -> None:
    """
    Too many recipients are answered 452.
    """
    await session.greet()
    await session.mail()
    rcpt = b"RCPT TO:<%s>\r\n" % session.users[0].encode()
    for _ in range(MANY_RECIPIENTS // 100):
        await session.send(rcpt * 100)
        replies = [await session.read() for _ in range(100)]
        if not replies[-1].is_positive:
            # A policy of the site may say 5yz (RFC 5321 §4.5.3.1.10); 552 was the old code for this very case.
            session.check_code(replies[-1], "452", "550", "554")
            return
    raise session.out_of_scope(f"it takes {MANY_RECIPIENTS} recipients and more")
