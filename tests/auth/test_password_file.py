# SPDX-License-Identifier: Apache-2.0
"""
The password file: which lines are users, and what happens when the file changes under us.
"""

import asyncio
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmtp.auth import password_file
from lmtp.auth.password_file import MAX_BAD_LINES_TOLD, PasswordFileOptions
from lmtp.protocol.errors import TransientError

SSHA = "{SSHA}zXFfiZlxOjhAT8Q9U2NRKqGGScUjs/Ug"


def lets_in(passwords, name, password="pw"):
    return passwords.table().verify(name, password)


class TestLines:
    """
    ``name:{SCHEME}hash``, as in Dovecot's passwd-file and /etc/shadow.
    """

    async def test_name_a_user_and_what_is_stored(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\nbob@example.org:{PLAIN}wp\n")

        assert lets_in(passwords, "ann")
        assert lets_in(passwords, "bob@example.org", "wp")
        assert not lets_in(passwords, "ann", "wp")
        assert [] == await house.told()

    async def test_of_shadow_are_read(self, house):
        hashed = "$5$eReYckILR6YLHP4j$OGmNtvWUCxb4ERnbpujmqS4YLQSGPoMCWJPvvk6Kl62"
        passwords = await house.loaded(f"root:*:19000:0:99999:7:::\nann:{hashed}:19000:0:99999:7:::\nbob:!{hashed}:\n")

        assert lets_in(passwords, "ann", "correct horse")
        assert not lets_in(passwords, "bob", "correct horse")
        assert [] == await house.told()

    async def test_of_dovecot_are_read_without_what_stands_behind(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw:1000:1000::/home/ann:/bin/sh:userdb_mail=maildir:~/Maildir\n")

        assert lets_in(passwords, "ann")

    @pytest.mark.parametrize("line", ["bob", "bob:", "bob::1000:", "bob:!", "bob:!!", "bob:*", "bob:*LK*"])
    async def test_without_a_password_or_with_a_locked_one_are_nobodys(self, house, line):
        passwords = await house.loaded(f"ann:{{PLAIN}}pw\n{line}\n")

        assert not lets_in(passwords, "bob", "")
        assert not lets_in(passwords, "bob", "!")
        assert [] == await house.told()

    async def test_that_are_comments_or_blank_are_nothing(self, house):
        await house.loaded("# ann:{PLAIN}pw\n\n   \n\t\nann:{PLAIN}pw\n#\n")

        assert [] == await house.told()

    async def test_may_end_as_in_dos_and_the_last_not_at_all(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\r\n\r\nbob:{PLAIN}pw\r")

        assert lets_in(passwords, "ann")
        assert lets_in(passwords, "bob")

    async def test_may_follow_a_byte_order_mark(self, house):
        assert lets_in(await house.loaded("\ufeffann:{PLAIN}pw\n"), "ann")

    async def test_name_users_by_their_prepared_form(self, house):
        assert lets_in(await house.loaded("\u2168:{PLAIN}pw\n"), "IX")


class TestBadLines:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"ann:{PLAIN}other", "'ann' is on an earlier line"),
            (b":{PLAIN}pw", "user name: empty"),
            (b"b\x07b:{PLAIN}pw", "user name: control characters forbidden (RFC 4013)"),
            (b"bob:{MD5}pw", "unsupported scheme {MD5}"),
            (b"bob:pw", "not a hash of {CRYPT} that is supported here"),
            (b"bob:{PLAIN}\xff", "not UTF-8"),
            (b"bob:{PLAIN}pw::::::allow_nets=::1,10.0.0.0/8", "'bob' would not be restricted by allow_nets"),
            (b"bob:{PLAIN}pw::::::userdb_quota=1 nologin", "'bob' would not be restricted by nologin"),
        ],
    )
    async def test_cost_their_own_user_and_are_told_with_their_place(self, house, line, reason):
        passwords = await house.loaded(b"ann:{PLAIN}pw\n" + line + b"\n")

        assert lets_in(passwords, "ann")
        assert not lets_in(passwords, "bob")
        assert [f"passwords:2: {reason}"] == await house.told()

    async def test_are_not_all_told(self, house):
        await house.loaded("ann:{PLAIN}pw\n" + "bob:pw\n" * (MAX_BAD_LINES_TOLD + 3))
        told = await house.told()

        assert MAX_BAD_LINES_TOLD + 1 == len(told)
        assert "passwords: 3 more bad lines" == told[-1]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(content=st.lists(st.one_of(st.binary(max_size=30), st.just(b"bob:{PLAIN}pw"))).map(b"\n".join))
    def test_of_any_octets_never_raise(self, house, content):
        house.write(content)

        assert password_file._read(house.path, None) is not None


class TestTrouble:
    """
    Nobody is checked against a file that was there before.
    """

    @pytest.mark.parametrize("content", ["", "# nobody\n", "root:*:\n"])
    async def test_is_a_file_without_users(self, house, content):
        with pytest.raises(TransientError, match=r"passwords: no user with a password in it$") as caught:
            await house.loaded(content)

        assert "4.7.0" == caught.value.status

    async def test_is_a_file_that_is_not_there(self, house):
        with pytest.raises(TransientError, match=r"passwords: No such file or directory$") as caught:
            await house.file().load()

        assert "4.7.0" == caught.value.status

    async def test_is_a_folder(self, house):
        house.path.mkdir()
        with pytest.raises(TransientError, match=r"passwords: Is a directory$"):
            await house.file().load()

    async def test_is_told_once_until_it_is_over(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\n")
        for _ in range(2):
            aside = house.path.rename(house.path.with_suffix(".aside"))
            for _ in range(2):
                with pytest.raises(TransientError):
                    passwords.table()
            aside.rename(house.path)
            assert lets_in(passwords, "ann")

        assert ["passwords: No such file or directory"] * 2 == await house.told()

    async def test_in_one_reading_does_not_outlast_it(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\n")
        house.write("")
        with pytest.raises(TransientError):
            passwords.table()
        house.write("bob:{PLAIN}pw\n")

        assert lets_in(passwords, "bob")

    def test_is_a_path_with_nul(self):
        with pytest.raises(ValueError, match="path must be one without NUL"):
            PasswordFileOptions(path=Path("a\0b"))


class TestChange:
    async def test_counts_from_the_next_attempt(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\n")
        house.write("ann:{PLAIN}other\nbob:{PLAIN}pw\n")

        assert lets_in(passwords, "ann", "other")
        assert not lets_in(passwords, "ann")
        assert lets_in(passwords, "bob")

    async def test_that_did_not_happen_costs_no_reading(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\n")

        assert passwords.table() is passwords.table()

    async def test_leaves_the_salts_of_strangers_as_they_were(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\n")
        before = passwords.table().scram_keys("bob")
        house.write("ann:{PLAIN}other\n")

        assert before == passwords.table().scram_keys("bob")

    async def test_of_the_process_changes_the_salts_unless_they_have_a_secret(self, house):
        house.write("ann:{PLAIN}pw\n")
        old, new = (house.file().table().scram_keys("bob").salt for _ in range(2))
        kept, same = (house.file(salt_secret="x").table().scram_keys("bob").salt for _ in range(2))

        assert old != new
        assert kept == same

    async def test_is_looked_for_without_waiting(self, house):
        passwords = await house.loaded(f"ann:{SSHA}\n")
        assert not passwords.serves_scram
        house.write("ann:{PLAIN}pw\n")
        passwords.look()
        await passwords._looking

        assert passwords.serves_scram

    async def test_is_looked_for_by_one_thread_at_a_time(self, house, monkeypatch):
        passwords = await house.loaded(f"ann:{SSHA}\n")
        gate = threading.Event()
        readings = []
        read = password_file._read

        def slow_read(*args):
            readings.append(args)
            gate.wait(timeout=10)
            return read(*args)

        monkeypatch.setattr(password_file, "_read", slow_read)
        passwords.look()
        passwords.look()
        gate.set()
        await passwords._looking
        passwords.look()
        await passwords._looking

        assert 2 == len(readings)

    async def test_to_something_unusable_is_told_by_a_look(self, house):
        passwords = await house.loaded(f"ann:{SSHA}\n")
        house.path.unlink()
        passwords.look()
        await passwords._looking

        assert ["passwords: No such file or directory"] == await house.told()

    async def test_is_seen_by_all_of_many_threads(self, house):
        passwords = await house.loaded("ann:{PLAIN}pw\n")
        house.write("bob:{PLAIN}pw\n")
        found = await asyncio.gather(*(asyncio.to_thread(lets_in, passwords, "bob") for _ in range(8)))

        assert [True] * 8 == found


class TestServesScram:
    async def test_not_before_the_file_was_read(self, house):
        assert not house.file().serves_scram


class TestOptions:
    def test_do_not_show_the_secret(self):
        assert "hidden" not in repr(PasswordFileOptions(path=Path("a"), salt_secret="hidden"))
