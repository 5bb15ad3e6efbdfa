# SPDX-License-Identifier: Apache-2.0
"""
xtext: octets in the value of a parameter, those that may not stand there as ``+`` and two hexadecimal digits.

Pure; used by the parameters of DSN and AUTH and by XCLIENT and XFORWARD. Raises ValueError. RFC 3461 §4.
"""

import re
from typing import Final

# xchar = any octet from "!" to "~" except "+" and "="; hexchar = "+" and two digits, in capitals
_XTEXT: Final = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_XTEXT_ANY_CASE: Final = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*")
_HEXCHAR: Final = re.compile(rb"\+(..)")
_NO_XCHAR: Final = re.compile(rb"[^!-*,-<>-~]")


def decode_xtext(octets: bytes, *, any_case: bool = False) -> str:
    """
    Read xtext.

    Args:
        octets: As they stood behind the ``=``.
        any_case: Digits may be small too, as RFC 4954 §8 has it and RFC 3461 has not.

    Raises:
        ValueError: it is no xtext, or no UTF-8 after decoding.
    """
    if (_XTEXT_ANY_CASE if any_case else _XTEXT).fullmatch(octets) is None:
        raise ValueError("no xtext")
    return _HEXCHAR.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), octets).decode("utf-8")


def encode_xtext(text: str) -> bytes:
    """
    Write text as xtext.
    """
    return _NO_XCHAR.sub(lambda match: b"+%02X" % match[0][0], text.encode("utf-8"))
