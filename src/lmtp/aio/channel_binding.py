# SPDX-License-Identifier: Apache-2.0
"""
What ties an authentication to one TLS connection: ``tls-server-end-point``, a hash of the server's certificate.

Both ends compute it by themselves; a man in the middle has another certificate, so a proof made for him is none for us.
Not here: who uses it (SCRAM's -PLUS), and any other reading of certificates: of the DER only as much as leads to the
name of the signature's algorithm. Called by tls.py once a certificate. Raises ValueError for what is no certificate.
RFC 5929 §4, RFC 5280 §4.1.1.2, RFC 4055 §3.1, ITU-T X.690.
"""

import hashlib
from typing import Final, NamedTuple

_SEQUENCE: Final = 0x30
_OBJECT_IDENTIFIER: Final = 0x06
_HASH_OF_PSS: Final = 0xA0
"""The tag ``[0]`` of the parameters of RSASSA-PSS."""

_HASHES: Final = {
    "2a864886f70d010104": "sha256",  # md5WithRSAEncryption: SHA-256 takes the place of MD5 and SHA-1 (RFC 5929 §4.1)
    "2a864886f70d010105": "sha256",  # sha1WithRSAEncryption
    "2a864886f70d01010e": "sha224",  # sha224WithRSAEncryption
    "2a864886f70d01010b": "sha256",  # sha256WithRSAEncryption
    "2a864886f70d01010c": "sha384",  # sha384WithRSAEncryption
    "2a864886f70d01010d": "sha512",  # sha512WithRSAEncryption
    "2a8648ce3d0401": "sha256",  # ecdsa-with-SHA1
    "2a8648ce3d040301": "sha224",  # ecdsa-with-SHA224
    "2a8648ce3d040302": "sha256",  # ecdsa-with-SHA256
    "2a8648ce3d040303": "sha384",  # ecdsa-with-SHA384
    "2a8648ce3d040304": "sha512",  # ecdsa-with-SHA512
    "2b0e03021a": "sha256",  # id-sha1, as all below the hash of an RSASSA-PSS signature
    "608648016503040204": "sha224",  # id-sha224
    "608648016503040201": "sha256",  # id-sha256
    "608648016503040202": "sha384",  # id-sha384
    "608648016503040203": "sha512",  # id-sha512
}
"""The hash to use, by the object identifier of a signature's algorithm, or of its hash, in hexadecimal DER."""
_RSASSA_PSS: Final = "2a864886f70d01010a"


def end_point_binding(certificate: bytes) -> bytes:
    """
    Return the channel binding ``tls-server-end-point`` (RFC 5929 §4.1).

    Args:
        certificate: The server's own certificate, in DER.

    Returns:
        Nothing where the RFC defines nothing: the signature has no one hash, as Ed25519's.

    Raises:
        ValueError: it is no certificate.
    """
    name = _hash_name(certificate)
    return hashlib.new(name, certificate).digest() if name else b""


def _hash_name(certificate: bytes) -> str:
    # Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { algorithm, parameters }, ... }
    signed = _value(certificate, _SEQUENCE)
    _, rest = _split(signed)
    algorithm = _value(rest, _SEQUENCE)
    identifier = _value(algorithm, _OBJECT_IDENTIFIER).hex()
    if identifier == _RSASSA_PSS:
        return _hash_name_of_pss(algorithm)
    return _HASHES.get(identifier, "")


def _hash_name_of_pss(algorithm: bytes) -> str:
    # parameters ::= SEQUENCE { [0] hashAlgorithm SEQUENCE { algorithm, ... } DEFAULT sha1, ... }
    _, parameters = _split(algorithm)
    fields = _value(parameters, _SEQUENCE)
    if not fields or _split(fields)[0].tag != _HASH_OF_PSS:
        return "sha256"  # in the place of SHA-1
    hash_algorithm = _value(_value(fields, _HASH_OF_PSS), _SEQUENCE)
    return _HASHES.get(_value(hash_algorithm, _OBJECT_IDENTIFIER).hex(), "")


class _Element(NamedTuple):
    """
    One element of DER.
    """

    tag: int
    value: bytes


def _value(octets: bytes, tag: int) -> bytes:
    """
    Return the value of the first element, which has to be of this kind.
    """
    element, _ = _split(octets)
    if element.tag != tag:
        raise ValueError("not a certificate")
    return element.value


def _split(octets: bytes) -> tuple[_Element, bytes]:
    """
    Split the first element from what follows it (X.690 §8.1).
    """
    if len(octets) < 2:
        raise ValueError("not a certificate")
    tag, length, start = octets[0], octets[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(octets[2:start], "big")
    end = start + length
    if end > len(octets):
        raise ValueError("not a certificate")
    return _Element(tag, octets[start:end]), octets[end:]
