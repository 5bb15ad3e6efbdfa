# SPDX-License-Identifier: Apache-2.0
"""
What has gone wrong in real servers, and belongs to no one section of a standard.
"""

from typing import Final

from lmtp.conformance.cases.data import DOT
from lmtp.conformance.model import MUST, QUALITY, Group
from lmtp.conformance.needs import delivers, offers, users
from lmtp.conformance.session import CLIENT_NAME, PreconditionError, Session

GROUP: Final = Group("traps", "Traps real servers have fallen into")


@GROUP.case("T03", QUALITY, "RFC 2033 §4.1")
async def help_names_lhlo(session: Session) -> None:
    """
    HELP names LHLO, and neither EHLO nor HELO.
    """
    await session.greet()
    reply = await session.say("HELP")
    text = b" ".join(reply.texts).upper()
    if not reply.is_positive or b"MAIL" not in text:
        raise session.out_of_scope("HELP lists no commands")
    is_right = b"LHLO" in text and b"EHLO" not in text and b"HELO" not in text
    session.check(is_right, "LHLO among the commands, and neither EHLO nor HELO", reply)


@GROUP.case("T54", QUALITY, "RFC 2033 §4.1")
async def order_of_commands_is_told_in_lmtps_words(session: Session) -> None:
    """
    The refusal of MAIL before LHLO does not tell the client to say EHLO or HELO.
    """
    await session.open()
    reply = await session.given(f"MAIL FROM:<{session.server.setup.sender}>", "5yz")
    text = b" ".join(reply.texts).upper()
    session.check(b"EHLO" not in text and b"HELO" not in text, "LHLO, if a command is named", reply)


@GROUP.case("T57", MUST, "RFC 2033 §4.2", users(1), delivers)
async def broken_mime_gets_its_reply(session: Session) -> None:
    """
    A message with broken MIME, header fields and dates gets its reply.
    """
    broken = (
        b"Subject: =?utf-8?q?=XX?= lmtp check\r\nContent-Type: multipart/mixed; boundary=\r\n: no name\r\n"
        b"no colon\r\nDate: yesterday\r\nMessage-ID: <<>@\r\nTo: ,,;:<\r\n\r\n--\r\n----\r\n"
    )
    await session.content(session.users[0])
    await session.check_count(broken + DOT, 1)


@GROUP.case("T57b", MUST, "RFC 2033 §4.2", users(1), delivers)
async def huge_header_field_gets_its_reply(session: Session) -> None:
    """
    A message with a header field of 100,000 octets gets its reply.
    """
    field = b"X-Huge: " + b" x" * 400 + b"\r\n" + (b"\t" + b"y" * 800 + b"\r\n") * 125
    await session.content(session.users[0])
    await session.check_count(field + session.message() + DOT, 1)


@GROUP.case("T57c", MUST, "RFC 2033 §4.2", users(1), delivers)
async def header_without_body_gets_its_reply(session: Session) -> None:
    """
    A message that ends inside its header section gets its reply.
    """
    await session.content(session.users[0])
    await session.check_count(b"Subject: lmtp check\r\n" + DOT, 1)


@GROUP.case("T46", MUST, "RFC 5321 §4.1.1.11", offers("SIZE"), offers("8BITMIME"))
async def parameters_come_in_any_order(session: Session) -> None:
    """
    Parameters of MAIL are taken in any order.
    """
    await session.greet()
    for parameters in ("SIZE=100 BODY=8BITMIME", "BODY=8BITMIME SIZE=100"):
        await session.expect(f"MAIL FROM:<{session.server.setup.sender}> {parameters}", "2yz")
        await session.expect("RSET", "250")


@GROUP.case("T44", MUST, "RFC 5321 §4.5.5", users(1), delivers)
async def bounces_are_delivered(session: Session) -> None:
    """
    A message with the null reverse-path is accepted.
    """
    await session.greet()
    await session.given("MAIL FROM:<>")
    await session.recipients(session.users[0])
    await session.given("DATA", "354")
    await session.check_count(session.message() + DOT, 1, "2yz")


@GROUP.case("T04", MUST, "RFC 2033 §4.2", users(2), delivers)
async def rset_in_between_confuses_no_count(session: Session) -> None:
    """
    Recipients named before RSET get no reply after the next content.
    """
    await session.transaction(*session.users[:2])
    await session.given("RSET", "250")
    await session.mail()
    await session.recipients(session.users[1])
    await session.given("DATA", "354")
    await session.check_count(session.message() + DOT, 1)


@GROUP.case("T32", MUST, "RFC 5321 §4.1.4", users(2), delivers)
async def lhlo_in_between_confuses_no_count(session: Session) -> None:
    """
    Recipients named before a second LHLO get no reply after the next content.
    """
    await session.transaction(*session.users[:2])
    await session.given(f"LHLO {CLIENT_NAME}", "250")
    await session.mail()
    await session.recipients(session.users[0])
    await session.given("DATA", "354")
    await session.check_count(session.message() + DOT, 1)


@GROUP.case("T24", QUALITY, "RFC 5321 §3.8")
async def bad_lines_end_no_session_silently(session: Session) -> None:
    """
    Binary garbage is answered, or ended with 421, and never with silence.
    """
    await session.open()
    await session.send(bytes(range(256)) + b"\r\n")
    reply = await session.read(is_421_news=False)
    session.check(reply.matches("5yz", "421"), "5yz or 421", reply)


@GROUP.case("T34", MUST, "RFC 5321 §2.3.8", users(1))
async def bare_lf_smuggles_no_recipient(session: Session) -> None:
    """
    MAIL and RCPT whose lines end in bare LF are not obeyed.
    """
    await session.greet()
    await session.send(f"MAIL FROM:<>\nRCPT TO:<{session.users[0]}>\n\r\n".encode())
    replies = await session.replies_until_quit()
    came = "; ".join(map(str, replies))
    if any(reply.code == "421" for reply in replies):
        raise PreconditionError(f"the server ended the session: {came}")
    # One acceptance is lenient with what stands behind a path; two show that the lines were told apart.
    session.check(sum(reply.is_positive for reply in replies) < 2, "one reply, then 221 for QUIT", came)
