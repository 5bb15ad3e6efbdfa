# SPDX-License-Identifier: Apache-2.0
"""
Stored passwords: hashes that Dovecot and OpenSSL made, what is wrong with others, and what nobody may store.
"""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.auth import passwords
from lmtp.auth.passwords import SCHEMES, HashSecret, PlainSecret, ScramSecret, parse_secret
from tests.peers.programs import path_of

PASSWORD = "correct horse"
BCRYPT = "$2y$05$4UkJGcJPIM.yWVKktFD3werWeQExsJ26qCy3EWPiT6282x1uyC5Nq"
ARGON2 = "$argon2id$v=19$m=65536,t=3,p=1$BkiPc+ib/N0dXBKMxtMq6Q$1qJQ8Ic1B7j1+z34hjs9iovrIUlnYdWPIipp7vKRRBE"
SALT, KEY, SERVER_KEY = (
    "g4kS4OAD1laPF1UhYbWYAw==",
    "bAI5FdHNiNYqtaQaSHw5KIh3gbWQtaK7vLoU2GYLajQ=",
    "qtPvDiezhyjnuymofH48UkdpG7yMG9fyUAXgLGTdgEU=",
)
SHA512 = "$6$Lytt4cPZo1tiyKos$nAKC4Bdtv1eo74p9IYuiZoSmZvwajm/0Kq54bX8qLW8FCTtiX/z1phDnY7ZqCnC8lmP7kpOtvz90KffXAV9JH/"
SHA256 = "$5$eReYckILR6YLHP4j$OGmNtvWUCxb4ERnbpujmqS4YLQSGPoMCWJPvvk6Kl62"

STORED = (
    "{PLAIN}correct horse",
    "{plain}correct horse",
    "{CLEARTEXT}correct horse",
    f"{{SCRAM-SHA-256}}4096,{SALT},{KEY},{SERVER_KEY}",
    f"{{SHA512-CRYPT}}{SHA512}",
    f"{{CRYPT}}{SHA512}",
    SHA512,
    f"{{SHA256-CRYPT}}{SHA256}",
    SHA256,
    "$6$abcdefgh$yIZAF3gQPvtKZO/9qOJKffAKKbtS3ef3qmwyugk4uWVjX8YZf/GV3A8SkFxEPY0T56CcilGrHKLffBsp6dLMG.",
    "{SSHA}zXFfiZlxOjhAT8Q9U2NRKqGGScUjs/Ug",
    "{ssha}zXFfiZlxOjhAT8Q9U2NRKqGGScUjs/Ug",
    "{SSHA256}3DjmP5QTdMFj31K34TnjP2LX21eNmEz9gAfDkhiteoDBnC1m",
    "{SSHA512}LcE8nGRS1iuZDQ/zRJU7AYwMh6ZefeyPWRekZZYjselVhpO1I8C/R9qVCagLZIP/Ro54XTr1uk2SH1iogx5XuahtHkw=",
)
UNUSABLE = {
    "{MD5}AAAA": "unsupported scheme {MD5}",
    "{SSHA.HEX}00": "unsupported scheme {SSHA.HEX}",
    "{SSHA}": "a damaged hash of {SSHA}",
    "{SSHA}" + "A" * 33: "a damaged hash of {SSHA}",
    "{SHA512-CRYPT}" + SHA256: "not a hash of {SHA512-CRYPT} that is supported here: $5$",
    "$1$Z9qPmByP$a5Mokg94GmQrsyu0EFx9I.": "not a hash of {CRYPT} that is supported here: $1$",
    "$y$j9T$abc$def": "not a hash of {CRYPT} that is supported here: $y$",
    "correct horse": "not a hash of {CRYPT} that is supported here",
    "{}correct horse": "not a hash of {CRYPT} that is supported here",
    "$6$abcdefgh": "a damaged hash of {CRYPT}",
    SHA512[:-1]: "a damaged hash of {CRYPT}",
    "$6$rounds=many$abcdefgh$" + SHA512[-86:]: "a damaged hash of {CRYPT}",
    "{PLAIN}": "password: empty",
    "{PLAIN}a\x07b": "password: control characters forbidden (RFC 4013)",
    "{SCRAM-SHA-256}": "not a hash of {SCRAM-SHA-256}",
    f"{{SCRAM-SHA-256}}many,{SALT},{KEY},{SERVER_KEY}": "not a hash of {SCRAM-SHA-256}",
    f"{{SCRAM-SHA-256}}4096,{SALT},{KEY}": "not a hash of {SCRAM-SHA-256}",
    f"{{SCRAM-SHA-256}}4096,{SALT},{KEY},{SERVER_KEY}x": "not a hash of {SCRAM-SHA-256}",
    f"{{SCRAM-SHA-256}}4095,{SALT},{KEY},{SERVER_KEY}": "the iteration count must be from 4096 to 10000000",
    f"{{SCRAM-SHA-256}}4096,AAAA,{KEY},{SERVER_KEY}": "the salt must have 12 octets or more",
    f"{{SCRAM-SHA-256}}4096,{SALT},AAAA,{SERVER_KEY}": "the keys must have 32 octets",
}


class Backend:
    """
    Stands for a format of passlib whose package is, or is not, there.
    """

    def __init__(self, *, is_there):
        self.is_there = is_there

    def has_backend(self):
        return self.is_there

    def identify(self, text):
        return True

    def from_string(self, text):
        self.checksum = text
        return self

    def verify(self, octets, text):
        return octets == b"p" * 72


class TestSecret:
    @pytest.mark.parametrize("text", STORED, ids=lambda text: text[:16])
    def test_is_fitted_by_its_password_alone(self, text):
        secret = parse_secret(text)

        assert secret.verify(PASSWORD)
        assert not secret.verify("correct horse ")
        assert not secret.verify("Correct horse")
        assert not secret.verify("")
        assert not secret.verify("correct\u00e9")

    @pytest.mark.parametrize("text", UNUSABLE, ids=lambda text: text[:30])
    def test_that_is_unusable_is_refused_with_the_reason(self, text):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
            parse_secret(text)

        assert UNUSABLE[text] == str(caught.value)

    @pytest.mark.parametrize("text", ["{PLAIN}correct horse", f"{{SCRAM-SHA-256}}4096,{SALT},{KEY},{SERVER_KEY}"])
    def test_compares_prepared_forms_where_it_can(self, text):
        assert parse_secret(text).verify("correct\u00a0hor\u00adse")
        assert not parse_secret(text).verify("correct\x07horse")

    def test_compares_hashes_with_what_was_sent(self):
        assert not parse_secret(SHA512).verify("correct\u00a0horse")

    @pytest.mark.parametrize("text", STORED, ids=lambda text: text[:16])
    def test_does_not_show_itself(self, text):
        shown = repr(parse_secret(text))

        assert PASSWORD not in shown
        assert text[-20:] not in shown

    @given(st.sampled_from(("", *(f"{{{scheme}}}" for scheme in SCHEMES))), st.text(max_size=50), st.text(max_size=20))
    def test_of_any_text_is_parsed_or_refused(self, scheme, body, password):
        try:
            secret = parse_secret(scheme + body)
        except ValueError:
            return

        assert isinstance(secret, PlainSecret | ScramSecret | HashSecret)
        secret.verify(password.replace("\0", ""))


class TestPackage:
    """
    Formats that libpass reads with the help of another package.
    """

    @pytest.fixture
    def install(self, monkeypatch):
        def replace(scheme, **arguments):
            (form,) = passwords._HASHES[scheme]
            forms = (passwords.HashFormat(Backend(**arguments), form.prefix, form.package, form.counted_octets),)
            monkeypatch.setattr(passwords, "_HASHES", {scheme: forms})

        return replace

    @pytest.mark.parametrize(("scheme", "package"), [("BLF-CRYPT", "bcrypt"), ("ARGON2ID", "argon2-cffi")])
    def test_that_is_missing_is_named(self, install, scheme, package):
        install(scheme, is_there=False)
        with pytest.raises(
            ValueError, match=f"^unsupported scheme {{{scheme}}}: it needs the Python package {package}"
        ):
            parse_secret(f"{{{scheme}}}$2y$05$")

    def test_of_bcrypt_is_never_given_more_than_it_counts(self, install):
        install("BLF-CRYPT", is_there=True)

        assert parse_secret("{BLF-CRYPT}$2y$05$").verify("p" * 73)

    def test_of_argon2_is_given_all(self, install):
        install("ARGON2ID", is_there=True)

        assert not parse_secret("{ARGON2ID}$argon2id$").verify("p" * 73)

    @pytest.mark.parametrize(
        ("package", "text"),
        [
            ("bcrypt", BCRYPT),
            ("bcrypt", f"{{BLF-CRYPT}}{BCRYPT}"),
            ("argon2", f"{{ARGON2ID}}{ARGON2}"),
        ],
    )
    def test_that_is_there_is_used(self, package, text):
        pytest.importorskip(package)
        secret = parse_secret(text)

        assert secret.verify(PASSWORD)
        assert not secret.verify("p" * 100)


@pytest.mark.peer("doveadm")
class TestDovecot:
    @pytest.mark.parametrize("scheme", ["PLAIN", "SCRAM-SHA-256", "SHA512-CRYPT", "SHA256-CRYPT", "SSHA", "SSHA256"])
    def test_makes_what_we_read(self, scheme):
        command = [path_of("doveadm"), "pw", "-s", scheme, "-p", PASSWORD]
        made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n")

        assert parse_secret(made).verify(PASSWORD)
        assert not parse_secret(made).verify("correct")
