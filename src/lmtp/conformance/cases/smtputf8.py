# SPDX-License-Identifier: Apache-2.0
"""
RFC 6531: SMTPUTF8.
"""

from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group
from lmtp.conformance.needs import offers, offers_not
from lmtp.conformance.replies import Fault
from lmtp.conformance.session import Session

GROUP: Final = Group("smtputf8", "RFC 6531: SMTPUTF8")

_OFFERED: Final = offers("SMTPUTF8")


@GROUP.case("U8-1", MUST, "RFC 6531 §3.1", _OFFERED)
async def comes_with_8bitmime(session: Session) -> None:
    """
    A server that offers SMTPUTF8 offers 8BITMIME.
    """
    offers_now = await session.greet()
    session.check("8BITMIME" in offers_now, "8BITMIME beside SMTPUTF8", ", ".join(offers_now.values))


@GROUP.case("U8-2", MUST, "RFC 6531 §3.4", _OFFERED)
async def parameter_is_accepted(session: Session) -> None:
    """
    MAIL with SMTPUTF8 is accepted.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> SMTPUTF8", "2yz")


@GROUP.case("U8-2b", SHOULD, "RFC 6531 §3.4", _OFFERED)
async def parameter_takes_no_value(session: Session) -> None:
    """
    MAIL with SMTPUTF8 and a value is refused.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> SMTPUTF8=yes", "5yz")


async def _check_path(session: Session, path: str) -> None:
    await session.greet()
    reply = await session.say(f"MAIL FROM:<{path}> SMTPUTF8")
    session.check(not reply.matches("50z"), "anything but 50z: the syntax is right", reply)


@GROUP.case("U8-3", MUST, "RFC 6531 §3.3", _OFFERED)
async def local_part_may_be_utf8(session: Session) -> None:
    """
    A local part in UTF-8 is no syntax error after SMTPUTF8.
    """
    await _check_path(session, "jörg@client.example")


@GROUP.case("U8-3b", MUST, "RFC 6531 §3.3", _OFFERED)
async def domain_may_be_utf8(session: Session) -> None:
    """
    A domain with a U-label is no syntax error after SMTPUTF8.
    """
    await _check_path(session, "user@bücher.example")


@GROUP.case("U8-3c", MUST, "RFC 6531 §3.2, §3.3", _OFFERED)
async def quoted_string_may_be_utf8(session: Session) -> None:
    """
    A quoted local part in UTF-8 is no syntax error after SMTPUTF8.
    """
    await _check_path(session, '"jörg"@client.example')


@GROUP.case("U8-3d", SHOULD, "RFC 6531 §3.3", _OFFERED)
async def malformed_utf8_is_refused(session: Session) -> None:
    """
    A path with octets that are no UTF-8 is refused, SMTPUTF8 or not.
    """
    await session.greet()
    await session.send(b"MAIL FROM:<j\xf6rg@client.example> SMTPUTF8\r\n")
    await session.expect_reply("5yz")


@GROUP.case("U8-7", QUALITY, "RFC 6531 §3.4", _OFFERED)
async def utf8_needs_the_parameter(session: Session) -> None:
    """
    A path in UTF-8 without SMTPUTF8 is refused.
    """
    await session.greet()
    await session.expect("MAIL FROM:<jörg@client.example>", "5yz")


@GROUP.case("U8-7b", QUALITY, "RFC 6531 §3.5", _OFFERED)
async def utf8_recipient_without_the_parameter_is_5_6_7(session: Session) -> None:
    """
    A forward-path in UTF-8 without SMTPUTF8 is refused with 553 5.6.7, or for its syntax.
    """
    await session.greet()
    await session.mail()
    await session.expect("RCPT TO:<jörg@client.example>", "553", "550", "501")


@GROUP.case("U8-8", MUST, "RFC 6531 §3.7.4", _OFFERED)
async def replies_stay_ascii(session: Session) -> None:
    """
    The replies to MAIL and RCPT are ASCII, also for paths in UTF-8.
    """
    await session.greet()
    for line in ("MAIL FROM:<jörg@client.example> SMTPUTF8", "RCPT TO:<jörg@client.example>"):
        reply = await session.say(line)
        is_exempt = reply.matches("251", "551")
        session.check(is_exempt or Fault.UNPRINTABLE not in reply.faults, "ASCII", b"".join(reply.lines))


@GROUP.case("U8-2c", SHOULD, "RFC 6531 §3.7.4.2", _OFFERED)
async def vrfy_takes_the_parameter(session: Session) -> None:
    """
    VRFY with SMTPUTF8 is no syntax error.
    """
    await session.greet()
    reply = await session.say("VRFY jörg SMTPUTF8")
    session.check(not reply.matches("501", "504", "555"), "anything but a syntax error", reply)


@GROUP.case("U8-6", QUALITY, "RFC 5321 §4.1.1.11", offers_not("SMTPUTF8"))
async def what_is_not_offered_is_refused(session: Session) -> None:
    """
    MAIL with SMTPUTF8 is refused when it is not offered.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> SMTPUTF8", "5yz")
