# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §4.2: what replies look like, seen on a session that asks for all kinds of them.
"""

from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group, Run
from lmtp.conformance.replies import Fault, WireReply
from lmtp.conformance.session import CLIENT_NAME, Session

GROUP: Final = Group("replies", "RFC 5321 §4.2: the grammar of replies")


async def survey(session: Session) -> list[WireReply]:
    """
    Say a bit of everything and return all replies but those to the greetings.
    """
    sender = session.server.setup.sender
    lines = (
        "NOOP", "RSET", "HELP", "VRFY nobody", "EXPN nobody", "WIBBLE", "RCPT TO:<nobody@client.example>", "DATA",
        f"MAIL FROM:<{sender}> WIBBLE=1", "MAIL FROM:<", f"MAIL FROM:<{sender}>", f"MAIL FROM:<{sender}>",
        f"RCPT TO:<{session.server.some_address}>", "RCPT TO:<nobody@client.example>", "RCPT TO:<>", "RSET", "DATA now",
    )  # fmt: skip
    await session.greet()
    replies = [await session.say(line) for line in lines]
    return [*replies, await session.say("QUIT")]


@GROUP.case("RP-1", MUST, "RFC 5321 §4.2")
async def each_command_gets_one_reply(session: Session) -> None:
    """
    Each command gets exactly one reply.
    """
    await session.greet()
    await session.mail()
    for line in ("NOOP", "RCPT TO:<>", "WIBBLE", "VRFY nobody", "RSET"):
        await session.say(line)
    replies = await session.replies_until_quit()
    session.check(not replies, "221 for QUIT and nothing before it", "; ".join(map(str, replies)))


def _has_none(fault: Fault) -> Run:
    async def run(session: Session) -> None:
        await session.open()
        greeting, lhlo = session.greeting, await session.say(f"LHLO {CLIENT_NAME}")
        await session.close()
        replies = [reply for reply in (greeting, lhlo, *await survey(session)) if reply is not None]
        bad = next((reply for reply in replies if fault in reply.faults), None)
        session.check(bad is None, f"not {fault.value}", b"".join(bad.lines) if bad else "")

    return run


for _id, _level, _clause, _sentence, _fault in (
    (
        "RP-2",
        MUST,
        "RFC 5321 §4.2",
        "Each line of a reply begins with three digits and a space or hyphen",
        Fault.NO_CODE,
    ),
    ("RP-2b", MUST, "RFC 5321 §4.2", "The digits of a code are 2 to 5, 0 to 5, 0 to 9", Fault.BAD_CODE),
    ("RP-4", MUST, "RFC 5321 §4.2.1", "All lines of a reply have the same code", Fault.OTHER_CODE),
    ("RP-4b", SHOULD, "RFC 5321 §4.2", "A space stands behind the code of a last line without text", Fault.NO_SPACE),
    ("RP-5", MUST, "RFC 5321 §4.2", "Replies are printable ASCII", Fault.UNPRINTABLE),
    ("RP-6", SHOULD, "RFC 5321 §4.5.3.1.5", "A reply's line has at most 512 octets", Fault.TOO_LONG),
    ("GR-1d", MUST, "RFC 5321 §2.3.8", "A reply's line ends in CRLF", Fault.LINE_END),
):
    GROUP.case(_id, _level, _clause, sentence=_sentence)(_has_none(_fault))


@GROUP.case("RP-5b", MUST, "RFC 5321 §4.2")
async def what_a_client_wrote_is_not_echoed_raw(session: Session) -> None:
    """
    What a client wrote does not bring other octets into a reply.
    """
    await session.greet()
    for command in (
        b"WIB\xc3\xa9BLE",
        b"VRFY \xe9\x01\x1b[31m",
        b"MAIL FROM:<\xc3\xa9\x07@client.example>",
        b"RCPT TO:\xff",
    ):
        await session.send(command + b"\r\n")
        reply = await session.read()
        session.check(Fault.UNPRINTABLE not in reply.faults, "printable ASCII", b"".join(reply.lines))


@GROUP.case("RP-6b", QUALITY, "RFC 5321 §4.5.3.1.5")
async def long_words_make_no_long_reply(session: Session) -> None:
    """
    A long argument does not make a reply's line longer than 512 octets.
    """
    await session.greet()
    await session.mail()
    for command in (f"RCPT TO:<{'a' * 490}@x>", f"VRFY {'b' * 500}", "W" * 505):
        reply = await session.say(command)
        session.check(Fault.TOO_LONG not in reply.faults, "lines of at most 512 octets", b"".join(reply.lines))
