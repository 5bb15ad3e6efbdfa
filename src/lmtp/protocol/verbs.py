# SPDX-License-Identifier: Apache-2.0
"""
How the arguments of commands are read that only an extension brings.

One reader each, named by its row in extensions.py. Raises `CommandError`. RFC 3030, RFC 3207, RFC 4954, and Postfix's
XCLIENT and XFORWARD.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final

from lmtp.protocol import reply
from lmtp.protocol.commands import Auth, Bdat, StartTls, Trace, Xclient, Xforward
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.xtext import decode_xtext

_MAX_ATTRIBUTE: Final = 255
_V6: Final = "IPV6:"
_BDAT: Final = re.compile(rb"(?P<size>[0-9]{1,20})(?P<last> +LAST)?", re.IGNORECASE)
_AUTH: Final = re.compile(rb"(?P<mechanism>[A-Za-z0-9_-]{1,20})(?: +(?P<initial>[^ ]+))?")
_ATTRIBUTE: Final = re.compile(rb"(?P<name>[A-Za-z]+)=(?P<value>[^ ]*)")
_UNKNOWN: Final = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
_PORT: Final = re.compile(r"[0-9]{1,5}")
_TRACE: Final = re.compile(rb"[!-~]{1,128}")
# What trace fields and log lines give a meaning of its own: spaces, brackets, quotes, controls (Postfix, XFORWARD).
_SPECIAL: Final = re.compile(r'[^!-~]|[()<>@,;\\"]')
_IDENTITY_SPECIAL: Final = re.compile(r'[^!-~]|[()<>,;\\"]')


def read_bdat(argument: bytes) -> Bdat:
    """
    Read the size of a chunk, and whether it is the last.

    Raises:
        CommandError: there is no size; what follows can't be told from commands, so the session is over.
    """
    match = _BDAT.fullmatch(argument)
    if match is None:
        raise CommandError(reply.BAD_CHUNK_SIZE, ends_session=True)
    return Bdat(int(match["size"]), match["last"] is not None)


def read_starttls(argument: bytes) -> StartTls:
    """
    Read nothing: STARTTLS has no argument.
    """
    if argument:
        raise CommandError(reply.NO_ARGUMENT_ALLOWED)
    return StartTls()


def read_auth(argument: bytes) -> Auth:
    """
    Read the mechanism, and the initial response as it stands.
    """
    match = _AUTH.fullmatch(argument)
    if match is None:
        raise CommandError(reply.ARGUMENT_REQUIRED if not argument else reply.UNKNOWN_MECHANISM)
    return Auth(match["mechanism"].decode("ascii").upper(), match["initial"])


def read_xclient(argument: bytes) -> Xclient:
    """
    Read the attributes of the client a proxy stands for.
    """
    return Xclient(_attributes(argument, XCLIENT_ATTRIBUTES))


def read_xforward(argument: bytes) -> Xforward:
    """
    Read the attributes of the client a message came from.
    """
    return Xforward(_attributes(argument, XFORWARD_ATTRIBUTES))


def read_trace(argument: bytes) -> Trace:
    """
    Read one printable word.
    """
    if _TRACE.fullmatch(argument) is None:
        raise CommandError(reply.BAD_ATTRIBUTE)
    return Trace(argument.decode("ascii"))


def _attributes(argument: bytes, checks: Mapping[str, Callable[[str], bool]]) -> dict[str, str | None]:
    attributes: dict[str, str | None] = {}
    for word in argument.split():
        match = _ATTRIBUTE.fullmatch(word)
        name = match["name"].decode("ascii").upper() if match else ""
        if match is None or name not in checks:
            raise CommandError(reply.BAD_ATTRIBUTE)
        attributes[name] = _value(match["value"], checks[name])
    if not attributes:
        raise CommandError(reply.ARGUMENT_REQUIRED)
    return attributes


def _value(octets: bytes, is_good: Callable[[str], bool]) -> str | None:
    try:
        text = decode_xtext(octets, any_case=True)
    except ValueError as error:
        raise CommandError(reply.BAD_ATTRIBUTE) from error
    if text.upper() in _UNKNOWN:
        return None
    if len(text) > _MAX_ATTRIBUTE or not is_good(text):
        raise CommandError(reply.BAD_ATTRIBUTE)
    return text


def _is_plain(text: str) -> bool:
    return bool(text) and _SPECIAL.search(text) is None


def _is_login(text: str) -> bool:
    return bool(text) and _IDENTITY_SPECIAL.search(text) is None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(bare_address(text))
    except ValueError:
        return False
    return _is_plain(text)  # the scope of an IPv6 address may be anything, line ends too


def bare_address(text: str) -> str:
    """
    Return an address without the ``IPV6:`` that XCLIENT and XFORWARD write before one of version 6.
    """
    return text[len(_V6) :] if text.upper().startswith(_V6) else text


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None and 0 < int(text) <= 65535


XCLIENT_ATTRIBUTES: Final[Mapping[str, Callable[[str], bool]]] = {
    "NAME": _is_plain,
    "ADDR": _is_address,
    "PORT": _is_port,
    "PROTO": _is_plain,
    "HELO": _is_plain,
    "LOGIN": _is_login,
    "DESTADDR": _is_address,
    "DESTPORT": _is_port,
}
"""The attributes of XCLIENT we understand, each with what its value must be."""
XFORWARD_ATTRIBUTES: Final[Mapping[str, Callable[[str], bool]]] = {
    "NAME": _is_plain,
    "ADDR": _is_address,
    "PORT": _is_port,
    "PROTO": _is_plain,
    "HELO": _is_plain,
    "IDENT": _is_plain,
    "SOURCE": lambda text: text.upper() in ("LOCAL", "REMOTE"),
}
"""The attributes of XFORWARD we understand, each with what its value must be."""
