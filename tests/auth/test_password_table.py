# SPDX-License-Identifier: Apache-2.0
"""
The table of secrets: who is let in, and that a stranger can't tell the known from the unknown.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.auth.password_table import PasswordTable
from lmtp.auth.passwords import HashFormat, HashSecret, PlainSecret, ScramSecret
from lmtp.auth.scram import derive_keys

KEYS = derive_keys("secret", bytes(20), 5000)
PLAIN = PlainSecret("secret")
SCRAM = ScramSecret(KEYS)


class Handler:
    """
    A format in which every password fits; remembers which were tried.
    """

    def __init__(self):
        self.tried = []

    def verify(self, octets, text):
        self.tried.append(octets)
        return True


def table_of(**users):
    return PasswordTable(users, b"a key")


def shape(keys):
    return len(keys.salt), keys.iterations


class TestVerify:
    @pytest.mark.parametrize("secret", [PLAIN, SCRAM])
    def test_lets_in_who_is_known_with_the_password_alone(self, secret):
        table = table_of(ann=secret)

        assert table.verify("ann", "secret")
        assert not table.verify("ann", "sacred")

    def test_does_a_strangers_work_with_a_secret_of_somebody_and_throws_the_result_away(self):
        handler = Handler()
        table = table_of(ann=HashSecret(HashFormat(handler), "hash"))

        assert not table.verify("bob", "secret")
        assert [b"secret"] == handler.tried

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_never_lets_a_stranger_in(self, name):
        assert not table_of(**{name + "x": PLAIN}).verify(name, "secret")


class TestScramKeys:
    """
    RFC 5802 §9: what a stranger is told looks like what a user is told.
    """

    def test_that_are_stored_are_found(self):
        assert KEYS == table_of(ann=SCRAM).scram_keys("ann")

    def test_of_a_password_in_clear_text_are_derived(self):
        keys = table_of(ann=PLAIN).scram_keys("ann")

        assert derive_keys("secret", keys.salt, keys.iterations) == keys
        assert (16, 4096) == shape(keys)

    @pytest.mark.parametrize("secret", [PLAIN, SCRAM, HashSecret(HashFormat(Handler()), "hash")])
    def test_of_strangers_look_like_those_of_users(self, secret):
        table = table_of(ann=secret, carl=secret)

        assert shape(table.scram_keys("ann")) == shape(table.scram_keys("bob"))

    @pytest.mark.parametrize("secret", [PLAIN, SCRAM])
    def test_of_strangers_are_nobodys_and_never_change(self, secret):
        table = table_of(ann=secret)
        keys = table.scram_keys("bob")

        assert keys == table.scram_keys("bob")
        assert keys == table_of(ann=secret).scram_keys("bob")
        assert keys.salt != table.scram_keys("carl").salt
        assert not keys.stored_key.startswith(keys.salt)

    @pytest.mark.parametrize("secret", [PLAIN, SCRAM])
    def test_of_strangers_fit_the_password_of_nobody_they_are_borrow_from(self, secret):
        keys = table_of(ann=secret).scram_keys("bob")

        assert keys.stored_key != KEYS.stored_key
        assert all(
            keys.stored_key != derive_keys(text, keys.salt, keys.iterations).stored_key for text in ("", "secret")
        )

    def test_of_users_that_have_no_use_for_scram_are_nobodys(self):
        keys = table_of(ann=HashSecret(HashFormat(Handler()), "hash")).scram_keys("ann")

        assert (16, 4096) == shape(keys)
        assert keys.stored_key != derive_keys("", keys.salt, keys.iterations).stored_key

    def test_that_are_made_up_differ_by_the_key(self):
        first, second = (PasswordTable({"ann": SCRAM}, key).scram_keys("bob") for key in (b"a", b"b"))

        assert first.salt != second.salt

    def test_of_strangers_are_of_every_kind_there_is(self):
        table = table_of(ann=PLAIN, carl=SCRAM)

        assert {(16, 4096), (20, 5000)} == {shape(table.scram_keys(f"stranger{number}")) for number in range(20)}

    @pytest.mark.parametrize("name", ["ann", "bob", "carl", "dora"])
    def test_are_derived_once_for_whomever(self, name, monkeypatch):
        derived = []
        monkeypatch.setattr(
            "lmtp.auth.password_table.derive_keys", lambda *args: derived.append(args) or derive_keys(*args)
        )
        table_of(ann=PLAIN, bob=SCRAM, carl=HashSecret(HashFormat(Handler()), "hash")).scram_keys(name)

        assert 1 == len(derived)


class TestServesScram:
    @pytest.mark.parametrize("secret", [PLAIN, SCRAM])
    def test_when_one_user_could_use_it(self, secret):
        assert table_of(ann=secret, bob=HashSecret(HashFormat(Handler()), "hash")).serves_scram

    def test_not_when_there_are_hashes_alone(self):
        assert not table_of(bob=HashSecret(HashFormat(Handler()), "hash")).serves_scram
