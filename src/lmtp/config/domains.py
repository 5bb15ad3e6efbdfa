# SPDX-License-Identifier: Apache-2.0
"""
Domains as people write them, made into what the protocol carries.

The only module that knows idna. Raises ValueError with words for people. RFC 5890 §2.3.2.1, RFC 6531 §3.7.1.
"""

import idna

from lmtp.protocol.address import parse_domain


def ascii_domain(text: str) -> str:
    """
    Return a domain in its A-label form, an address literal as it is, and nothing as nothing.

    Raises:
        ValueError: it is neither.
    """
    try:
        octets = text.encode("ascii") if text.isascii() else idna.encode(text, uts46=True)
        return parse_domain(octets)
    except ValueError:  # idna's own errors are UnicodeErrors, and those ValueErrors
        raise ValueError(f"expected a domain or an address literal, not {text!r}") from None
