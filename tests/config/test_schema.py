# SPDX-License-Identifier: Apache-2.0
"""
What can be set is what the rooms have: same names, same defaults, and help for every key.
"""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from lmtp.aio.listeners import TcpEndpoint, UnixEndpoint
from lmtp.aio.server import ServerSettings
from lmtp.config.keys import describe
from lmtp.config.schema import Fault, MaildirSettings, Settings, validate
from lmtp.directory.users_file import UsersFileOptions
from lmtp.protocol.limits import Leniency
from lmtp.stores.maildir import MaildirOptions
from lmtp.stores.paths import PathTemplate

KEYS = list(describe(Settings))


def defaults(section):
    return {field.name: field.default for field in dataclasses.fields(section)}


class TestRooms:
    """
    Nobody has to look a name up twice.
    """

    def test_the_server_is_set_by_its_own_names_with_its_own_defaults(self):
        ours, theirs = Settings(), ServerSettings(server_name="")
        names = {field.name for field in dataclasses.fields(theirs)} - {"dialect", "admittance"}

        assert {name: getattr(theirs, name) for name in names} == {name: getattr(ours, name) for name in names}

    def test_the_maildir_is_set_by_its_own_names_with_its_own_defaults(self):
        ours, theirs = defaults(MaildirSettings), defaults(MaildirOptions)

        assert set(theirs) == set(ours)
        assert PathTemplate().text == ours["template"]
        assert (theirs["file_mode"], theirs["folder_mode"]) == (ours["file_mode"], ours["folder_mode"])


class TestKeys:
    @pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
    def test_each_has_help_of_one_sentence(self, key):
        assert key.help.endswith(".")

    @pytest.mark.parametrize("key", [key for key in KEYS if key.default], ids=lambda key: key.name)
    def test_each_default_is_toml(self, key):
        assert tomllib.loads(f"value = {key.default}")

    def test_all_but_the_users_file_have_a_default(self):
        assert ["tls.certificate_file", "users.path"] == [key.name for key in KEYS if not key.default]


class TestValidate:
    def test_nothing_said_is_all_defaults(self):
        assert (Settings(), []) == validate({})

    def test_text_becomes_what_it_means(self):
        settings, faults = validate(
            {
                "listen": ["[::1]:2424", "unix:/run/lmtp.sock,mode=0660,group=postfix"],
                "leniency": ["nul", "domain_optional"],
                "users": {"path": "users"},
                "deadlines": {"command_seconds": 10},
                "maildir": {"template": "{local_part}", "file_mode": 0o640},
            }
        )

        assert [] == faults
        assert (TcpEndpoint("::1", 2424), UnixEndpoint("/run/lmtp.sock", "0660", group="postfix")) == settings.listen
        assert Leniency.NUL | Leniency.DOMAIN_OPTIONAL == settings.leniency
        assert UsersFileOptions(path=Path("users")) == settings.users
        assert 10 == settings.deadlines.command_seconds
        assert MaildirSettings(template="{local_part}", file_mode=0o640) == settings.maildir

    @pytest.mark.parametrize(
        ("data", "where", "text"),
        [
            ({"listen": "x"}, ("listen",), "expected a list of text, not 'x'"),
            ({"listen": []}, ("listen",), "expected at least one endpoint"),
            ({"listen": ["unix:/run/\0"]}, ("listen", 0), "expected a path without NUL, not 'unix:/run/\\x00'"),
            ({"spool_folder": "/tmp\0"}, ("spool_folder",), "expected a path without NUL, not '/tmp\\x00'"),
            ({"maildir": {"root": "a\0b"}}, ("maildir", "root"), "expected a path without NUL, not 'a\\x00b'"),
            ({"users": {"path": "u\0"}}, ("users", "path"), "must be one without NUL"),
            ({"listen": [5]}, ("listen", 0), "expected text, not 5"),
            ({"listen": ["h:1", "h:25"]}, ("listen", 1), "LMTP must not be used on TCP port 25"),
            ({"server_name": 5}, ("server_name",), "expected text, not 5"),
            ({"connections": "5"}, ("connections",), "expected a whole number, not '5'"),
            ({"connections": True}, ("connections",), "expected a whole number, not True"),
            ({"connections": 1.5}, ("connections",), "expected a whole number, not 1.5"),
            ({"connections": 0}, ("connections",), "must be at least 1"),
            ({"log_level": "loud"}, ("log_level",), "expected one of 'debug', 'info', 'warning', 'error', not"),
            ({"leniency": "nul"}, ("leniency",), "expected a list, not 'nul'"),
            ({"leniency": ["tls"]}, ("leniency",), "expected some of 'domain_optional', 'space_before_path', "),
            ({"leniency": [["nul"]]}, ("leniency",), "expected some of"),
            ({"limits": 5}, ("limits",), "expected a table, not 5"),
            ({"limits": {"recipients": 5}}, ("limits", "recipients"), "must be at least 100"),
            ({"deadlines": {"drain_seconds": 0}}, ("deadlines", "drain_seconds"), "must be more than 0"),
            ({"maildir": {"template": "../x"}}, ("maildir", "template"), "'../x' needs"),
            ({"maildir": {"file_mode": 600}}, ("maildir", "file_mode"), "expected permission bits such as 0o600"),
            ({"users": {}}, ("users", "path"), "must be given"),
            (
                {"users": {"path": "u", "default_domain": "a_b"}},
                ("users", "default_domain"),
                "must be a domain, not 'a_b'",
            ),
        ],
        ids=str,
    )
    def test_says_which_key_and_what_was_expected(self, data, where, text):
        settings, faults = validate(data)

        assert settings is None
        assert [where] == [fault.where for fault in faults]
        assert faults[0].text.startswith(text)

    def test_says_all_at_once(self):
        _, faults = validate({"connections": 0, "log_format": "fancy", "limits": {"recipients": "all"}})

        assert [("log_format",), ("connections",), ("limits", "recipients")] == [fault.where for fault in faults]


class TestEveryone:
    """
    Without a users file everyone is accepted: nobody but this machine may be offered that.
    """

    @pytest.mark.parametrize("endpoint", ["127.0.0.1:2424", "[::1]:2424", "localhost:2424", "unix:/run/lmtp.sock"])
    def test_is_offered_to_this_machine(self, endpoint):
        settings, _ = validate({"listen": [endpoint]})

        assert settings.users is None

    @pytest.mark.guards("LMTP-5-10")
    @pytest.mark.parametrize("endpoint", ["0.0.0.0:2424", "[::]:2424", "store1.example:2424"])
    def test_is_not_offered_to_others(self, endpoint):
        _, faults = validate({"listen": ["127.0.0.1:2424", endpoint]})

        assert [
            Fault(
                ("users",),
                "must be set: without a users file everyone is accepted, and others than this machine can reach "
                + endpoint,
            )
        ] == faults

    def test_a_users_file_opens_all_endpoints(self):
        settings, _ = validate({"listen": ["0.0.0.0:2424"], "users": {"path": "users"}})

        assert settings.users is not None
