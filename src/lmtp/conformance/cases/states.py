# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §4.1.4: which command may come when, and what each leaves behind.
"""

import asyncio
from typing import Final

from lmtp.conformance.model import MUST, SHOULD, Group
from lmtp.conformance.needs import users
from lmtp.conformance.session import Session

GROUP: Final = Group("states", "RFC 5321 §4.1.4: the order of commands")


@GROUP.case("ST-1", MUST, "RFC 5321 §4.1.4")
async def second_mail_is_503(session: Session) -> None:
    """
    MAIL in an open transaction is answered 503.
    """
    await session.greet()
    await session.mail()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}>", "503")


@GROUP.case("ST-1b", MUST, "RFC 5321 §4.1.4", users(1))
async def second_mail_changes_nothing(session: Session) -> None:
    """
    A refused second MAIL leaves the recipients as they are.
    """
    await session.transaction(session.users[0])
    await session.given(f"MAIL FROM:<{session.server.setup.sender}>", "5yz")
    await session.expect("DATA", "354")


@GROUP.case("ST-1c", MUST, "RFC 5321 §3.3")
async def rcpt_before_mail_is_503(session: Session) -> None:
    """
    RCPT before MAIL is answered 503.
    """
    await session.greet()
    await session.expect(f"RCPT TO:<{session.server.some_address}>", "503")


@GROUP.case("ST-1d", MUST, "RFC 5321 §3.3")
async def data_before_mail_is_503(session: Session) -> None:
    """
    DATA before MAIL is answered 503.
    """
    await session.greet()
    await session.expect("DATA", "503")


@GROUP.case("ST-3", MUST, "RFC 5321 §4.1.1.5")
async def rset_is_always_250(session: Session) -> None:
    """
    RSET is answered 250 before MAIL, after it, and twice in a row.
    """
    await session.greet()
    await session.expect("RSET", "250")
    await session.mail()
    await session.expect("RSET", "250")
    await session.expect("RSET", "250")


@GROUP.case("ST-3b", MUST, "RFC 5321 §4.1.1.5")
async def rset_ends_the_transaction(session: Session) -> None:
    """
    RSET ends the transaction: RCPT is out of order after it.
    """
    await session.greet()
    await session.mail()
    await session.given("RSET", "250")
    await session.expect(f"RCPT TO:<{session.server.some_address}>", "503")


@GROUP.case("ST-3c", MUST, "RFC 5321 §4.1.1.5", users(1))
async def rset_forgets_the_recipients(session: Session) -> None:
    """
    RSET forgets the recipients: a new transaction has none.
    """
    await session.transaction(session.users[0])
    await session.given("RSET", "250")
    await session.mail()
    await session.expect("DATA", "503")


async def _check_harmless(session: Session, command: str) -> None:
    await session.transaction(session.users[0])
    await session.say(command)
    await session.expect("DATA", "354")


@GROUP.case("ST-4", MUST, "RFC 5321 §4.1.1.9", users(1))
async def noop_changes_nothing(session: Session) -> None:
    """
    NOOP leaves an open transaction alone.
    """
    await _check_harmless(session, "NOOP")


@GROUP.case("ST-4b", MUST, "RFC 5321 §4.1.1.6", users(1))
async def vrfy_changes_nothing(session: Session) -> None:
    """
    VRFY leaves an open transaction alone.
    """
    await _check_harmless(session, "VRFY nobody")


@GROUP.case("ST-4c", MUST, "RFC 5321 §4.1.1.8", users(1))
async def help_changes_nothing(session: Session) -> None:
    """
    HELP leaves an open transaction alone.
    """
    await _check_harmless(session, "HELP")


@GROUP.case("ST-4d", MUST, "RFC 5321 §4.1.1.7", users(1))
async def expn_changes_nothing(session: Session) -> None:
    """
    EXPN leaves an open transaction alone.
    """
    await _check_harmless(session, "EXPN nobody")


@GROUP.case("ST-4e", MUST, "RFC 5321 §4.1.4", users(1))
async def unknown_command_changes_nothing(session: Session) -> None:
    """
    An unknown command leaves an open transaction alone.
    """
    await _check_harmless(session, "WIBBLE")


@GROUP.case("ST-5", MUST, "RFC 5321 §3.5.3, §7.3")
async def vrfy_confirms_nobody_unseen(session: Session) -> None:
    """
    VRFY of a made-up address is not answered 250 where mail for it is refused.
    """
    address = f"{session.token.decode()}@client.example"
    await session.greet()
    reply = await session.say(f"VRFY {address}")
    if reply.code == "250":
        await session.mail()
        if not (await session.say(f"RCPT TO:<{address}>")).matches("5yz"):
            raise session.out_of_scope("it may take mail for whoever is made up")
    session.check(reply.code != "250", "252, or a refusal: nobody lives there", reply)


@GROUP.case("ST-6", MUST, "RFC 5321 §4.5.1, §3.5.3")
async def vrfy_is_implemented(session: Session) -> None:
    """
    VRFY is implemented: 500 and 502 are not in full compliance.
    """
    await session.greet()
    reply = await session.say(f"VRFY {session.server.some_address}")
    session.check(not reply.matches("500", "502"), "250, 252 or 55z", reply)


@GROUP.case("ST-8", MUST, "RFC 5321 §4.1.1.10")
async def quit_is_221_and_the_end(session: Session) -> None:
    """
    QUIT is answered 221, then the server closes.
    """
    await session.greet()
    await session.expect("QUIT", "221")
    session.check(not await session.read_to_end(), "the end of the connection", "more replies")


@GROUP.case("ST-8b", MUST, "RFC 5321 §4.1.1.10")
async def quit_works_in_a_transaction(session: Session) -> None:
    """
    QUIT in an open transaction is answered 221, then the server closes.
    """
    await session.greet()
    await session.mail()
    await session.expect("QUIT", "221")
    session.check(not await session.read_to_end(), "the end of the connection", "more replies")


@GROUP.case("ST-8c", MUST, "RFC 5321 §4.1.1.10")
async def quit_works_before_lhlo(session: Session) -> None:
    """
    QUIT before LHLO is answered 221.
    """
    await session.open()
    await session.expect("QUIT", "221")


@GROUP.case("ST-11", SHOULD, "RFC 5321 §4.5.4.2")
async def two_clients_are_served_at_once(session: Session) -> None:
    """
    Two connections are served at the same time.
    """
    await session.greet()
    await session.mail()
    other = await session.another()
    await other.greet()
    await asyncio.gather(session.expect("RSET", "250"), other.expect("RSET", "250"))


@GROUP.case("ST-11b", MUST, "RFC 5321 §4.1.4")
async def several_transactions_on_a_connection(session: Session) -> None:
    """
    A connection takes one transaction after the other.
    """
    await session.greet()
    for _ in range(3):
        await session.expect(f"MAIL FROM:<{session.server.setup.sender}>", "2yz")
        await session.expect("RSET", "250")


@GROUP.case("ST-12", SHOULD, "RFC 5321 §4.1.1.5, §4.1.1.10")
async def end_of_input_ends_the_session(session: Session) -> None:
    """
    When the client closes without QUIT, the server closes too.
    """
    if session.server.is_encrypted:
        raise session.out_of_scope("with TLS a side can't be closed alone")
    await session.greet()
    await session.mail()
    session.wire.end_sending()
    await session.read_to_end()


@GROUP.case("SD-5", MUST, "RFC 5321 §3.8")
async def closes_after_421_alone(session: Session) -> None:
    """
    A server that has enough of bad commands says 421 before it closes, and nothing after it.
    """
    await session.greet()
    await session.send(b"WIBBLE\r\n" * 60)
    for _ in range(60):
        reply = await session.read(is_421_news=False)
        if reply.code == "421":
            session.check(not await session.read_to_end(), "the end of the connection", "more replies")
            return
        session.check_code(reply, "5yz")
