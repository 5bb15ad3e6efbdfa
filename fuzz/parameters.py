# SPDX-License-Identifier: Apache-2.0
"""
The parameters of MAIL and RCPT and the arguments of commands, for any octets: values without line ends, or a refusal.

The first octet chooses what is read. Raises AssertionError when that does not hold. Called by run.py, and by the tests.
RFC 5321 §4.1.1.11, RFC 3461 §4, RFC 4954 §5.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from lmtp.protocol.extensions import EXTENSIONS
from lmtp.protocol.parameters import CommandError, MailParameters, RcptParameters, parse_parameters
from lmtp.protocol.xtext import decode_xtext, encode_xtext

DICTIONARY: Final = "lmtp.dict"
"""The words of the protocol."""
LONGEST: Final = 600
"""More than a value of each kind."""

_MAIL: Final = {keyword: row for extension in EXTENSIONS for keyword, row in extension.mail_parameters.items()}
_RCPT: Final = {keyword: row for extension in EXTENSIONS for keyword, row in extension.rcpt_parameters.items()}
_VERBS: Final = [read for extension in EXTENSIONS for read in extension.verbs.values()]
_REFUSALS: Final = (501, 504, 555)


def check(octets: bytes) -> None:
    """
    Read what stands behind the first octet.
    """
    choice, octets = octets[:1], octets[1:]
    readers: list[Callable[[bytes], object]] = [_mail, _rcpt, _xtext, *_VERBS]
    read = readers[int.from_bytes(choice) % len(readers)]
    try:
        value = read(octets)
    except CommandError as error:
        _check_refusal(error.reply.code)
    else:
        _check_value(value)


def _check_refusal(code: int) -> None:
    assert code in _REFUSALS, code


def _mail(octets: bytes) -> object:
    return MailParameters(**parse_parameters(octets, _MAIL))  # type: ignore[arg-type] # each row names its field


def _rcpt(octets: bytes) -> object:
    return RcptParameters(**parse_parameters(octets, _RCPT))  # type: ignore[arg-type] # each row names its field


def _xtext(octets: bytes) -> None:
    try:
        text = decode_xtext(octets, any_case=True)
    except ValueError:
        return
    assert text == decode_xtext(encode_xtext(text)), text


def _check_value(value: object) -> None:
    """
    See that no text in it could end a line of a log or a trace field.
    """
    if isinstance(value, str):
        assert value.isprintable(), value
    elif isinstance(value, Mapping):
        for inner in value.values():
            _check_value(inner)
    elif is_dataclass(value):
        for field in fields(value):
            _check_value(getattr(value, field.name))


def seeds() -> Iterator[bytes]:
    """
    Make a value of each kind.
    """
    yield b"\0 SIZE=100 BODY=BINARYMIME SMTPUTF8 REQUIRETLS MT-PRIORITY=-9 BY=+120;NT"
    yield b"\0 RET=FULL ENVID=QQ+20314159 AUTH=ann+40example.org BY=1;R"
    yield b"\0 AUTH=<> XTRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    yield b"\1 NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;ann+2Bx@example.org RRVS=2014-04-03T23:01:00Z;C IGNOREQUOTA"
    yield "\1 ORCPT=utf-8;jörg\\x{2B}@example.org NOTIFY=NEVER RRVS=2014-04-03T23:01:00+02:00".encode()
    yield b"\2a+20b+2Bc+3Dd"
    arguments = {
        b"BDAT": b"100 LAST",
        b"STARTTLS": b"",
        b"AUTH": b"SCRAM-SHA-256 biwsbj11c2Vy",
        b"XCLIENT": b"NAME=mx.example ADDR=IPV6:2001:db8::1 PORT=25 PROTO=LMTP HELO=[TEMPUNAVAIL] LOGIN=ann@example",
        b"XFORWARD": b"NAME=[UNAVAILABLE] ADDR=192.0.2.1 IDENT=4F2a SOURCE=LOCAL",
        b"TRACE": b"4F2a-1",
    }
    verbs = [verb for extension in EXTENSIONS for verb in extension.verbs]
    yield from (bytes([3 + verbs.index(verb)]) + argument for verb, argument in arguments.items())
