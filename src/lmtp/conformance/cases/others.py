# SPDX-License-Identifier: Apache-2.0
"""
Extensions few servers have: LIMITS, MT-PRIORITY, DELIVERBY, RRVS, REQUIRETLS, FUTURERELEASE, XCLIENT, XFORWARD.
"""

import re
from typing import Final

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group, Level, Run
from lmtp.conformance.needs import encrypted, not_encrypted, offers, offers_not, users
from lmtp.conformance.session import Session

LIMITS: Final = Group("limits-ext", "RFC 9422: LIMITS", (offers("LIMITS"),))
OTHERS: Final = Group("others", "Other extensions")

_LIMIT: Final = re.compile(r"[A-Za-z0-9_-]+(?:=[!-:<-~]+)?")
_KNOWN: Final = frozenset({"MAILMAX", "RCPTMAX", "RCPTDOMAINMAX"})
_VALUES: Final[tuple[tuple[str, Level, str, str, str, str], ...]] = (
    ("MP-1", MUST, "RFC 6710 §4.1", "MT-PRIORITY", "MT-PRIORITY=-3", "2yz"),
    ("MP-2", MUST, "RFC 6710 §4.1", "MT-PRIORITY", "MT-PRIORITY=10", "5yz"),
    ("MP-2b", MUST, "RFC 6710 §4.1", "MT-PRIORITY", "MT-PRIORITY=+3", "5yz"),
    ("MP-2c", MUST, "RFC 6710 §4.1", "MT-PRIORITY", "MT-PRIORITY=1 MT-PRIORITY=1", "5yz"),
    ("DB-1", MUST, "RFC 2852 §4", "DELIVERBY", "BY=86400;N", "2yz"),
    ("DB-2", SHOULD, "RFC 2852 §4", "DELIVERBY", "BY=0;R", "5yz"),
    ("DB-2b", MUST, "RFC 2852 §4", "DELIVERBY", "BY=soon", "5yz"),
    ("RT-1b", MUST, "RFC 8689 §2", "REQUIRETLS", "REQUIRETLS", "2yz"),
    ("RT-1c", SHOULD, "RFC 8689 §2", "REQUIRETLS", "REQUIRETLS=yes", "5yz"),
)
_NOT_OFFERED: Final = (
    ("CH-13", "BINARYMIME", "BODY=BINARYMIME"),
    ("MP-4", "MT-PRIORITY", "MT-PRIORITY=3"),
    ("DB-3", "DELIVERBY", "BY=86400;N"),
    ("FR-1b", "FUTURERELEASE", "HOLDFOR=60"),
    ("RT-2", "REQUIRETLS", "REQUIRETLS"),
)


@LIMITS.case("LI-1", MUST, "RFC 9422 §3.1")
async def limits_have_the_form_of_limits(session: Session) -> None:
    """
    Behind LIMITS stand names, with or without a value.
    """
    words = (await session.greet()).of("LIMITS")
    bad = [word for word in words if _LIMIT.fullmatch(word) is None]
    session.check(words and not bad, "NAME=VALUE, NAME=VALUE", " ".join(bad) or "nothing")


@LIMITS.case("LI-2", MUST, "RFC 9422 §4")
async def registered_limits_are_numbers(session: Session) -> None:
    """
    MAILMAX, RCPTMAX and RCPTDOMAINMAX are numbers from 1 to 999999.
    """
    for word in (await session.greet()).of("LIMITS"):
        name, _, value = word.partition("=")
        is_right = name.upper() not in _KNOWN or re.fullmatch("[1-9][0-9]{0,5}", value)
        session.check(is_right, "a number from 1 to 999999", word)


@LIMITS.case("LI-2b", QUALITY, "RFC 9422 §3.1")
async def limits_are_told_once(session: Session) -> None:
    """
    No limit is told twice.
    """
    names = [word.partition("=")[0].upper() for word in (await session.greet()).of("LIMITS")]
    session.check(len(set(names)) == len(names), "each limit once", " ".join(names))


def _mail_with(parameters: str, pattern: str) -> Run:
    async def run(session: Session) -> None:
        await session.greet()
        await session.expect(f"MAIL FROM:<{session.server.setup.sender}> {parameters}", pattern)

    return run


for _id, _level, _clause, _keyword, _parameters, _pattern in _VALUES:
    _sentence = f"MAIL with {_parameters} is {'accepted' if _pattern == '2yz' else 'refused'}"
    OTHERS.case(_id, _level, _clause, offers(_keyword), sentence=_sentence)(_mail_with(_parameters, _pattern))
for _id, _keyword, _parameters in _NOT_OFFERED:
    _sentence = f"MAIL with {_parameters} is refused when {_keyword} is not offered"
    _made = OTHERS.case(_id, QUALITY, "RFC 5321 §4.1.1.11", offers_not(_keyword), sentence=_sentence)
    _made(_mail_with(_parameters, "5yz"))


@OTHERS.case("RT-1", MUST, "RFC 8689 §2", not_encrypted)
async def requiretls_is_not_offered_in_clear(session: Session) -> None:
    """
    REQUIRETLS is not offered outside TLS.
    """
    offered = await session.greet()
    session.check("REQUIRETLS" not in offered, "no REQUIRETLS before TLS", ", ".join(offered.values))


@OTHERS.case("FR-1", MUST, "RFC 4865 §4.2")
async def futurerelease_is_not_offered(session: Session) -> None:
    """
    FUTURERELEASE is not offered: it is for submission alone.
    """
    offered = await session.greet()
    session.check("FUTURERELEASE" not in offered, "no FUTURERELEASE", ", ".join(offered.values))


@OTHERS.case("CH-12b", MUST, "RFC 3030 §3", offers("BINARYMIME"))
async def binarymime_comes_with_chunking(session: Session) -> None:
    """
    A server that offers BINARYMIME offers CHUNKING.
    """
    offered = await session.greet()
    session.check("CHUNKING" in offered, "CHUNKING beside BINARYMIME", ", ".join(offered.values))


@OTHERS.case("RV-1", MUST, "RFC 7293 §3.1", offers("RRVS"), users(1))
async def rrvs_wants_a_date(session: Session) -> None:
    """
    RCPT with RRVS and no date in it is refused.
    """
    await session.greet()
    await session.mail()
    await session.expect(f"RCPT TO:<{session.users[0]}> RRVS=yesterday", "5yz")


@OTHERS.case("XC-3", QUALITY, "XCLIENT of Postfix", offers("XCLIENT"))
async def xclient_in_a_transaction_is_503(session: Session) -> None:
    """
    XCLIENT in a transaction is refused.
    """
    await session.greet()
    await session.mail()
    await session.expect("XCLIENT ADDR=192.0.2.1", "5yz")


@OTHERS.case("XF-1", QUALITY, "XFORWARD of Postfix", offers("XFORWARD"))
async def xforward_in_a_transaction_is_503(session: Session) -> None:
    """
    XFORWARD in a transaction is refused.
    """
    await session.greet()
    await session.mail()
    await session.expect("XFORWARD ADDR=192.0.2.1", "5yz")


@OTHERS.case("IQ-1", QUALITY, "IGNOREQUOTA of Cyrus", offers("IGNOREQUOTA"), users(1))
async def ignorequota_is_accepted(session: Session) -> None:
    """
    RCPT with IGNOREQUOTA is accepted.
    """
    await session.greet()
    await session.mail()
    await session.expect(f"RCPT TO:<{session.users[0]}> IGNOREQUOTA", "2yz")


@OTHERS.case("TL-2d", QUALITY, "RFC 8314 §3", encrypted)
async def tls_is_not_outdated(session: Session) -> None:
    """
    TLS is 1.2 or later.
    """
    await session.greet()
    version = session.wire.tls_version
    session.check(version in {"TLSv1.2", "TLSv1.3"}, "TLSv1.2 or later", version)
