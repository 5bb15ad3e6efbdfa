# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §2.3.8, §2.4, §4.1.1: lines, verbs, arguments and parameters.
"""

from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group
from lmtp.conformance.needs import offers, users
from lmtp.conformance.session import CLIENT_NAME, Session

GROUP: Final = Group("commands", "RFC 5321 §4.1.1: the grammar of commands")


async def _check_not_obeyed(session: Session, octets: bytes) -> None:
    """
    Demand that a line without its CRLF is not obeyed: a refusal may come at once, an acceptance never.
    """
    await session.open()
    await session.send(octets)
    if not await session.wire.is_quiet(session.server.setup.quiet_seconds):
        reply = await session.read()
        session.check(not reply.is_positive, "no reply, or a refusal: the line has not ended", reply)


@GROUP.case("GR-1", MUST, "RFC 5321 §2.3.8")
async def bare_lf_ends_no_command(session: Session) -> None:
    """
    A bare LF does not end a command.
    """
    await _check_not_obeyed(session, b"NOOP\n")


@GROUP.case("GR-1b", MUST, "RFC 5321 §2.3.8")
async def bare_cr_ends_no_command(session: Session) -> None:
    """
    A bare CR does not end a command.
    """
    await _check_not_obeyed(session, b"NOOP\r")


@GROUP.case("TX-9", MUST, "RFC 5321 §2.3.8")
async def bare_lf_smuggles_no_command(session: Session) -> None:
    """
    What follows a bare LF inside a line is no command of its own.
    """
    await session.open()
    await session.send(b"NOOP first\nNOOP second\r\n")
    replies = await session.replies_until_quit()
    session.check(len(replies) == 1, "one reply, then 221 for QUIT", "; ".join(map(str, replies)))


@GROUP.case("GR-1c", MUST, "RFC 5321 §2.3.8")
async def crlf_may_come_in_two_segments(session: Session) -> None:
    """
    CR and LF of a line may come in two segments.
    """
    await session.open()
    await session.send(b"NOOP\r")
    await session.check_quiet("no reply before LF has come")
    await session.send(b"\n")
    await session.expect_reply("250")


@GROUP.case("GR-2", MUST, "RFC 5321 §2.4")
async def verbs_in_any_case(session: Session) -> None:
    """
    Verbs may be written in small letters.
    """
    await session.open()
    await session.expect(f"lhlo {CLIENT_NAME}", "250")
    await session.expect("nOoP", "250")


@GROUP.case("GR-2b", MUST, "RFC 5321 §2.4")
async def from_and_to_in_any_case(session: Session) -> None:
    """
    MAIL FROM: and RCPT TO: may be written in small letters.
    """
    await session.greet()
    await session.expect(f"mail from:<{session.server.setup.sender}>", "2yz")
    reply = await session.say(f"rcpt to:<{session.server.some_address}>")
    session.check(not reply.matches("50z"), "anything but 50z: this is a forward-path", reply)


@GROUP.case("GR-2c", MUST, "RFC 5321 §2.4", offers("SIZE"))
async def parameters_in_any_case(session: Session) -> None:
    """
    Parameters may be written in small letters.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> size=100", "2yz")


@GROUP.case("GR-4", SHOULD, "RFC 5321 §4.1.1")
async def trailing_space_is_tolerated(session: Session) -> None:
    """
    White space at the end of NOOP and RSET is tolerated.
    """
    await session.open()
    await session.expect("NOOP ", "250")
    await session.expect("RSET ", "250")


@GROUP.case("GR-4b", SHOULD, "RFC 5321 §4.1.1")
async def trailing_space_behind_a_path_is_tolerated(session: Session) -> None:
    """
    White space behind the path of MAIL is tolerated.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> ", "2yz")


@GROUP.case("GR-5", QUALITY, "RFC 5321 §3.3")
async def space_before_a_path_is_refused(session: Session) -> None:
    """
    A space between the colon and the path is refused.
    """
    await session.greet()
    await session.expect(f"MAIL FROM: <{session.server.setup.sender}>", "50z")


@GROUP.case("GR-5b", QUALITY, "RFC 5321 §3.3")
async def path_without_brackets_is_refused(session: Session) -> None:
    """
    A path without its angle brackets is refused.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:{session.server.setup.sender}", "50z")


@GROUP.case("GR-6", SHOULD, "RFC 5321 §4.1.1.5", users(1))
async def data_takes_no_argument(session: Session) -> None:
    """
    DATA with an argument is refused with 501.
    """
    await session.transaction(session.users[0])
    await session.expect("DATA now", "501")


@GROUP.case("GR-6b", SHOULD, "RFC 5321 §4.1.1.5")
async def rset_takes_no_argument(session: Session) -> None:
    """
    RSET with an argument is refused with 501.
    """
    await session.open()
    await session.expect("RSET now", "501")


@GROUP.case("GR-6c", SHOULD, "RFC 5321 §4.1.1.10")
async def quit_takes_no_argument(session: Session) -> None:
    """
    QUIT with an argument is refused with 501.
    """
    await session.open()
    await session.expect("QUIT now", "501")


@GROUP.case("GR-6d", SHOULD, "RFC 5321 §4.1.1.9")
async def noop_ignores_its_argument(session: Session) -> None:
    """
    NOOP with an argument is answered 250.
    """
    await session.open()
    await session.expect("NOOP argument", "250")


@GROUP.case("GR-6e", SHOULD, "RFC 5321 §4.1.1.6")
async def vrfy_needs_an_argument(session: Session) -> None:
    """
    VRFY without an argument is refused.
    """
    await session.open()
    await session.expect("VRFY", "5yz")


@GROUP.case("GR-7", SHOULD, "RFC 5321 §4.2.4")
async def unknown_verb_is_500(session: Session) -> None:
    """
    A verb nobody knows is answered 500.
    """
    await session.open()
    await session.expect("WIBBLE", "500")


@GROUP.case("GR-13", SHOULD, "RFC 5321 §4.1.5")
async def unknown_private_verb_is_500(session: Session) -> None:
    """
    An unknown private verb is answered 500.
    """
    await session.open()
    await session.expect("XWIBBLE", "500")


@GROUP.case("GR-7b", MUST, "RFC 5321 §4.2.4")
async def empty_line_gets_one_reply(session: Session) -> None:
    """
    An empty line is refused, and the session goes on.
    """
    await session.open()
    await session.expect("", "5yz")
    await session.check_alive()


@GROUP.case("GR-9", MUST, "RFC 5321 §3.8")
async def unknown_verbs_do_not_end_the_session(session: Session) -> None:
    """
    Three unknown verbs do not end the session.
    """
    await session.open()
    for verb in ("WIBBLE", "WOBBLE", "WUBBLE"):
        await session.expect(verb, "5yz")
    await session.check_alive()


@GROUP.case("GR-10", MUST, "RFC 5321 §4.1.1.11")
async def unknown_parameter_of_mail_is_refused(session: Session) -> None:
    """
    MAIL with a parameter nobody knows is refused.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> WIBBLE=1", "5yz")


@GROUP.case("GR-10b", SHOULD, "RFC 5321 §4.1.1.11")
async def unknown_parameter_of_mail_is_555(session: Session) -> None:
    """
    MAIL with a parameter nobody knows is answered 555.
    """
    await session.greet()
    reply = await session.say(f"MAIL FROM:<{session.server.setup.sender}> WIBBLE=1")
    if reply.is_positive:
        raise session.other_case("GR-10", reply)
    session.check_code(reply, "555")


@GROUP.case("GR-10c", MUST, "RFC 5321 §4.1.1.11", users(1))
async def unknown_parameter_of_rcpt_is_refused(session: Session) -> None:
    """
    RCPT with a parameter nobody knows is refused.
    """
    await session.greet()
    await session.mail()
    await session.expect(f"RCPT TO:<{session.users[0]}> WIBBLE=1", "5yz")


@GROUP.case("GR-10d", SHOULD, "RFC 1870 §3", offers("SIZE"))
async def repeated_parameter_is_refused(session: Session) -> None:
    """
    MAIL with the same parameter twice is refused.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> SIZE=100 SIZE=200", "5yz")


async def _check_refused(session: Session, path: bytes) -> None:
    await session.greet()
    await session.send(b"MAIL FROM:" + path + b"\r\n")
    await session.expect_reply("5yz")
    await session.check_alive()


# Of octets above 127 §2.4 says SHOULD, of characters that must not be there at all §4.1.2 says MUST.
@GROUP.case("GR-12", SHOULD, "RFC 5321 §2.4")
async def eight_bit_octets_are_refused(session: Session) -> None:
    """
    A path with an octet above 127 is refused when SMTPUTF8 was not asked for.
    """
    await _check_refused(session, b"<us\xe9r@client.example>")


@GROUP.case("GR-12b", MUST, "RFC 5321 §4.1.2")
async def nul_is_refused(session: Session) -> None:
    """
    A path with NUL is refused, and the session goes on.
    """
    await _check_refused(session, b"<us\0er@client.example>")


@GROUP.case("GR-12c", MUST, "RFC 5321 §4.1.2")
async def control_characters_are_refused(session: Session) -> None:
    """
    A path with a control character is refused.
    """
    await _check_refused(session, b"<us\x07er@client.example>")
