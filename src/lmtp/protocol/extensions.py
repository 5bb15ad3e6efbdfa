# SPDX-License-Identifier: Apache-2.0
"""
The service extensions: one row each, with its keyword, its parameters, its RFC and what it changes.

A new extension is a new row, plus whatever command or parameter it names. RFC 5321 §2.2, RFC 2033 §5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lmtp.protocol.limits import Limits
from lmtp.protocol.parameters import Parameter, parse_body, parse_size


def _no_argument(_limits: Limits) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """
    A service extension.
    """

    keyword: str
    """What the reply to LHLO lists."""
    rfc: str
    """Where it is defined."""
    summary: str
    """What it changes, in a sentence."""
    argument: Callable[[Limits], str] = _no_argument
    """What stands behind the keyword."""
    mail_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Parameters of MAIL it brings, by keyword in capitals."""

    def line(self, limits: Limits) -> str:
        """
        Return the line of the reply to LHLO.
        """
        return f"{self.keyword} {self.argument(limits)}".rstrip()


EXTENSIONS: Final = (
    Extension(
        keyword="PIPELINING",
        rfc="RFC 2920",
        summary="commands may be sent without waiting for replies; RFC 2033 §5 demands it",
    ),
    Extension(
        keyword="ENHANCEDSTATUSCODES",
        rfc="RFC 2034",
        summary="replies carry an enhanced status code; RFC 2033 §5 demands it",
    ),
    Extension(
        keyword="8BITMIME",
        rfc="RFC 6152",
        summary="contents may have octets above 127, which are kept",
        mail_parameters={"BODY": Parameter("body", parse_body)},
    ),
    Extension(
        keyword="SIZE",
        rfc="RFC 1870",
        summary="the client may say how big the message is and be refused before it sends it",
        argument=lambda limits: str(limits.message_bytes),
        mail_parameters={"SIZE": Parameter("size_bytes", parse_size)},
    ),
    Extension(
        keyword="HELP",
        rfc="RFC 5321 §4.1.1.8",
        summary="the command HELP is there",
    ),
)
"""What our servers offer."""

MAIL_PARAMETERS: Final = {
    keyword: parameter for extension in EXTENSIONS for keyword, parameter in extension.mail_parameters.items()
}
"""The parameters of MAIL that come with them."""
