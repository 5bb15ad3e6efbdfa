# SPDX-License-Identifier: Apache-2.0
"""
What may stand behind the path of MAIL and RCPT: ``KEYWORD=VALUE``.

The parameters an engine knows come from the extensions it offers (extensions.py).
Raises `CommandError` with the reply the command gets. RFC 5321 §4.1.1.11, §4.1.2.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lmtp.protocol.grammar import PARAMETER
from lmtp.protocol.reply import BAD_PARAMETER, UNKNOWN_PARAMETER, Reply


class CommandError(Exception):
    """
    A command can't be obeyed.

    Args:
        reply: What the client is told.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Body(enum.Enum):
    """
    What kind of octets a content has (RFC 6152 §2).
    """

    SEVEN_BIT = "7BIT"
    """No octet above 127."""
    EIGHT_BIT = "8BITMIME"
    """Any octets, in lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParameters:
    """
    The parameters of a MAIL command.
    """

    size_bytes: int | None = None
    """What the client says the content's size is (RFC 1870 §6); never relied upon."""
    body: Body | None = None
    """What the client says of the octets (RFC 6152 §2)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter an extension brings.
    """

    field: str
    """The field of `MailParameters` it sets."""
    parse: Callable[[bytes | None], object]
    """Turn the octets behind the ``=`` into the field's value; raises ValueError."""


def parse_size(value: bytes | None) -> int:
    """
    Read the value of SIZE: 1 to 20 digits (RFC 1870 §3).

    Raises:
        ValueError: it is none.
    """
    if value is None or not value.isdigit() or len(value) > 20:
        raise ValueError("no size")
    return int(value)


def parse_body(value: bytes | None) -> Body:
    """
    Read the value of BODY (RFC 6152 §2).

    Raises:
        ValueError: it is none we know.
    """
    return Body((value or b"").decode("ascii").upper())


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
        raise CommandError(BAD_PARAMETER)
    try:
        values[parameter.field] = parameter.parse(value)
    except ValueError as error:
        raise CommandError(BAD_PARAMETER) from error
