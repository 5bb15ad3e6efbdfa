# SPDX-License-Identifier: Apache-2.0
"""
Domains as people write them, made into what the protocol carries.

The only module that knows idna. Raises ValueError with words for people. RFC 5890 §2.3.2.1, RFC 6531 §3.7.1.
"""

import contextlib
import functools

import idna

from lmtp.protocol.address import parse_domain


@functools.lru_cache(maxsize=1024)
def domain_key(domain: str) -> str:
    """
    Return what two spellings of one domain have in common: its A-label form in lower case (RFC 5890 §2.3.2.1).

    A domain that has none, which then is nobody's, is returned in lower case.
    """
    if not domain.isascii():
        with contextlib.suppress(UnicodeError):
            return idna.encode(domain, uts46=True).decode("ascii").lower()
    return domain.lower()


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
