# SPDX-License-Identifier: Apache-2.0
"""
RFC 3207: STARTTLS. The certificate is not looked at here: these cases are about the protocol.
"""

import ssl
from typing import Final

from lmtp.conformance.model import MUST, QUALITY, Group
from lmtp.conformance.needs import clear, encrypted, offers_in_clear
from lmtp.conformance.server import Offers
from lmtp.conformance.session import CLIENT_NAME, Session

GROUP: Final = Group("starttls", "RFC 3207: STARTTLS")

_OFFERED: Final = (clear, offers_in_clear("STARTTLS"))


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _lhlo(session: Session) -> Offers:
    return Offers.read(await session.given(f"LHLO {CLIENT_NAME}", "250"))


async def _begin(session: Session) -> None:
    await session.open_in_clear()
    await _lhlo(session)
    await session.expect("STARTTLS", "220")
    await session.start_tls(_context())


@GROUP.case("TL-1", MUST, "RFC 3207 §4", *_OFFERED)
async def starttls_works(session: Session) -> None:
    """
    STARTTLS is answered 220, and LHLO works behind the handshake.
    """
    await _begin(session)
    await session.expect(f"LHLO {CLIENT_NAME}", "250")


@GROUP.case("TL-1b", MUST, "RFC 3207 §4", *_OFFERED)
async def starttls_takes_no_argument(session: Session) -> None:
    """
    STARTTLS with an argument is answered 501.
    """
    await session.open_in_clear()
    await _lhlo(session)
    await session.expect("STARTTLS now", "501")


@GROUP.case("TL-2", MUST, "RFC 3207 §4.2", *_OFFERED)
async def starttls_is_not_offered_again(session: Session) -> None:
    """
    STARTTLS is not offered inside TLS.
    """
    await _begin(session)
    offers = await _lhlo(session)
    session.check("STARTTLS" not in offers, "no STARTTLS in the answer to LHLO", ", ".join(offers.values))


@GROUP.case("TL-2b", MUST, "RFC 3207 §4.2", *_OFFERED)
async def second_starttls_is_refused(session: Session) -> None:
    """
    STARTTLS inside TLS is refused.
    """
    await _begin(session)
    await _lhlo(session)
    await session.expect("STARTTLS", "5yz")


@GROUP.case("TL-2c", MUST, "RFC 3207 §4.2", encrypted)
async def starttls_is_not_offered_in_tls(session: Session) -> None:
    """
    STARTTLS is not offered on a connection that is encrypted already.
    """
    offers = await session.greet()
    session.check("STARTTLS" not in offers, "no STARTTLS in the answer to LHLO", ", ".join(offers.values))


@GROUP.case("TL-3", MUST, "RFC 3207 §4.2", *_OFFERED)
async def lhlo_is_forgotten(session: Session) -> None:
    """
    What the client said before the handshake is forgotten: RCPT is out of order, whatever was open.
    """
    await session.open_in_clear()
    await _lhlo(session)
    # A server without a rule against it may take STARTTLS in a transaction; nothing of that may survive.
    opened = await session.say("MAIL FROM:<>")
    reply = await session.say("STARTTLS")
    if opened.is_positive and not reply.matches("220"):
        await session.given("RSET", "250")
        await session.given("STARTTLS", "220")
    await session.start_tls(_context())
    await session.expect(f"RCPT TO:<{session.server.some_address}>", "503")


@GROUP.case("TL-3b", MUST, "RFC 3207 §4.2", *_OFFERED)
async def no_greeting_behind_the_handshake(session: Session) -> None:
    """
    There is no second greeting behind the handshake.
    """
    await _begin(session)
    await session.check_quiet("nothing before the client speaks")


@GROUP.case("TL-5", MUST, "RFC 3207 §6 (CVE-2011-0411)", *_OFFERED)
async def clear_octets_are_not_obeyed_inside_tls(session: Session) -> None:
    """
    A command that came in clear behind STARTTLS is not answered inside TLS.
    """
    await session.open_in_clear()
    await _lhlo(session)
    await session.send(b"STARTTLS\r\nNOOP injected\r\n")
    reply = await session.read_or_end()
    if reply is None or not reply.matches("220"):
        return
    # One that closes takes it for the attack it is; one that answers in clear has not begun TLS.
    if session.wire.pending or not await session.tls_begins(_context()):
        return
    await session.check_quiet("nothing inside TLS, or the end of the connection", may_end=True)


@GROUP.case("TL-11", QUALITY, "RFC 3207 §4", *_OFFERED)
async def starttls_in_a_transaction_is_503(session: Session) -> None:
    """
    STARTTLS in a transaction is answered 503.
    """
    await session.open_in_clear()
    await _lhlo(session)
    await session.given("MAIL FROM:<>")
    await session.expect("STARTTLS", "503")
