# SPDX-License-Identifier: Apache-2.0
"""
``tls-server-end-point``: the hash of a certificate with the hash of its own signature, as another reader sees it.
"""

import datetime as dt
import hashlib

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from lmtp.aio.channel_binding import end_point_binding

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store.example")])
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)

RSA_SHA_256 = bytes.fromhex("2a864886f70d01010b")
SHA_256 = bytes.fromhex("608648016503040201")


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key, algorithm, **signing):
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, NOON, NOON + dt.timedelta(days=1))
    return builder.sign(key, algorithm, **signing).public_bytes(Encoding.DER)


def pss(algorithm):
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


def without_pss_parameters(octets):
    """
    Cut the parameters of the signature's algorithm down to nothing, as they may be where they are all the default.
    """
    start = octets.rindex(bytes.fromhex("06092a864886f70d01010a"))
    length = octets[start + 12]
    cut = octets[: start - 1] + b"\x0d" + octets[start : start + 11] + b"\x30\0" + octets[start + 13 + length :]
    return cut[:2] + (len(cut) - 4).to_bytes(2, "big") + cut[4:]


class TestBinding:
    """
    RFC 5929 §4.1.
    """

    @pytest.mark.parametrize("name", ["sha224", "sha256", "sha384", "sha512"])
    def test_uses_the_hash_of_the_signature(self, name, rsa_key, ec_key):
        algorithm = getattr(hashes, name.upper())()
        for octets in (
            certificate(rsa_key, algorithm),
            certificate(ec_key, algorithm),
            certificate(rsa_key, algorithm, rsa_padding=pss(algorithm)),
        ):
            assert name == x509.load_der_x509_certificate(octets).signature_hash_algorithm.name
            assert hashlib.new(name, octets).digest() == end_point_binding(octets)

    @pytest.mark.parametrize("old", ["2a864886f70d010104", "2a864886f70d010105"], ids=["MD5", "SHA-1"])
    def test_uses_sha_256_in_the_place_of_a_broken_one(self, rsa_key, old):
        octets = certificate(rsa_key, hashes.SHA256()).replace(RSA_SHA_256, bytes.fromhex(old))

        assert hashlib.sha256(octets).digest() == end_point_binding(octets)

    def test_uses_sha_256_in_the_place_of_the_default_of_pss(self, rsa_key):
        octets = without_pss_parameters(certificate(rsa_key, hashes.SHA384(), rsa_padding=pss(hashes.SHA384())))

        assert hashlib.sha256(octets).digest() == end_point_binding(octets)

    def test_uses_sha_256_where_pss_says_all_but_the_hash(self, rsa_key):
        octets = certificate(rsa_key, hashes.SHA384(), rsa_padding=pss(hashes.SHA384()))
        start = octets.rindex(bytes.fromhex("06092a864886f70d01010a")) + 13
        octets = octets[:start] + b"\xa1" + octets[start + 1 :]

        assert hashlib.sha256(octets).digest() == end_point_binding(octets)

    def test_is_none_where_the_signature_has_no_hash(self):
        assert b"" == end_point_binding(certificate(ed25519.Ed25519PrivateKey.generate(), None))

    def test_is_none_where_nobody_knows_the_hash(self, rsa_key):
        octets = certificate(rsa_key, hashes.SHA256(), rsa_padding=pss(hashes.SHA256()))

        assert b"" == end_point_binding(octets.replace(SHA_256, bytes.fromhex("608648016503040209")))


class TestOctets:
    CERTIFICATE = trustme.CA().issue_cert("store.example").cert_chain_pems[0].bytes()

    @pytest.fixture
    def octets(self):
        return x509.load_pem_x509_certificate(self.CERTIFICATE).public_bytes(Encoding.DER)

    def test_cut_short_are_no_certificate(self, octets):
        for length in range(len(octets)):
            with pytest.raises(ValueError, match="not a certificate"):
                end_point_binding(octets[:length])

    @pytest.mark.parametrize("tag", [0x00, 0x02, 0x31])
    def test_of_something_else_are_no_certificate(self, octets, tag):
        with pytest.raises(ValueError, match="not a certificate"):
            end_point_binding(bytes([tag]) + octets[1:])

    @given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda octets: b"\x30" + bytes([len(octets)]) + octets))
    def test_of_any_kind_raise_nothing_else(self, octets):
        try:
            end_point_binding(octets)
        except ValueError as error:
            assert "not a certificate" == str(error)  # noqa: PT017 - some are not refused
