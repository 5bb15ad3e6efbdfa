# SPDX-License-Identifier: Apache-2.0
"""
RFC 4954: AUTH, with PLAIN (RFC 4616) as the mechanism every server has.
"""

import base64
from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group
from lmtp.conformance.needs import credentials, nobody_logged_in, not_encrypted, offers, offers_not, offers_word
from lmtp.conformance.session import CLIENT_NAME, PreconditionError, Session
from lmtp.conformance.wire import TcpTarget

GROUP: Final = Group("auth", "RFC 4954: AUTH")

_OFFERED: Final = offers("AUTH")
_PLAIN: Final = (offers_word("AUTH", "PLAIN"), nobody_logged_in)
_WRONG: Final = base64.b64encode(b"\0lmtp-check\0wrong").decode("ascii")


async def _expect_of_plain(session: Session, line: str, code: str) -> None:
    """
    Expect a code, unless PLAIN is offered and then refused as too weak for this connection: that comes first.
    """
    reply = await session.say(line)
    if reply.matches("534", "538"):
        raise PreconditionError(f"the server wants TLS or another mechanism first: {reply}")
    session.check_code(reply, code)


async def _log_in(session: Session) -> None:
    await session.open()
    await session.given(f"LHLO {CLIENT_NAME}", "250")
    await session.send(f"AUTH PLAIN {session.plain_response()}\r\n".encode(), shown=b"AUTH PLAIN [secret]\r\n")
    await session.expect_reply("235")


@GROUP.case("AU-1", MUST, "RFC 4954 §4", credentials)
async def plain_works_with_an_initial_response(session: Session) -> None:
    """
    AUTH PLAIN with the right password in the initial response is answered 235.
    """
    await _log_in(session)


@GROUP.case("AU-1b", MUST, "RFC 4954 §4", credentials)
async def plain_works_without_an_initial_response(session: Session) -> None:
    """
    AUTH PLAIN without an initial response gets an empty 334, then 235 for the right password.
    """
    await session.open()
    await session.given(f"LHLO {CLIENT_NAME}", "250")
    reply = await session.expect("AUTH PLAIN", "334")
    session.check(reply.texts == (b"",), "334 and an empty challenge", reply)
    await session.send(session.plain_response().encode() + b"\r\n", shown=b"[secret]\r\n")
    await session.expect_reply("235")


@GROUP.case("AU-2", MUST, "RFC 4954 §4", credentials)
async def second_auth_is_503(session: Session) -> None:
    """
    AUTH after a successful AUTH is answered 503.
    """
    await _log_in(session)
    await session.expect("AUTH PLAIN", "503")


@GROUP.case("AU-2b", MUST, "RFC 4954 §4", *_PLAIN)
async def auth_in_a_transaction_is_503(session: Session) -> None:
    """
    AUTH in a transaction is answered 503.
    """
    await session.greet()
    await session.mail()
    await _expect_of_plain(session, f"AUTH PLAIN {_WRONG}", "503")


@GROUP.case("AU-2c", SHOULD, "RFC 4954 §4", *_PLAIN)
async def auth_before_lhlo_is_503(session: Session) -> None:
    """
    AUTH before LHLO is answered 503.
    """
    await session.open()
    await _expect_of_plain(session, f"AUTH PLAIN {_WRONG}", "503")


@GROUP.case("AU-3", SHOULD, "RFC 4954 §4", _OFFERED, nobody_logged_in)
async def unknown_mechanism_is_504(session: Session) -> None:
    """
    A mechanism nobody knows is answered 504.
    """
    await session.greet()
    await session.expect("AUTH WIBBLE", "504")


@GROUP.case("AU-4", MUST, "RFC 4954 §4", *_PLAIN)
async def empty_challenge_is_empty(session: Session) -> None:
    """
    The challenge of PLAIN is 334 with nothing behind the space.
    """
    await session.greet()
    reply = await session.given("AUTH PLAIN", "334")
    session.check(reply.texts == (b"",), "334 and an empty challenge", reply)


@GROUP.case("AU-5", MUST, "RFC 4954 §4", *_PLAIN)
async def cancel_is_501(session: Session) -> None:
    """
    An asterisk in the place of a response is answered 501, and the session goes on.
    """
    await session.greet()
    await session.given("AUTH PLAIN", "334")
    await session.expect("*", "501")
    await session.check_alive()


@GROUP.case("AU-6", MUST, "RFC 4954 §4", *_PLAIN)
async def bad_base64_is_501(session: Session) -> None:
    """
    A response that is no base64 is answered 501.
    """
    await session.greet()
    await session.given("AUTH PLAIN", "334")
    await session.expect("not=base64!", "501")


@GROUP.case("AU-6b", MUST, "RFC 4954 §4", *_PLAIN)
async def bad_base64_in_the_initial_response_is_501(session: Session) -> None:
    """
    An initial response that is no base64 is answered 501.
    """
    await session.greet()
    await _expect_of_plain(session, "AUTH PLAIN not=base64!", "501")


@GROUP.case("AU-10", SHOULD, "RFC 4954 §6", *_PLAIN)
async def wrong_password_is_535(session: Session) -> None:
    """
    A wrong password is answered 535, and MAIL is judged as before.
    """
    await session.greet()
    reply = await session.say(f"AUTH PLAIN {_WRONG}")
    if reply.matches("4yz", "534", "538"):
        raise PreconditionError(f"the server would not look at the password: {reply}")
    session.check_code(reply, "535")


@GROUP.case("AU-12", SHOULD, "RFC 4954 §9", *_PLAIN)
async def two_wrong_passwords_do_not_end_the_session(session: Session) -> None:
    """
    Two wrong passwords do not end the session.
    """
    await session.greet()
    await session.given(f"AUTH PLAIN {_WRONG}", "5yz")
    await session.given(f"AUTH PLAIN {_WRONG}", "5yz")
    await session.check_alive()


@GROUP.case("AU-11", QUALITY, "RFC 4954 §4", _OFFERED, not_encrypted)
async def no_passwords_in_clear(session: Session) -> None:
    """
    No password mechanism is offered in clear to other machines.
    """
    target = session.server.setup.target
    if not isinstance(target, TcpTarget) or target.host in {"localhost", "::1"} or target.host.startswith("127."):
        raise session.out_of_scope("the connection does not leave this machine")
    mechanisms = set((await session.greet()).of("AUTH"))
    session.check(not mechanisms & {"PLAIN", "LOGIN"}, "neither PLAIN nor LOGIN before TLS", " ".join(mechanisms))


@GROUP.case("AU-13", MUST, "RFC 4954 §5", _OFFERED)
async def auth_parameter_is_accepted(session: Session) -> None:
    """
    MAIL with AUTH=<> is accepted from anybody.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> AUTH=<>", "2yz")


@GROUP.case("AU-13b", MUST, "RFC 4954 §5", _OFFERED)
async def auth_parameter_takes_xtext(session: Session) -> None:
    """
    MAIL with a mailbox in xtext behind AUTH= is accepted from anybody.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> AUTH=e+3Dmc2@client.example", "2yz")


@GROUP.case("AU-14", QUALITY, "RFC 5321 §4.1.1.11", offers_not("AUTH"))
async def auth_parameter_is_refused_when_it_is_not_offered(session: Session) -> None:
    """
    MAIL with AUTH=<> is refused when AUTH is not offered.
    """
    await session.greet()
    await session.expect(f"MAIL FROM:<{session.server.setup.sender}> AUTH=<>", "5yz")
