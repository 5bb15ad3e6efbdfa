# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §4.1.2, §4.1.3: what paths may look like. Whether anybody lives there is the server's business.
"""

from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group, Run
from lmtp.conformance.needs import unknown, users
from lmtp.conformance.session import Session

GROUP: Final = Group("addresses", "RFC 5321 §4.1.2: paths and mailboxes")

_ODD_LOCAL_PARTS: Final = (
    ("AD-5", '""', "an empty quoted string"),
    ("AD-5b", '"a b"', "a space in quotes"),
    ("AD-5c", '"a\\"b"', "a quoted quote"),
    ("AD-5d", '"a>b"', "a bracket in quotes"),
    ("AD-5e", '"a@b"', "an at sign in quotes"),
    ("AD-5f", "!#$%&'*+-/=?^_`{|}~", "all of atext's punctuation"),
)
_BAD_PATHS: Final = (
    ("AD-8c", "<user@[300.1.1.1]>", "an address literal that is none"),
    ("AD-10", "<a..b@client.example>", "two dots in a row"),
    ("AD-10b", "<.ab@client.example>", "a dot at the beginning"),
    ("AD-10c", "<a b@client.example>", "a space outside quotes"),
    ("AD-10d", "<user@client_example>", "an underscore in the domain"),
    ("AD-10e", "<user@>", "an empty domain"),
    ("AD-10f", "<@client.example>", "an empty local part without quotes"),
)


@GROUP.case("AD-1", MUST, "RFC 5321 §4.5.5")
async def null_reverse_path_is_accepted(session: Session) -> None:
    """
    MAIL FROM:<> is accepted.
    """
    await session.greet()
    await session.expect("MAIL FROM:<>", "2yz")


async def _check_syntax(session: Session, path: str) -> None:
    """
    Demand that a forward-path is not refused for its syntax, and that the session goes on.
    """
    await session.greet()
    await session.mail()
    reply = await session.read_anything(f"RCPT TO:{path}")
    session.check(not reply.matches("421", "50z"), "anything but 50z: the syntax is right", reply)
    await session.check_alive()


@GROUP.case("AD-2", MUST, "RFC 5321 §3.3, §4.1.1.3")
async def source_route_is_recognised(session: Session) -> None:
    """
    A source route is not refused for its syntax.
    """
    await _check_syntax(session, f"<@one.example,@two.example:{session.server.some_address}>")


@GROUP.case("AD-2b", SHOULD, "RFC 5321 §4.1.1.3", users(1))
async def source_route_is_dropped(session: Session) -> None:
    """
    A source route before a known recipient is dropped.
    """
    await session.greet()
    await session.mail()
    await session.expect(f"RCPT TO:<@one.example:{session.users[0]}>", "2yz")


def _quoted(session: Session, backslash: str) -> str:
    local_part, _, domain = session.users[0].rpartition("@")
    return f'"{backslash}{local_part}"@{domain}' if domain else f'"{backslash}{local_part}"'


@GROUP.case("AD-4", SHOULD, "RFC 5321 §4.1.2", users(1))
async def quotes_make_no_difference(session: Session) -> None:
    """
    A local part in quotes it does not need is the same local part.
    """
    await session.greet()
    await session.mail()
    await session.expect(f"RCPT TO:<{_quoted(session, '')}>", "2yz")


@GROUP.case("AD-4b", MUST, "RFC 5321 §4.1.2", users(1))
async def needless_backslash_makes_no_difference(session: Session) -> None:
    """
    A backslash inside quotes before a character that needs none makes no difference.
    """
    await session.greet()
    await session.mail()
    # That all quoted forms are one is a MUST; that the form without quotes is the same as well is not said in so
    # many words, so it is AD-4's to tell whether these two are accepted.
    without = await session.expect(f"RCPT TO:<{_quoted(session, '')}>", "2yz", "5yz")
    same = ("2yz",) if without.is_positive else ("4yz", "5yz")
    await session.expect(f"RCPT TO:<{_quoted(session, chr(92))}>", *same)


@GROUP.case("GR-3", MUST, "RFC 5321 §2.4", users(1))
async def domains_compare_without_case(session: Session) -> None:
    """
    A recipient's domain may be written in capital letters.
    """
    local_part, _, domain = session.users[0].rpartition("@")
    await session.greet()
    await session.mail()
    await session.expect(f"RCPT TO:<{local_part}@{domain.upper()}>", "2yz")


def _odd(local_part: str) -> Run:
    async def run(session: Session) -> None:
        await _check_syntax(session, f"<{local_part}@client.example>")

    return run


for _id, _local_part, _what in _ODD_LOCAL_PARTS:
    # Nobody need live there, and which code says so is left to the server (RFC 5321 §4.3.2 has 550 and 553).
    _sentence = f"A local part with {_what} is no syntax error"
    GROUP.case(_id, SHOULD, "RFC 5321 §4.1.2", sentence=_sentence)(_odd(_local_part))


@GROUP.case("AD-5g", MUST, "RFC 5321 §3.8")
async def odd_local_parts_end_no_session(session: Session) -> None:
    """
    No local part, however odd, ends the session.
    """
    await session.greet()
    await session.mail()
    for _, local_part, _ in _ODD_LOCAL_PARTS:
        await session.say(f"RCPT TO:<{local_part}@client.example>")
    await session.check_alive()


@GROUP.case("AD-6", MUST, "RFC 5321 §4.5.1")
async def postmaster_needs_no_domain(session: Session) -> None:
    """
    RCPT TO:<postmaster> without a domain is no syntax error, in any case spelling.
    """
    await _check_syntax(session, "<PostMaster>")


@GROUP.case("AD-6b", SHOULD, "RFC 5321 §4.5.1")
async def postmaster_is_accepted(session: Session) -> None:
    """
    RCPT TO:<postmaster> is accepted.
    """
    await session.greet()
    await session.mail()
    await session.expect("RCPT TO:<postmaster>", "2yz")


@GROUP.case("AD-8", SHOULD, "RFC 5321 §4.1.3")
async def ipv4_literal_is_recognised(session: Session) -> None:
    """
    An IPv4 address literal in the place of a domain is no syntax error.
    """
    await _check_syntax(session, "<user@[192.0.2.1]>")


@GROUP.case("AD-8b", SHOULD, "RFC 5321 §4.1.3")
async def ipv6_literal_is_recognised(session: Session) -> None:
    """
    An IPv6 address literal in the place of a domain is no syntax error.
    """
    await _check_syntax(session, "<user@[IPv6:2001:db8::1]>")


@GROUP.case("AD-9", SHOULD, "RFC 5321 §3.3, §4.1.1.3")
async def empty_forward_path_is_refused(session: Session) -> None:
    """
    RCPT TO:<> is refused.
    """
    await session.greet()
    await session.mail()
    await session.expect("RCPT TO:<>", "5yz")


def _bad(path: str) -> Run:
    async def run(session: Session) -> None:
        await session.greet()
        await session.mail()
        await session.expect(f"RCPT TO:{path}", "5yz")
        await session.check_alive()

    return run


for _id, _path, _what in _BAD_PATHS:
    GROUP.case(_id, QUALITY, "RFC 5321 §4.1.2", sentence=f"A forward-path with {_what} is refused")(_bad(_path))


@GROUP.case("T47", QUALITY, "RFC 3463 §3.2", unknown)
async def unknown_recipient_is_550(session: Session) -> None:
    """
    A recipient nobody knows is refused with 550 5.1.1, which a client may act upon.
    """
    await session.greet()
    await session.mail()
    reply = await session.expect(f"RCPT TO:<{session.server.setup.unknown}>", "550")
    session.check(reply.statuses[0] == b"5.1.1", "550 5.1.1", reply)
