# SPDX-License-Identifier: Apache-2.0
"""
What may stand behind the path of MAIL and RCPT: ``KEYWORD=VALUE``.

The values as types and one reader for each; which of them a session knows comes from the extensions it offers
(extensions.py). Readers raise ValueError, `parse_parameters` raises `CommandError` with the reply the command gets.
RFC 5321 §4.1.1.11, §4.1.2.
"""

import datetime as dt
import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lmtp.protocol.address import AddressSyntaxError, Mailbox, ReversePath
from lmtp.protocol.grammar import PARAMETER
from lmtp.protocol.reply import BAD_PARAMETER, UNKNOWN_PARAMETER, Reply
from lmtp.protocol.xtext import decode_xtext


class CommandError(Exception):
    """
    A command can't be obeyed.

    Args:
        reply: What the client is told.
        ends_session: What follows on the wire can't be told from commands: the session is closed.
    """

    def __init__(self, reply: Reply, *, ends_session: bool = False) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.ends_session = ends_session


class Body(enum.Enum):
    """
    What kind of octets a content has (RFC 6152 §2, RFC 3030 §3).
    """

    SEVEN_BIT = "7BIT"
    """No octet above 127."""
    EIGHT_BIT = "8BITMIME"
    """Any octets, in lines."""
    BINARY = "BINARYMIME"
    """Any octets at all; only in chunks."""


class Return(enum.Enum):
    """
    How much of the message a report of failure gives back (RFC 3461 §4.3).
    """

    FULL = "FULL"
    """All of it."""
    HEADERS = "HDRS"
    """The header section."""


class Notify(enum.Flag):
    """
    When the sender is told about a recipient (RFC 3461 §4.1).
    """

    NEVER = 0
    """In no case."""
    SUCCESS = enum.auto()
    """When the message has been delivered."""
    FAILURE = enum.auto()
    """When it can't be."""
    DELAY = enum.auto()
    """When it takes long."""


@dataclass(frozen=True, slots=True)
class OriginalRecipient:
    """
    Whom the sender wrote to, before anybody forwarded anything (RFC 3461 §4.2).
    """

    address_type: str
    """The kind of address: ``rfc822`` for mail."""
    address: str
    """The address, decoded."""


class ByMode(enum.Enum):
    """
    What becomes of a message that is late (RFC 2852 §4).
    """

    NOTIFY = "N"
    """It is delivered, and the sender told."""
    RETURN = "R"
    """It is returned."""


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """
    How long a message may take (RFC 2852 §4).
    """

    seconds: int
    """Time left, from the MAIL command on; negative when it is over."""
    mode: ByMode
    """What happens then."""
    wants_trace: bool
    """Each server on the way is asked to tell the sender."""


class WhenUnsure(enum.Enum):
    """
    What a server does that can't honour RRVS (RFC 7293 §3.1).
    """

    REFUSE = "R"
    """It refuses the recipient."""
    CONTINUE = "C"
    """It goes on without."""


@dataclass(frozen=True, slots=True)
class ValidSince:
    """
    The mailbox must have belonged to the same owner ever since (RFC 7293 §3.1).
    """

    moment: dt.datetime
    """Since when, with its time zone."""
    when_unsure: WhenUnsure = WhenUnsure.REFUSE
    """What a later server does that can't tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParameters:
    """
    The parameters of a MAIL command.
    """

    size_bytes: int | None = None
    """What the client says the content's size is (RFC 1870 §6); never relied upon."""
    body: Body | None = None
    """What the client says of the octets (RFC 6152 §2)."""
    is_internationalized: bool = False
    """Addresses and header fields may have UTF-8 (RFC 6531 §3.4)."""
    returned: Return | None = None
    """How much of the message reports of failure give back (RFC 3461 §4.3)."""
    envelope_id: str | None = None
    """What the sender calls this message in reports (RFC 3461 §4.4)."""
    submitter: ReversePath | None = None
    """Who is said to have submitted the message; nobody has checked it (RFC 4954 §5)."""
    deliver_by: DeliverBy | None = None
    """How long the message may take (RFC 2852 §4)."""
    priority: int | None = None
    """From -9 to 9, 0 is ordinary (RFC 6710 §4.1)."""
    requires_tls: bool = False
    """The message may travel under TLS only (RFC 8689 §2)."""
    traceparent: str = ""
    """The trace and the span this message belongs to, as W3C Trace Context writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RcptParameters:
    """
    The parameters of an RCPT command.
    """

    notify: Notify | None = None
    """When the sender wants to be told; None: when the message fails (RFC 3461 §4.1)."""
    original_recipient: OriginalRecipient | None = None
    """Whom the sender wrote to (RFC 3461 §4.2)."""
    valid_since: ValidSince | None = None
    """Since when the mailbox must have had its owner (RFC 7293)."""
    ignores_quota: bool = False
    """The recipient's quota is not to be looked at."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter an extension brings.
    """

    field: str
    """The field of `MailParameters` or `RcptParameters` it sets."""
    parse: Callable[[bytes | None], object]
    """Turn the octets behind the ``=`` into the field's value; raises ValueError."""
    refusal: Reply = BAD_PARAMETER
    """The answer to a bad or repeated value."""


def parse_parameters(octets: bytes, known: Mapping[str, Parameter]) -> dict[str, object]:
    """
    Read everything behind a path.

    Args:
        octets: From the space behind the path to the end of the line.
        known: The parameters on offer, by keyword in capitals.

    Returns:
        Values by field name.

    Raises:
        CommandError: 555 for a parameter nobody offered, 501 for a bad value or one given twice (RFC 5321 §4.1.1.11).
    """
    values: dict[str, object] = {}
    position = 0
    while position < len(octets):
        match = PARAMETER.match(octets, position)
        if match is None:
            raise CommandError(BAD_PARAMETER)
        _add(values, match["keyword"].decode("ascii").upper(), match["value"], known)
        position = match.end()
    return values


def _add(values: dict[str, object], keyword: str, value: bytes | None, known: Mapping[str, Parameter]) -> None:
    parameter = known.get(keyword)
    if parameter is None:
        raise CommandError(UNKNOWN_PARAMETER)
    if parameter.field in values:
        raise CommandError(parameter.refusal)
    try:
        values[parameter.field] = parameter.parse(value)
    except ValueError as error:
        raise CommandError(parameter.refusal) from error


# The readers. Each raises ValueError for what is none of its values.


def parse_flag(value: bytes | None) -> bool:
    """
    Read a parameter that has no value: its presence says it all.
    """
    if value is not None:
        raise ValueError("a value where there is none")
    return True


def parse_size(value: bytes | None) -> int:
    """
    Read the value of SIZE: 1 to 20 digits (RFC 1870 §3).
    """
    if value is None or not value.isdigit() or len(value) > 20:
        raise ValueError("no size")
    return int(value)


def parse_body(value: bytes | None) -> Body:
    """
    Read the value of BODY where contents come in lines (RFC 6152 §2).
    """
    body = parse_any_body(value)
    if body is Body.BINARY:
        raise ValueError("not offered")
    return body


def parse_any_body(value: bytes | None) -> Body:
    """
    Read the value of BODY (RFC 6152 §2, RFC 3030 §3).
    """
    return Body(_ascii(value).upper())


def parse_return(value: bytes | None) -> Return:
    """
    Read the value of RET (RFC 3461 §4.3).
    """
    return Return(_ascii(value).upper())


def parse_envelope_id(value: bytes | None) -> str:
    """
    Read the value of ENVID: printable characters in xtext (RFC 3461 §4.4).
    """
    return _ascii_printable(decode_xtext(value or b""))


def parse_notify(value: bytes | None) -> Notify:
    """
    Read the value of NOTIFY: NEVER, or what else in any order (RFC 3461 §4.1).
    """
    words = _ascii(value).upper().split(",")
    if words == ["NEVER"]:
        return Notify.NEVER
    notify = Notify.NEVER
    for word in words:
        if word == "NEVER" or word not in Notify.__members__:
            raise ValueError(f"no reason to notify: {word}")
        notify |= Notify[word]
    return notify


def parse_original_recipient(value: bytes | None) -> OriginalRecipient:
    r"""
    Read the value of ORCPT: a type, a semicolon and an address in xtext (RFC 3461 §4.2).

    An address of type ``utf-8`` may be in UTF-8, with `\\x{HEX}` for what xtext can't say (RFC 6533 §3).
    """
    address_type, semicolon, address = (value or b"").partition(b";")
    if not semicolon or _ATOM.fullmatch(address_type) is None or not address:
        raise ValueError("no original recipient")
    kind = address_type.decode("ascii")
    if kind.lower() == "utf-8":
        return OriginalRecipient(kind, _printable(_UTF8_HEX.sub(_character, address.decode("utf-8"))))
    return OriginalRecipient(kind, _ascii_printable(decode_xtext(address)))


def parse_submitter(value: bytes | None) -> ReversePath:
    """
    Read the value of AUTH: a mailbox in xtext, or ``<>`` (RFC 4954 §5).
    """
    if value == b"<>":
        return ReversePath()
    text = _ascii_printable(decode_xtext(value or b"", any_case=True))
    try:
        return ReversePath.parse(f"<{text}>".encode("ascii"))
    except AddressSyntaxError:
        return ReversePath(Mailbox(text, ""))  # Cyrus puts the name of a user there, with no domain


def parse_deliver_by(value: bytes | None) -> DeliverBy:
    """
    Read the value of BY: seconds and a mode (RFC 2852 §4); no time at all can't be asked for with ``R``.
    """
    match = _BY.fullmatch(value or b"")
    if match is None:
        raise ValueError("no time to deliver by")
    by = DeliverBy(int(match["seconds"]), ByMode(match["mode"].decode("ascii").upper()), bool(match["trace"]))
    if by.mode is ByMode.RETURN and by.seconds <= 0:
        raise ValueError("it would be late already")
    return by


def parse_priority(value: bytes | None) -> int:
    """
    Read the value of MT-PRIORITY: -9 to 9, without sign or zero that says nothing (RFC 6710 §7).
    """
    match = _PRIORITY.fullmatch(value or b"")
    if match is None:
        raise ValueError("no priority")
    return int(match[0])


def parse_valid_since(value: bytes | None) -> ValidSince:
    """
    Read the value of RRVS: a moment of RFC 3339 without fractions, and perhaps what to do when unsure (RFC 7293 §3.1).
    """
    match = _RRVS.fullmatch(value or b"")
    if match is None:
        raise ValueError("no moment")
    moment = dt.datetime.fromisoformat(match["moment"].decode("ascii").upper())
    return ValidSince(moment, WhenUnsure((match["action"] or b"R").decode("ascii").upper()))


def parse_traceparent(value: bytes | None) -> str:
    """
    Read a traceparent: version, trace, span and flags (W3C Trace Context §3.2); all zeros name nothing.
    """
    match = _TRACEPARENT.fullmatch(value or b"")
    if match is None:
        raise ValueError("no traceparent")
    return match[0].decode("ascii")


_ATOM: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_UTF8_HEX: Final = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_BY: Final = re.compile(rb"(?P<seconds>[+-]?[0-9]{1,9});(?P<mode>[NRnr])(?P<trace>[Tt]?)")
_PRIORITY: Final = re.compile(rb"0|-?[1-9]")
_RRVS: Final = re.compile(
    rb"(?P<moment>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))"
    rb"(?:;(?P<action>[CRcr]))?"
)
_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def _ascii(value: bytes | None) -> str:
    return (value or b"").decode("ascii")


def _ascii_printable(text: str) -> str:
    if not text.isascii():
        raise ValueError("not ASCII")
    return _printable(text)


def _printable(text: str) -> str:
    if not (text and text.isprintable()):  # line ends and half a surrogate pair are not
        raise ValueError("not printable")
    return text


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
