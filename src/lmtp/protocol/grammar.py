# SPDX-License-Identifier: Apache-2.0
"""
The ABNF of RFC 5321 §4.1.2 and §4.1.3 as regular expressions over octets, each under its production.

Octets above 127 are let through where RFC 6531 §3.3 lets UTF-8 stand; that they are UTF-8, and that it was asked for,
is checked where they are decoded. Only parts and whole patterns; what they mean is decided in address.py, commands.py
and parameters.py.
Every repetition is deterministic, so matching is linear in the length of the line whatever the peer sends.
"""

import re
from typing import Final

# Atom = 1*atext (RFC 5322 §3.2.3); Dot-string = Atom *("." Atom)
_ATOM: Final = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
_DOT_STRING: Final = rb"%s(?:\.%s)*" % (_ATOM, _ATOM)

# Quoted-string = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE; it may be empty
_QUOTED_STRING: Final = rb'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"'

# Local-part = Dot-string / Quoted-string
_LOCAL_PART: Final = rb"(?:%s|%s)" % (_DOT_STRING, _QUOTED_STRING)

# sub-domain = Let-dig [Ldh-str] / U-label; Domain = sub-domain *("." sub-domain)
_SUB_DOMAIN: Final = rb"[A-Za-z0-9\x80-\xff]+(?:-+[A-Za-z0-9\x80-\xff]+)*"
_DOMAIN: Final = rb"%s(?:\.%s)*" % (_SUB_DOMAIN, _SUB_DOMAIN)

# address-literal = "[" (IPv4 / IPv6 / General) "]"; dcontent = %d33-90 / %d94-126
_ADDRESS_LITERAL: Final = rb"\[[!-Z^-~]+\]"

# A-d-l ":" = At-domain *("," At-domain) ":"; a source route is parsed and dropped (RFC 5321 appendix C)
_SOURCE_ROUTE: Final = rb"@%s(?:,@%s)*:" % (_DOMAIN, _DOMAIN)

DOT_STRING: Final = re.compile(_DOT_STRING)
DOMAIN: Final = re.compile(_DOMAIN)
ADDRESS_LITERAL: Final = re.compile(_ADDRESS_LITERAL)

# Path = "<" [ A-d-l ":" ] Mailbox ">"; address.py says when the domain may be missing
PATH: Final = re.compile(
    rb"<(?:%s)?(?P<local_part>%s)(?:@(?P<domain>%s|%s))?>" % (_SOURCE_ROUTE, _LOCAL_PART, _DOMAIN, _ADDRESS_LITERAL)
)

# esmtp-param = esmtp-keyword ["=" esmtp-value]; the value has no "=", space or control
PARAMETER: Final = re.compile(rb" +(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~\x80-\xff]+))?")
