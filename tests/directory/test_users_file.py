# SPDX-License-Identifier: Apache-2.0
"""
The users file: which lines are accounts, who is found, and what happens when the file changes under us.
"""

import asyncio
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmtp.config.domains import domain_key
from lmtp.directory import users_file
from lmtp.directory.base import ask
from lmtp.directory.users_file import MAX_BAD_LINES_TOLD, PATIENCE_SECONDS, POLL_SECONDS, UsersFile, UsersFileOptions
from lmtp.protocol.address import Mailbox
from lmtp.protocol.errors import TransientError


class House:
    """
    A users file in a folder of its own, with a clock that stands still and an observer that writes down.
    """

    def __init__(self, folder):
        self.path = folder / "users"
        self.told = []
        self.now = 1000.0

    def observe(self, event):
        self.told.append(event.detail.replace(str(self.path), "users"))

    def write(self, text):
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(text.encode() if isinstance(text, str) else text)
        fresh.replace(self.path)

    def directory(self, *, patience_seconds=PATIENCE_SECONDS, domain_key=str.lower, **options):
        return UsersFile(
            UsersFileOptions(path=self.path, **options),
            self,
            domain_key=domain_key,
            monotonic=lambda: self.now,
            patience_seconds=patience_seconds,
        )

    async def loaded(self, text, **options):
        self.write(text)
        directory = self.directory(**options)
        await directory.load()
        return directory


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


async def found(directory, local_part, domain="example.org"):
    account = await ask(directory, Mailbox(local_part, domain))
    return account and str(account.mailbox)


class TestLines:
    """
    Dovecot's passwd-file: ``user:password:uid:gid:gecos:home:shell:extra fields``.
    """

    async def fields_of(self, house, line):
        directory = await house.loaded(line)
        return dict((await ask(directory, Mailbox("ann", "example.org"))).fields)

    async def test_the_user_alone_is_an_account(self, house):
        assert {} == await self.fields_of(house, "ann@example.org\n")

    async def test_the_fields_are_kept_by_name(self, house):
        line = "ann@example.org:{PLAIN}pw:1000:1001:Ann,,:/home/ann:/bin/sh:quota=1G nologin\n"

        assert {
            "password": "{PLAIN}pw",
            "uid": "1000",
            "gid": "1001",
            "gecos": "Ann,,",
            "home": "/home/ann",
            "shell": "/bin/sh",
            "quota": "1G",
            "nologin": "yes",
        } == await self.fields_of(house, line)

    async def test_empty_fields_are_left_out(self, house):
        assert {"home": "/home/ann"} == await self.fields_of(house, "ann@example.org:::::/home/ann::\n")

    async def test_extra_fields_may_hold_colons(self, house):
        line = "ann@example.org:::::::userdb_mail=maildir:~/Maildir allow_nets=2001:db8::/32,::1\n"

        assert {
            "userdb_mail": "maildir:~/Maildir",
            "allow_nets": "2001:db8::/32,::1",
        } == await self.fields_of(house, line)

    async def test_the_old_form_says_where_the_mail_is_behind_an_empty_field(self, house):
        assert {"userdb_mail": "maildir:/srv/ann"} == await self.fields_of(
            house, "ann@example.org::::::::maildir:/srv/ann\n"
        )

    async def test_an_extra_field_never_replaces_a_place_of_its_own(self, house):
        assert {"home": "/home/ann"} == await self.fields_of(house, "ann@example.org:::::/home/ann::home=/tmp\n")

    async def test_comments_and_blank_lines_are_nothing(self, house):
        await house.loaded("# ann@example.org\n\n   \n\t\nann@example.org\n#\n")

        assert [] == house.told

    async def test_line_ends_of_dos_and_a_missing_last_one_are_no_part_of_a_line(self, house):
        directory = await house.loaded("ann@example.org\r\n\r\nbob@example.org:pw:::::/bin/sh\r")

        assert "ann@example.org" == await found(directory, "ann")
        assert {"password": "pw", "shell": "/bin/sh"} == dict(
            (await ask(directory, Mailbox("bob", "example.org"))).fields
        )

    async def test_a_byte_order_mark_is_no_part_of_the_first_account(self, house):
        directory = await house.loaded("\ufeffann@example.org\nbob@example.org\n")

        assert [] == house.told
        assert "ann@example.org" == await found(directory, "ann")

    async def test_fields_in_an_unknown_encoding_give_their_octets_back(self, house):
        directory = await house.loaded(b"ann@example.org:::::/home/J\xf6rg\n")
        account = await ask(directory, Mailbox("ann", "example.org"))

        assert b"/home/J\xf6rg" == account.fields["home"].encode("utf-8", "surrogateescape")


class TestBadLines:
    """
    A bad line costs its own account, and is told with its place and the reason.
    """

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (":pw:1000", "not an address: ''"),
            ("@example.org", "not an address: '@example.org'"),
            ("ann smith@example.org", "not an address: 'ann smith@example.org'"),
            ("ann@[IPv6:2001:db8::1]", "not an address: 'ann@[IPv6'"),
            ("jo\x85rg@example.org", "not an address: 'jo\\x85rg@example.org'"),
            ("x" * 90 + " ", f"not an address: '{'x' * 60}'"),
            ("bob", "bob has no domain and there is no default domain"),
            ("ann@EXAMPLE.org:other", "ann@EXAMPLE.org is on an earlier line"),
        ],
    )
    async def test_is_told_while_the_others_work(self, house, line, reason):
        directory = await house.loaded(f"ann@example.org\n{line}\nlast@example.org\n")

        assert [f"users:2: {reason}"] == house.told
        assert "last@example.org" == await found(directory, "last")

    async def test_the_first_of_two_lines_with_one_address_counts(self, house):
        directory = await house.loaded("ann@example.org:first\nann@example.org:second\n")
        account = await ask(directory, Mailbox("ann", "example.org"))

        assert "first" == account.fields["password"]

    async def test_are_told_once_per_reading(self, house):
        directory = await house.loaded("bad\nann@example.org\n")
        house.now += POLL_SECONDS
        await ask(directory, Mailbox("nobody", "example.org"))
        assert 1 == len(house.told)

        house.write("bad\nann@example.org\n\n")
        house.now += POLL_SECONDS
        await ask(directory, Mailbox("nobody", "example.org"))
        assert 2 == len(house.told)

    async def test_the_wrong_file_does_not_flood_the_log(self, house):
        await house.loaded("ann@example.org\n" + "bad line\n" * (MAX_BAD_LINES_TOLD + 7))

        assert MAX_BAD_LINES_TOLD + 1 == len(house.told)
        assert "users: 7 more bad lines" == house.told[-1]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        octets=st.lists(st.sampled_from([b"ann", b"@", b"a.example", b":", b"\n", b"#", b'"', b" ", b"\0", b"\xff"]))
    )
    def test_each_line_is_an_account_or_told(self, tmp_path, octets):
        path = tmp_path / "users"
        path.write_bytes(b"".join(octets))
        table = users_file._read(UsersFileOptions(path=path, default_domain="b.example"), str.lower, None)
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip() and not line.startswith(b"#")]

        assert len(lines) == len(table.exact) + len(table.problems)


class TestInternationalizedNames:
    """
    RFC 6531: UTF-8 in local parts and domains; a domain in U-labels and in A-labels is one domain.
    """

    @pytest.mark.parametrize("domain", ["exämple.org", "EXÄMPLE.org", "xn--exmple-cua.org"])
    @pytest.mark.parametrize("line", ["jörg@exämple.org", "jörg@xn--exmple-cua.org"])
    async def test_are_found_by_either_spelling(self, house, line, domain):
        directory = await house.loaded(f"{line}\n", domain_key=domain_key)

        assert line == await found(directory, "jörg", domain)

    async def test_are_not_found_by_another_local_part(self, house):
        directory = await house.loaded("jörg@exämple.org\n", domain_key=domain_key)

        assert await found(directory, "jorg", "exämple.org") is None


class TestFind:
    """
    RFC 5321 §2.4: as it is spelled first; only then without case, and without the detail (T06, T63).
    """

    @pytest.mark.guards("GR-3")
    @pytest.mark.parametrize("domain", ["example.org", "EXAMPLE.Org"])
    async def test_the_domain_compares_without_case(self, house, domain):
        directory = await house.loaded("ann@Example.org\n")

        assert "ann@Example.org" == await found(directory, "ann", domain)

    async def test_the_account_is_spelled_as_in_the_file(self, house):
        directory = await house.loaded("Ann.Smith@Example.ORG\n")

        assert "Ann.Smith@Example.ORG" == await found(directory, "ann.smith+x", "example.org")

    @pytest.mark.guards("T06")
    async def test_t06_lines_that_differ_in_case_are_two_accounts(self, house):
        directory = await house.loaded("Ann@example.org\nann@example.org\nANN@example.org\n")

        assert "Ann@example.org" == await found(directory, "Ann")
        assert "ann@example.org" == await found(directory, "ann")
        assert "ANN@example.org" == await found(directory, "ANN")

    async def test_other_spellings_find_the_line_in_lower_case(self, house):
        directory = await house.loaded("Ann@example.org\nann@example.org\n")

        assert "ann@example.org" == await found(directory, "aNN")

    async def test_other_spellings_find_the_first_line_when_none_is_in_lower_case(self, house):
        directory = await house.loaded("Ann@example.org\nANN@example.org\n")

        assert "Ann@example.org" == await found(directory, "ann")

    async def test_somebody_else_or_elsewhere_is_nobody(self, house):
        directory = await house.loaded("ann@example.org\n")

        assert await found(directory, "bob") is None
        assert await found(directory, "ann", "example.net") is None

    @pytest.mark.guards("T63")
    async def test_a_detail_leads_to_its_user_and_to_no_folder(self, house):
        directory = await house.loaded("ann@example.org\n")

        assert "ann@example.org" == await found(directory, "ann+lists")
        assert "ann@example.org" == await found(directory, "ANN+Lists")

    async def test_a_line_with_the_detail_comes_before_its_user(self, house):
        directory = await house.loaded("ann@example.org\nann+lists@example.org\n")

        assert "ann+lists@example.org" == await found(directory, "ann+lists")
        assert "ann+lists@example.org" == await found(directory, "Ann+LISTS")

    async def test_without_delimiters_a_detail_is_part_of_the_name(self, house):
        directory = await house.loaded("ann@example.org\n", recipient_delimiter="")

        assert await found(directory, "ann+lists") is None

    @pytest.mark.guards("T40")
    async def test_t40_an_empty_local_part_is_nobody_unless_it_has_a_line(self, house):
        assert await found(await house.loaded("ann@example.org\n"), "") is None
        assert '""@example.org' == await found(await house.loaded('""@example.org\n'), "")

    @pytest.mark.guards("T41")
    async def test_t41_a_quoted_local_part_is_found(self, house):
        directory = await house.loaded('"ann smith"@example.org\n')

        assert '"ann smith"@example.org' == await found(directory, "ann smith")


class TestDomains:
    """
    Lines and recipients without a domain (RFC 5321 §4.5.1 for postmaster).
    """

    async def test_a_line_without_domain_serves_the_default_domain_only(self, house):
        directory = await house.loaded("ann\n", default_domain="example.org")

        assert "ann@example.org" == await found(directory, "ann")
        assert await found(directory, "ann", "example.net") is None

    async def test_a_line_without_domain_is_the_same_as_one_with_the_default_domain(self, house):
        await house.loaded("ann@example.org\nann\n", default_domain="example.org")

        assert ["users:2: ann@example.org is on an earlier line"] == house.told

    async def test_a_recipient_without_domain_is_of_the_default_domain(self, house):
        directory = await house.loaded("ann@example.org\nbob\n", default_domain="Example.org")

        assert "ann@example.org" == await found(directory, "ann", "")
        assert "bob@Example.org" == await found(directory, "bob+x", "")

    @pytest.mark.guards("AD-6")
    @pytest.mark.parametrize("line", ["postmaster", "Postmaster@example.org", "postmaster@EXAMPLE.org"])
    @pytest.mark.parametrize("local_part", ["postmaster", "Postmaster", "POSTMASTER"])
    async def test_postmaster_needs_no_domain_in_any_spelling(self, house, line, local_part):
        directory = await house.loaded(f"postmaster@example.net\n{line}\n", default_domain="example.org")

        assert (await found(directory, local_part, "")).lower() == "postmaster@example.org"

    async def test_postmaster_without_a_default_domain_is_the_first_of_the_file(self, house):
        directory = await house.loaded("ann@a.example\nPostmaster@b.example\npostmaster@c.example\n")

        assert "Postmaster@b.example" == await found(directory, "postmaster", "")
        assert await found(directory, "ann", "") is None

    async def test_postmaster_of_a_domain_without_one_is_nobody(self, house):
        directory = await house.loaded("postmaster@example.net\n")

        assert await found(directory, "postmaster", "example.org") is None

    @pytest.mark.parametrize("domain", ["example_org", "bücher.example", "a b", "@"])
    def test_a_default_domain_that_is_none_is_refused(self, tmp_path, domain):
        with pytest.raises(ValueError, match="default_domain must be a domain"):
            UsersFileOptions(path=tmp_path, default_domain=domain)


class TestPath:
    def test_one_that_no_file_can_have_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="path must be one without NUL"):
            UsersFileOptions(path=tmp_path / "users\0")


class TestLoad:
    """
    Without a table nobody is accepted and nobody refused: the client keeps the mail.
    """

    async def test_a_missing_file_is_said_at_once(self, house):
        with pytest.raises(TransientError, match="users: No such file or directory"):
            await house.directory().load()

    async def test_a_folder_is_no_file(self, house):
        house.path.mkdir()
        with pytest.raises(TransientError, match="users: Is a directory"):
            await house.directory().load()

    async def test_a_file_without_accounts_is_refused(self, house):
        with pytest.raises(TransientError, match="users: no account in it"):
            await house.loaded("# nobody yet\nbad\n")

        assert 1 == len(house.told)

    async def test_lookups_before_the_first_good_reading_fail_for_now(self, house):
        with pytest.raises(TransientError) as error:
            await ask(house.directory(), Mailbox("ann", "example.org"))

        assert "4.3.0" == error.value.status

    async def test_lookups_read_the_file_when_it_comes(self, house):
        directory = house.directory()
        with pytest.raises(TransientError):
            await ask(directory, Mailbox("ann", "example.org"))
        house.write("ann@example.org\n")
        with pytest.raises(TransientError):
            await ask(directory, Mailbox("ann", "example.org"))
        house.now += POLL_SECONDS

        assert "ann@example.org" == await found(directory, "ann")


class TestChanges:
    """
    The file is read again when it has changed, and a bad moment of the file is no bad moment of the server.
    """

    async def test_who_was_added_is_found_at_the_next_look(self, house):
        directory = await house.loaded("ann@example.org\n")
        house.write("ann@example.org\nbob@example.org\n")
        house.now += POLL_SECONDS

        assert "bob@example.org" == await found(directory, "bob")

    async def test_nobody_looks_more_often_than_once_per_period(self, house):
        directory = await house.loaded("ann@example.org\n")
        house.write("bob@example.org\n")
        house.now += POLL_SECONDS / 2

        assert await found(directory, "bob") is None

    @pytest.mark.parametrize("seconds", [POLL_SECONDS, 86_400.0])
    async def test_who_was_removed_is_refused_however_long_no_mail_came(self, house, seconds):
        directory = await house.loaded("ann@example.org\nbob@example.org\n")
        house.write("ann@example.org\n")
        house.now += seconds

        assert await found(directory, "bob") is None

    async def test_an_unchanged_file_is_not_read_again(self, house, monkeypatch):
        directory = await house.loaded("ann@example.org\n")
        read = users_file._read
        tables = []
        monkeypatch.setattr(users_file, "_read", lambda *args: tables.append(read(*args)))
        house.now += POLL_SECONDS
        await ask(directory, Mailbox("nobody", "example.org"))

        assert [None] == tables

    @pytest.mark.parametrize("damage", ["vanished", "emptied"])
    async def test_a_file_that_is_gone_leaves_the_accounts_and_is_told_once(self, house, damage):
        directory = await house.loaded("ann@example.org\n")
        house.path.unlink()
        if damage == "emptied":
            house.path.touch()
        for _ in range(3):
            house.now += POLL_SECONDS
            assert await found(directory, "nobody") is None

        assert "ann@example.org" == await found(directory, "ann")
        reason = "No such file or directory" if damage == "vanished" else "no account in it"
        assert [f"users: {reason}; the accounts read before stay in force"] == house.told

    async def test_a_file_that_comes_and_goes_is_told_each_time(self, house):
        directory = await house.loaded("ann@example.org\n")
        for _ in range(2):
            aside = house.path.rename(house.path.with_suffix(".aside"))
            house.now += POLL_SECONDS
            await ask(directory, Mailbox("nobody", "example.org"))
            aside.rename(house.path)
            house.now += POLL_SECONDS
            await ask(directory, Mailbox("nobody", "example.org"))

        assert 2 == len(house.told)


class TestReading:
    """
    Whoever asks while the file is read waits for the newer table, but not for a disk that hangs.
    """

    HANGS = "users: still being read after 0 s; until that ends, the accounts read before stay in force"

    @pytest.fixture
    def gate(self, monkeypatch):
        """
        Holds every reading back until it is set; counts them.
        """
        gate = threading.Event()
        gate.readings = 0
        read = users_file._read

        def slow_read(*args):
            gate.readings += 1
            gate.wait(timeout=10)
            return read(*args)

        monkeypatch.setattr(users_file, "_read", slow_read)
        gate.set()
        yield gate
        gate.set()

    async def test_the_known_and_the_unknown_wait_for_one_reading(self, house, gate):
        directory = await house.loaded("ann@example.org\n")
        house.write("bob@example.org\n")
        gate.clear()
        house.now += POLL_SECONDS
        waiting = [asyncio.create_task(found(directory, name)) for name in ("ann", "bob", "ann", "bob")]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        gate.set()

        assert [None, "bob@example.org"] * 2 == await asyncio.gather(*waiting)
        assert 2 == gate.readings  # that of the start, and one for all of them

    async def test_one_that_hangs_leaves_the_old_table_and_is_told_once(self, house, gate):
        directory = await house.loaded("ann@example.org\n", patience_seconds=0)
        house.write("bob@example.org\n")
        gate.clear()
        for _ in range(3):
            house.now += POLL_SECONDS
            assert "ann@example.org" == await found(directory, "ann")
            assert await found(directory, "bob") is None

        assert [self.HANGS] == house.told
        gate.set()
        await directory._reading
        assert 2 == gate.readings  # that of the start, and one for all lookups

    async def test_one_that_hung_counts_when_it_ends(self, house, gate):
        directory = await house.loaded("ann@example.org\n", patience_seconds=0)
        house.write("bob@example.org\n")
        gate.clear()
        house.now += POLL_SECONDS
        await ask(directory, Mailbox("ann", "example.org"))
        gate.set()
        await directory._reading

        assert await found(directory, "ann") is None
        assert "bob@example.org" == await found(directory, "bob")

    async def test_one_that_hangs_at_the_start_is_waited_for(self, house, gate):
        house.write("ann@example.org\n")
        directory = house.directory(patience_seconds=0)
        gate.clear()
        loading = asyncio.create_task(directory.load())
        await asyncio.sleep(0)
        assert not loading.done()
        gate.set()
        await loading

        assert "ann@example.org" == await found(directory, "ann")

    async def test_who_gives_up_waiting_does_not_stop_the_reading_for_others(self, house, gate):
        directory = await house.loaded("ann@example.org\n")
        house.write("bob@example.org\n")
        gate.clear()
        house.now += POLL_SECONDS
        impatient, patient = (asyncio.create_task(found(directory, "bob")) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        gate.set()

        assert "bob@example.org" == await patient
        assert impatient.cancelled()
