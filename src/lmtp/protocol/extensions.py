# SPDX-License-Identifier: Apache-2.0
"""
The service extensions: one row each, with its keyword, its commands and parameters, its RFC and what it changes.

A new extension is a new row, plus whatever command or parameter it names. Which rows a session offers is an `Offer`.
RFC 5321 §2.2, RFC 2033 §5.
"""

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lmtp.protocol import parameters as par
from lmtp.protocol import verbs
from lmtp.protocol.commands import Command
from lmtp.protocol.limits import Limits
from lmtp.protocol.parameters import Parameter
from lmtp.protocol.reply import BAD_PRIORITY


class Demand(enum.Flag):
    """
    What a client must have done before it may do anything else.
    """

    NOTHING = 0
    """Nothing."""
    TLS = enum.auto()
    """STARTTLS: until then all but LHLO, NOOP, STARTTLS and QUIT is answered 530 (RFC 3207 §4)."""
    AUTHENTICATION = enum.auto()
    """AUTH: until then MAIL is answered 530 (RFC 4954 §6)."""


STANDARD: Final = frozenset(
    {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SIZE", "CHUNKING", "SMTPUTF8", "LIMITS", "HELP"}
)
"""What every server may offer, whatever stands behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """
    What one session offers, as things stand.
    """

    extensions: frozenset[str] = STANDARD
    """The keywords that are switched on for this client."""
    is_encrypted: bool = False
    """TLS is up."""
    mechanisms: tuple[str, ...] = ()
    """The SASL mechanisms the client may use, best first."""
    demands: Demand = Demand.NOTHING
    """What the client must do first."""


def _no_argument(_offer: Offer, _limits: Limits) -> str | None:
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
    argument: Callable[[Offer, Limits], str | None] = _no_argument
    """What stands behind the keyword; None: not as things stand."""
    needs: frozenset[str] = frozenset()
    """Keywords without which it must not be listed."""
    is_required: bool = False
    """RFC 2033 §5 demands it: it can't be switched off."""
    mail_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Parameters of MAIL it brings, by keyword in capitals."""
    rcpt_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Parameters of RCPT it brings, by keyword in capitals."""
    verbs: Mapping[bytes, Callable[[bytes], Command]] = field(default_factory=dict)
    """Commands it brings, each with the reader of its argument."""

    def line(self, offer: Offer, limits: Limits) -> str | None:
        """
        Return the line of the reply to LHLO, or None when it is not offered.
        """
        if self.keyword not in offer.extensions or not self.needs <= offer.extensions:
            return None
        argument = self.argument(offer, limits)
        return None if argument is None else f"{self.keyword} {argument}".rstrip()


def _limits(_offer: Offer, limits: Limits) -> str:
    mailmax = f"MAILMAX={limits.transactions} " if limits.transactions else ""
    return f"{mailmax}RCPTMAX={limits.recipients}"


EXTENSIONS: Final = (
    Extension(
        keyword="PIPELINING",
        rfc="RFC 2920",
        summary="commands may be sent without waiting for replies; RFC 2033 §5 demands it",
        is_required=True,
    ),
    Extension(
        keyword="ENHANCEDSTATUSCODES",
        rfc="RFC 2034",
        summary="replies carry an enhanced status code; RFC 2033 §5 demands it",
        is_required=True,
    ),
    Extension(
        keyword="8BITMIME",
        rfc="RFC 6152",
        summary="contents may have octets above 127, which are kept",
        mail_parameters={"BODY": Parameter("body", par.parse_body)},
    ),
    Extension(
        keyword="SIZE",
        rfc="RFC 1870",
        summary="the client may say how big the message is and be refused before it sends it",
        argument=lambda _offer, limits: str(limits.message_bytes),
        mail_parameters={"SIZE": Parameter("size_bytes", par.parse_size)},
    ),
    Extension(
        keyword="CHUNKING",
        rfc="RFC 3030",
        summary="the content may come in chunks of a stated size, by the command BDAT",
        verbs={b"BDAT": verbs.read_bdat},
    ),
    Extension(
        keyword="BINARYMIME",
        rfc="RFC 3030",
        summary="contents in chunks may have any octets, line ends or not; for a store that keeps them all",
        needs=frozenset({"CHUNKING", "8BITMIME"}),
        mail_parameters={"BODY": Parameter("body", par.parse_any_body)},
    ),
    Extension(
        keyword="SMTPUTF8",
        rfc="RFC 6531",
        summary="addresses and header fields may have UTF-8",
        needs=frozenset({"8BITMIME"}),
        mail_parameters={"SMTPUTF8": Parameter("is_internationalized", par.parse_flag)},
    ),
    Extension(
        keyword="DSN",
        rfc="RFC 3461",
        summary="the sender says when it wants a report; for a handler that sends them",
        mail_parameters={
            "RET": Parameter("returned", par.parse_return),
            "ENVID": Parameter("envelope_id", par.parse_envelope_id),
        },
        rcpt_parameters={
            "NOTIFY": Parameter("notify", par.parse_notify),
            "ORCPT": Parameter("original_recipient", par.parse_original_recipient),
        },
    ),
    Extension(
        keyword="STARTTLS",
        rfc="RFC 3207",
        summary="what follows is encrypted; offered until it is",
        argument=lambda offer, _limits: None if offer.is_encrypted else "",
        verbs={b"STARTTLS": verbs.read_starttls},
    ),
    Extension(
        keyword="AUTH",
        rfc="RFC 4954",
        summary="the client proves who it is, by one of the mechanisms listed",
        argument=lambda offer, _limits: " ".join(offer.mechanisms) or None,
        mail_parameters={"AUTH": Parameter("submitter", par.parse_submitter)},
        verbs={b"AUTH": verbs.read_auth},
    ),
    Extension(
        keyword="LIMITS",
        rfc="RFC 9422",
        summary="the reply says how many recipients a transaction, and how many transactions a session may have",
        argument=_limits,
    ),
    Extension(
        keyword="DELIVERBY",
        rfc="RFC 2852",
        summary="the client says how long the message may take; for a handler that looks at the time",
        mail_parameters={"BY": Parameter("deliver_by", par.parse_deliver_by)},
    ),
    Extension(
        keyword="MT-PRIORITY",
        rfc="RFC 6710",
        summary="the client says how urgent the message is; for a handler that makes use of it",
        mail_parameters={"MT-PRIORITY": Parameter("priority", par.parse_priority, BAD_PRIORITY)},
    ),
    Extension(
        keyword="RRVS",
        rfc="RFC 7293",
        summary="the client says since when a mailbox must have had its owner; for a directory that knows",
        rcpt_parameters={"RRVS": Parameter("valid_since", par.parse_valid_since)},
    ),
    Extension(
        keyword="REQUIRETLS",
        rfc="RFC 8689",
        summary="the message may travel under TLS only; offered under TLS",
        argument=lambda offer, _limits: "" if offer.is_encrypted else None,
        mail_parameters={"REQUIRETLS": Parameter("requires_tls", par.parse_flag)},
    ),
    Extension(
        keyword="XCLIENT",
        rfc="Postfix",
        summary="a proxy that is trusted says whom it stands for, and the session begins anew",
        argument=lambda _offer, _limits: " ".join(verbs.XCLIENT_ATTRIBUTES),
        verbs={b"XCLIENT": verbs.read_xclient},
    ),
    Extension(
        keyword="XFORWARD",
        rfc="Postfix",
        summary="a content filter that is trusted says where it had the next message from, for the log",
        argument=lambda _offer, _limits: " ".join(verbs.XFORWARD_ATTRIBUTES),
        verbs={b"XFORWARD": verbs.read_xforward},
    ),
    Extension(
        keyword="IGNOREQUOTA",
        rfc="Cyrus",
        summary="a client that is trusted says that a recipient's quota is not to be looked at",
        rcpt_parameters={"IGNOREQUOTA": Parameter("ignores_quota", par.parse_flag)},
    ),
    Extension(
        keyword="TRACE",
        rfc="Cyrus",
        summary="the client says what the log is to call the session besides",
        verbs={b"TRACE": verbs.read_trace},
    ),
    Extension(
        keyword="XTRACEPARENT",
        rfc="W3C Trace Context",
        summary="the client says to which distributed trace a message belongs, for the log",
        mail_parameters={"XTRACEPARENT": Parameter("traceparent", par.parse_traceparent)},
    ),
    Extension(
        keyword="HELP",
        rfc="RFC 5321 §4.1.1.8",
        summary="the command HELP is there",
    ),
)
"""All we know."""

_KEYWORDS: Final = frozenset(extension.keyword for extension in EXTENSIONS)


def check_keywords(keywords: frozenset[str]) -> None:
    """
    Check which extensions somebody wants to switch on.

    Raises:
        ValueError: one is unknown, or one that RFC 2033 §5 demands is missing.
    """
    if unknown := sorted(keywords - _KEYWORDS):
        raise ValueError(f"there is no extension {unknown[0]}")
    required = {extension.keyword for extension in EXTENSIONS if extension.is_required}
    if missing := sorted(required - keywords):
        raise ValueError(f"{missing[0]} can't be switched off: RFC 2033 §5 demands it")


def offered(offer: Offer, limits: Limits) -> Iterator[tuple[Extension, str]]:
    """
    Yield what a session offers, in the order of the table, each with its line of the reply to LHLO.
    """
    for extension in EXTENSIONS:
        if (line := extension.line(offer, limits)) is not None:
            yield extension, line
