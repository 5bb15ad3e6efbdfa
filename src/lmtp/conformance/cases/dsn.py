# SPDX-License-Identifier: Apache-2.0
"""
RFC 3461: the parameters of delivery status notifications.
"""

from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group, Run
from lmtp.conformance.needs import offers, offers_not, users
from lmtp.conformance.session import Session

GROUP: Final = Group("dsn", "RFC 3461: DSN")

_OFFERED: Final = offers("DSN")

_OF_MAIL: Final = (
    ("DS-1", MUST, "RFC 3461 §4.3", "RET=FULL", "2yz"),
    ("DS-1b", MUST, "RFC 3461 §4.3", "ret=hdrs", "2yz"),
    ("DS-1c", MUST, "RFC 3461 §4.4", "ENVID=QQ314159+2B1", "2yz"),
    ("DS-3", MUST, "RFC 3461 §5.1", "RET=WIBBLE", "5yz"),
    ("DS-3b", MUST, "RFC 3461 §4.5, §5.1", "RET=FULL RET=FULL", "5yz"),
    ("DS-3c", MUST, "RFC 3461 §4.5, §5.1", "ENVID=one ENVID=two", "5yz"),
    ("DS-3d", MUST, "RFC 3461 §5.1", "ENVID=a+GG", "5yz"),
    ("DS-2", QUALITY, "RFC 3461 §4", "ENVID=a+2b", "5yz"),
    ("DS-5", MUST, "RFC 3461 §5.4", f"ENVID={'e' * 100} RET=HDRS", "2yz"),
)
_OF_RCPT: Final = (
    ("DS-4", MUST, "RFC 3461 §4.1", "NOTIFY=SUCCESS,FAILURE,DELAY", "2yz"),
    ("DS-4b", MUST, "RFC 3461 §4.1", "notify=never", "2yz"),
    ("DS-4c", MUST, "RFC 3461 §4.2", "ORCPT=rfc822;Bob+20Old@client.example", "2yz"),
    ("DS-3e", SHOULD, "RFC 3461 §5.1", "NOTIFY=NEVER,FAILURE", "5yz"),
    ("DS-3f", SHOULD, "RFC 3461 §5.1", "NOTIFY=WIBBLE", "5yz"),
    ("DS-3g", SHOULD, "RFC 3461 §5.1", "ORCPT=nobody", "5yz"),
    ("DS-5b", MUST, "RFC 3461 §5.4", f"NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{'o' * 493}", "2yz"),
)


def _on_mail(parameters: str, pattern: str) -> Run:
    async def run(session: Session) -> None:
        await session.greet()
        await session.expect(f"MAIL FROM:<{session.server.setup.sender}> {parameters}", pattern)

    return run


def _on_rcpt(parameters: str, pattern: str) -> Run:
    async def run(session: Session) -> None:
        await session.greet()
        await session.mail()
        await session.expect(f"RCPT TO:<{session.users[0]}> {parameters}", pattern)

    return run


def _sentence(verb: str, parameters: str, pattern: str) -> str:
    shown = parameters if len(parameters) < 60 else f"{parameters[:40]}... of {len(parameters)} octets"
    return f"{verb} with {shown} is {'accepted' if pattern == '2yz' else 'refused'}"


for _id, _level, _clause, _parameters, _pattern in _OF_MAIL:
    _made = GROUP.case(_id, _level, _clause, _OFFERED, sentence=_sentence("MAIL", _parameters, _pattern))
    _made(_on_mail(_parameters, _pattern))
for _id, _level, _clause, _parameters, _pattern in _OF_RCPT:
    _made = GROUP.case(_id, _level, _clause, _OFFERED, users(1), sentence=_sentence("RCPT", _parameters, _pattern))
    _made(_on_rcpt(_parameters, _pattern))


@GROUP.case("DS-6", QUALITY, "RFC 5321 §4.1.1.11", offers_not("DSN"))
async def ret_is_refused_when_dsn_is_not_offered(session: Session) -> None:
    """
    MAIL with RET=FULL is refused when DSN is not offered.
    """
    await _on_mail("RET=FULL", "5yz")(session)


@GROUP.case("DS-6b", QUALITY, "RFC 5321 §4.1.1.11", offers_not("DSN"), users(1))
async def notify_is_refused_when_dsn_is_not_offered(session: Session) -> None:
    """
    RCPT with NOTIFY=NEVER is refused when DSN is not offered.
    """
    await _on_rcpt("NOTIFY=NEVER", "5yz")(session)
