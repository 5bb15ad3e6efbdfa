# SPDX-License-Identifier: Apache-2.0
"""
RFC 2033 §4.1: the greeting, LHLO, and what becomes of HELO and EHLO.
"""

from typing import Final

from lmtp.conformance.model import MUST, SHOULD, Group
from lmtp.conformance.server import Offers
from lmtp.conformance.session import CLIENT_NAME, Session
from lmtp.protocol.address import AddressSyntaxError, parse_domain

GROUP: Final = Group("lhlo", "RFC 2033 §4.1: greeting, LHLO, HELO and EHLO")

_COMMANDS_OF_EXTENSIONS: Final = (
    ("HELP", "HELP"),
    ("EXPN", "EXPN nobody"),
    ("VRFY", "VRFY nobody"),
    ("CHUNKING", "BDAT 0"),
    ("STARTTLS", "STARTTLS now"),
    ("AUTH", "AUTH WIBBLE"),
    ("XCLIENT", "XCLIENT"),
    ("XFORWARD", "XFORWARD"),
)


def _is_server_name(text: bytes) -> bool:
    try:
        return bool(parse_domain(text.split(b" ")[0]))
    except (AddressSyntaxError, UnicodeDecodeError):
        return False


@GROUP.case("LMTP-4.1-11", MUST, "RFC 5321 §4.2")
async def greeting_names_the_server(session: Session) -> None:
    """
    The greeting is 220, then the server's domain or address literal.
    """
    await session.open()
    greeting = session.greeting
    session.check(greeting and _is_server_name(greeting.texts[0]), "220 and a domain or an address literal", greeting)


@GROUP.case("LMTP-4.1-1", MUST, "RFC 2033 §4.1")
async def lhlo_opens_a_session(session: Session) -> None:
    """
    LHLO is answered 250.
    """
    await session.open()
    await session.expect(f"LHLO {CLIENT_NAME}", "250")


@GROUP.case("LMTP-4.1-1b", MUST, "RFC 5321 §4.1.1.1")
async def lhlo_names_the_server(session: Session) -> None:
    """
    The first line of the answer to LHLO begins with the server's domain.
    """
    await session.open()
    reply = await session.given(f"LHLO {CLIENT_NAME}", "250")
    session.check(_is_server_name(reply.texts[0]), "a first line with the server's domain", reply)


@GROUP.case("GR-15", MUST, "RFC 5321 §4.1.1.1")
async def extensions_have_the_form_of_extensions(session: Session) -> None:
    """
    Every further line of the answer to LHLO is a keyword, then its parameters, one space apart.
    """
    await session.open()
    reply = await session.given(f"LHLO {CLIENT_NAME}", "250")
    session.check(not Offers.read(reply).strange_lines, "keywords and parameters", reply)


@GROUP.case("LMTP-4.1-2", MUST, "RFC 2033 §4.1")
async def helo_is_refused(session: Session) -> None:
    """
    HELO is never answered with 2yz.
    """
    await session.open()
    reply = await session.say(f"HELO {CLIENT_NAME}")
    session.check(not reply.is_positive, "anything but 2yz", reply)


@GROUP.case("LMTP-4.1-2b", MUST, "RFC 2033 §4.1")
async def ehlo_is_refused(session: Session) -> None:
    """
    EHLO is never answered with 2yz.
    """
    await session.open()
    reply = await session.say(f"EHLO {CLIENT_NAME}")
    session.check(not reply.is_positive, "anything but 2yz", reply)


async def _is_500(session: Session, verb: str) -> None:
    await session.open()
    reply = await session.say(f"{verb} {CLIENT_NAME}")
    if reply.is_positive:
        raise session.other_case("LMTP-4.1-2", reply)
    session.check_code(reply, "500")


@GROUP.case("LMTP-4.1-3", SHOULD, "RFC 2033 §4.1")
async def helo_is_500(session: Session) -> None:
    """
    HELO is answered 500.
    """
    await _is_500(session, "HELO")


@GROUP.case("LMTP-4.1-3b", SHOULD, "RFC 2033 §4.1")
async def ehlo_is_500(session: Session) -> None:
    """
    EHLO is answered 500.
    """
    await _is_500(session, "EHLO")


@GROUP.case("LMTP-4.1-3c", SHOULD, "RFC 2033 §4.1")
async def lhlo_works_after_ehlo(session: Session) -> None:
    """
    After a refused EHLO the session goes on, and LHLO works.
    """
    await session.open()
    await session.say(f"EHLO {CLIENT_NAME}")
    await session.expect(f"LHLO {CLIENT_NAME}", "250")


@GROUP.case("LMTP-4.1-4", MUST, "RFC 5321 §4.1.4")
async def refused_ehlo_changes_nothing(session: Session) -> None:
    """
    A refused EHLO leaves an open transaction open.
    """
    await session.greet()
    await session.mail()
    reply = await session.say(f"EHLO {CLIENT_NAME}")
    if reply.is_positive:
        raise session.other_case("LMTP-4.1-2b", reply)
    reply = await session.say(f"RCPT TO:<{session.server.some_address}>")
    session.check(reply.code != "503", "anything but 503: the transaction is still open", reply)


@GROUP.case("LMTP-4.1-6", SHOULD, "RFC 5321 §4.1.1.1")
async def lhlo_needs_a_name(session: Session) -> None:
    """
    LHLO without a name is refused.
    """
    await session.open()
    await session.expect("LHLO", "5yz")


@GROUP.case("LMTP-4.1-6b", SHOULD, "RFC 5321 §4.1.1.1")
async def lhlo_without_a_name_is_501(session: Session) -> None:
    """
    LHLO without a name is answered 501.
    """
    await session.open()
    reply = await session.say("LHLO")
    if reply.is_positive:
        raise session.other_case("LMTP-4.1-6", reply)
    session.check_code(reply, "501")


@GROUP.case("LMTP-4.1-6c", MUST, "RFC 5321 §4.1.3")
async def lhlo_takes_an_ipv4_literal(session: Session) -> None:
    """
    LHLO takes an IPv4 address literal.
    """
    await session.open()
    await session.expect("LHLO [192.0.2.1]", "250")


@GROUP.case("LMTP-4.1-6d", MUST, "RFC 5321 §4.1.3")
async def lhlo_takes_an_ipv6_literal(session: Session) -> None:
    """
    LHLO takes an IPv6 address literal.
    """
    await session.open()
    await session.expect("LHLO [IPv6:2001:db8::1]", "250")


@GROUP.case("LMTP-4.1-8", MUST, "RFC 5321 §4.1.4")
async def lhlo_may_come_again(session: Session) -> None:
    """
    A second LHLO is answered 250 with the same extensions.
    """
    offers = await session.greet()
    reply = await session.expect(f"LHLO {CLIENT_NAME}", "250")
    # What stands behind a keyword may differ: Cyrus names each session there.
    session.check(offers.values.keys() == Offers.read(reply).values.keys(), "the same extensions as before", reply)


@GROUP.case("LMTP-4.1-8b", MUST, "RFC 5321 §4.1.4")
async def lhlo_resets(session: Session) -> None:
    """
    LHLO in a transaction ends it, as RSET does.
    """
    await session.greet()
    await session.mail()
    await session.given(f"LHLO {CLIENT_NAME}", "250")
    await session.expect(f"RCPT TO:<{session.server.some_address}>", "503")


@GROUP.case("LMTP-4.1-9", SHOULD, "RFC 5321 §4.1.4")
async def mail_wants_lhlo_first(session: Session) -> None:
    """
    MAIL before LHLO is answered 503.
    """
    await session.open()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}>", "503")


@GROUP.case("LMTP-4.1-9b", MUST, "RFC 5321 §4.1.4")
async def rcpt_before_lhlo_is_503(session: Session) -> None:
    """
    RCPT before LHLO is answered 503.
    """
    await session.open()
    await session.expect(f"RCPT TO:<{session.server.some_address}>", "503")


@GROUP.case("LMTP-4.1-9c", MUST, "RFC 5321 §4.1.4")
async def data_before_lhlo_is_503(session: Session) -> None:
    """
    DATA before LHLO is answered 503.
    """
    await session.open()
    await session.expect("DATA", "503")


@GROUP.case("LMTP-4.1-9d", MUST, "RFC 5321 §4.1.1.5, §4.1.1.9")
async def noop_and_rset_need_no_lhlo(session: Session) -> None:
    """
    NOOP and RSET before LHLO are answered 250.
    """
    await session.open()
    await session.expect("NOOP", "250")
    await session.expect("RSET", "250")


@GROUP.case("LMTP-4.1-9e", SHOULD, "RFC 5321 §4.1.4")
async def vrfy_needs_no_lhlo(session: Session) -> None:
    """
    VRFY before LHLO is not out of order.
    """
    await session.open()
    reply = await session.say("VRFY nobody")
    session.check(reply.code != "503", "anything but 503", reply)


@GROUP.case("LMTP-4.1-10", MUST, "RFC 5321 §4.1.4")
async def lhlo_name_need_not_be_the_peers(session: Session) -> None:
    """
    A name in LHLO that is not the client's own is no reason to refuse.
    """
    await session.open()
    await session.expect("LHLO no-such-host.invalid", "250")
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}>", "2yz")


@GROUP.case("LMTP-4.1-10b", MUST, "RFC 2033 §4.2")
async def client_may_have_the_servers_name(session: Session) -> None:
    """
    Client and server may have the same name: they are parts of one system.
    """
    await session.open()
    if session.greeting is None or not _is_server_name(session.greeting.texts[0]):
        raise session.other_case("LMTP-4.1-11", session.greeting)
    await session.expect(f"LHLO {session.greeting.texts[0].split(b' ')[0].decode()}", "250")


@GROUP.case("GR-8", MUST, "RFC 5321 §4.2.4")
async def what_is_listed_is_implemented(session: Session) -> None:
    """
    No listed extension has a command that is answered 500 or 502.
    """
    offers = await session.greet()
    for keyword, command in _COMMANDS_OF_EXTENSIONS:
        if keyword in offers:
            reply = await session.say(command)
            session.check(not reply.matches("500", "502"), f"{keyword} is there, as it is listed", reply)


async def _is_listed(session: Session, keyword: str, command: str) -> None:
    offers = await session.greet()
    reply = await session.say(command)
    missing = reply.matches("500", "502", "550", "252")
    session.check(missing or keyword in offers, f"{keyword} in the answer to LHLO, as the command works", reply)


@GROUP.case("ST-7", SHOULD, "RFC 5321 §4.1.1.1")
async def help_is_listed(session: Session) -> None:
    """
    HELP is listed when it works.
    """
    await _is_listed(session, "HELP", "HELP")


@GROUP.case("ST-7b", SHOULD, "RFC 5321 §4.1.1.1")
async def expn_is_listed(session: Session) -> None:
    """
    EXPN is listed when it works.
    """
    await _is_listed(session, "EXPN", "EXPN postmaster")
