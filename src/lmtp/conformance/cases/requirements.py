# SPDX-License-Identifier: Apache-2.0
"""
RFC 2033 §5: the extensions every LMTP server has.
"""

from typing import Final

from lmtp.conformance.model import MUST, SHOULD, Group
from lmtp.conformance.session import Session

GROUP: Final = Group("requirements", "RFC 2033 §5: what every LMTP server implements")


async def _is_offered(session: Session, keyword: str) -> None:
    offers = await session.greet()
    session.check(keyword in offers, f"{keyword} in the answer to LHLO", ", ".join(offers.values) or "no extension")


@GROUP.case("LMTP-5-2", MUST, "RFC 2033 §5")
async def pipelining_is_offered(session: Session) -> None:
    """
    PIPELINING is offered.
    """
    await _is_offered(session, "PIPELINING")


@GROUP.case("LMTP-5-3", MUST, "RFC 2033 §5")
async def enhanced_status_codes_are_offered(session: Session) -> None:
    """
    ENHANCEDSTATUSCODES is offered.
    """
    await _is_offered(session, "ENHANCEDSTATUSCODES")


@GROUP.case("LMTP-5-4", SHOULD, "RFC 2033 §5")
async def eight_bit_mime_is_offered(session: Session) -> None:
    """
    8BITMIME is offered.
    """
    await _is_offered(session, "8BITMIME")
