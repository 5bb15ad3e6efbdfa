# SPDX-License-Identifier: Apache-2.0
"""
Domains in settings: people write them in their own script, the protocol carries A-labels.
"""

import pytest

from lmtp.config.domains import ascii_domain, domain_key
from lmtp.config.load import ConfigError, load_settings


class TestAsciiDomain:
    @pytest.mark.parametrize(
        ("written", "carried"),
        [
            ("store.example", "store.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("", ""),
        ],
    )
    def test_is_what_the_protocol_carries(self, written, carried):
        assert carried == ascii_domain(written)

    @pytest.mark.parametrize("text", ["store example", "-a.example", "a..b", "☃☃.\u200b", "store.example\r\nX: y"])
    def test_refuses_what_is_no_domain(self, text):
        with pytest.raises(ValueError, match="expected a domain"):
            ascii_domain(text)


class TestSettings:
    def test_carry_a_labels(self, tmp_path):
        config = tmp_path / "lmtp.toml"
        config.write_text(
            'server_name = "bücher.example"\n[users]\npath = "users"\ndefault_domain = "bücher.example"\n'
        )
        settings = load_settings(config)

        assert "xn--bcher-kva.example" == settings.server_name
        assert "xn--bcher-kva.example" == settings.users.default_domain

    def test_name_the_key_that_is_no_domain(self, tmp_path):
        config = tmp_path / "lmtp.toml"
        config.write_text('server_name = "no domain"\n')
        with pytest.raises(ConfigError) as caught:
            load_settings(config)

        assert "server_name: expected a domain" in str(caught.value)


class TestKey:
    @pytest.mark.parametrize(
        ("domain", "key"),
        [
            ("Example.ORG", "example.org"),
            ("exämple.org", "xn--exmple-cua.org"),
            ("EXÄMPLE.org", "xn--exmple-cua.org"),
            ("XN--exmple-cua.org", "xn--exmple-cua.org"),
            ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
            ("Ä" * 64 + ".org", "ä" * 64 + ".org"),
            ("", ""),
        ],
    )
    def test_is_the_same_for_all_spellings_of_a_domain(self, domain, key):
        assert key == domain_key(domain)
