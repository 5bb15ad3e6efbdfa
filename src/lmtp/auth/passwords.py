# SPDX-License-Identifier: Apache-2.0
"""
Stored passwords: what ``{SCHEME}hash`` in Dovecot's files and ``$6$...`` in /etc/shadow say, and which password fits.

The only module that knows libpass (which is imported as ``passlib``). Not here: files and users. Called by
password_file.py to parse and by password_table.py to verify, on threads: a hash is meant to take long.
Only `parse_secret` raises: ValueError with words for the operator, never with a password or a hash in it.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from passlib.hash import (  # type: ignore[import-untyped]
    argon2,
    bcrypt,
    ldap_salted_sha1,
    ldap_salted_sha256,
    ldap_salted_sha512,
    sha256_crypt,
    sha512_crypt,
)

from lmtp.auth.scram import ScramKeys, derive_keys, prepare


@dataclass(frozen=True, slots=True)
class HashFormat:
    """
    One way to write a hash.
    """

    handler: Any
    """What reads it: a class of passlib."""
    prefix: str = ""
    """What stands before the hash for passlib, but not for Dovecot."""
    package: str = ""
    """The Python package without which passlib can't read it; empty: none."""
    counted_octets: int | None = None
    """How much of a password counts; None: all of it."""


_SHA512_CRYPT: Final = HashFormat(sha512_crypt)
_SHA256_CRYPT: Final = HashFormat(sha256_crypt)
# More than 72 octets have never counted, but the package refuses them since its version 5.
_BCRYPT: Final = HashFormat(bcrypt, package="bcrypt", counted_octets=72)
_ARGON2: Final = HashFormat(argon2, package="argon2-cffi")

# Left out on purpose: MD5, DES and unsalted SHA, which a thief of the file turns back into passwords within hours.
_HASHES: Final[Mapping[str, tuple[HashFormat, ...]]] = {
    "CRYPT": (_SHA512_CRYPT, _SHA256_CRYPT, _BCRYPT),
    "SHA512-CRYPT": (_SHA512_CRYPT,),
    "SHA256-CRYPT": (_SHA256_CRYPT,),
    "BLF-CRYPT": (_BCRYPT,),
    "ARGON2ID": (_ARGON2,),
    "ARGON2I": (_ARGON2,),
    "SSHA": (HashFormat(ldap_salted_sha1, prefix="{SSHA}"),),
    "SSHA256": (HashFormat(ldap_salted_sha256, prefix="{SSHA256}"),),
    "SSHA512": (HashFormat(ldap_salted_sha512, prefix="{SSHA512}"),),
}
_CLEAR_TEXT: Final = ("PLAIN", "CLEARTEXT", "CLEAR")
_SCRAM: Final = "SCRAM-SHA-256"

SCHEMES: Final = (*_CLEAR_TEXT, _SCRAM, *_HASHES)
"""All names of schemes that `parse_secret` knows, without the braces."""

_SCHEME_AND_BODY: Final = re.compile(r"\{(?P<scheme>[A-Za-z0-9._-]{1,40})\}(?P<body>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PlainSecret:
    """
    A password in clear text; serves PLAIN and SCRAM.
    """

    prepared: str = field(repr=False)
    """The password, prepared."""

    def verify(self, password: str) -> bool:
        """
        Return whether it is this password, in whatever spelling.
        """
        try:
            return hmac.compare_digest(self.prepared.encode(), prepare(password, "password").encode())
        except ValueError:
            return False  # what can't be prepared was never stored


@dataclass(frozen=True, slots=True)
class ScramSecret:
    """
    The keys of SCRAM-SHA-256; serve PLAIN and SCRAM.
    """

    keys: ScramKeys
    """The keys."""

    def verify(self, password: str) -> bool:
        """
        Return whether the keys are those of this password.
        """
        try:
            derived = derive_keys(prepare(password, "password"), self.keys.salt, self.keys.iterations)
        except ValueError:
            return False  # what can't be prepared was never stored
        return hmac.compare_digest(self.keys.stored_key, derived.stored_key)


@dataclass(frozen=True, slots=True)
class HashSecret:
    """
    A hash that nothing can be derived from; serves PLAIN alone.

    The password counts as it was sent, octet by octet: other programmes hashed what was typed (RFC 4616 §2 leaves
    the preparation open).
    """

    format: HashFormat
    """How it is written."""
    text: str = field(repr=False)
    """The hash, with the format's prefix."""

    def verify(self, password: str) -> bool:
        """
        Return whether the hash is that of this password, which holds no NUL.
        """
        octets = password.encode()[: self.format.counted_octets]
        return bool(self.format.handler.verify(octets, self.text))


Secret = PlainSecret | ScramSecret | HashSecret
"""What is stored of a password."""


def parse_secret(text: str) -> Secret:
    """
    Parse ``{SCHEME}hash``, or a hash of crypt(3) without a scheme.

    Args:
        text: What stands in the file; the scheme in upper or lower case.

    Raises:
        ValueError: the scheme or the format is not known here, needs a package that is missing, or the rest does not
            look like it; the text says which.
    """
    match = _SCHEME_AND_BODY.fullmatch(text)
    scheme, body = (match["scheme"].upper(), match["body"]) if match else ("CRYPT", text)
    if scheme in _CLEAR_TEXT:
        return PlainSecret(prepare(body, "password"))
    if scheme == _SCRAM:
        return ScramSecret(_parse_keys(body))
    if scheme in _HASHES:
        return _parse_hash(scheme, body)
    raise ValueError(f"unsupported scheme {{{scheme}}}")


def _parse_keys(body: str) -> ScramKeys:
    """
    Parse ``iterations,salt,stored key,server key``, the last three in base64.
    """
    try:
        iterations, *encoded = body.split(",")
        salt, stored_key, server_key = (base64.b64decode(part, validate=True) for part in encoded)
        number = int(iterations)
    except ValueError:
        raise ValueError(f"not a hash of {{{_SCRAM}}}") from None
    return ScramKeys(salt=salt, iterations=number, stored_key=stored_key, server_key=server_key)


def _parse_hash(scheme: str, body: str) -> HashSecret:
    for form in _HASHES[scheme]:
        secret = HashSecret(form, form.prefix + body)
        if form.handler.identify(secret.text):
            _check(secret, scheme)
            return secret
    raise ValueError(f"not a hash of {{{scheme}}} that is supported here{_marker_of(body)}")


def _check(secret: HashSecret, scheme: str) -> None:
    """
    See that a hash can be verified, at the start rather than at the first attempt.
    """
    form = secret.format
    if form.package and not form.handler.has_backend():
        raise ValueError(f"unsupported scheme {{{scheme}}}: it needs the Python package {form.package} here")
    try:
        is_complete = form.handler.from_string(secret.text).checksum is not None
    except ValueError:
        is_complete = False
    if not is_complete:
        raise ValueError(f"a damaged hash of {{{scheme}}}")


def _marker_of(body: str) -> str:
    """
    Name the format of a hash of crypt(3): ``$1$`` is MD5, ``$y$`` yescrypt.
    """
    marker = re.match(r"\$[0-9a-z]{1,10}\$", body)
    return f": {marker[0]}" if marker else ""
