# SPDX-License-Identifier: Apache-2.0
"""
A settings file in: all of it, or all that is wrong with it.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.aio.listeners import TcpEndpoint
from lmtp.config.load import ConfigError, Problem, load_settings
from lmtp.config.schema import Settings


@pytest.fixture
def load(tmp_path):
    """
    Load settings from text, with what the command line says.
    """
    path = tmp_path / "lmtp.toml"

    def load(text, overrides=None):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            return load_settings(path, overrides)
        except ConfigError as error:
            return [str(problem).replace(str(path), "lmtp.toml") for problem in error.problems]

    return load


UNITS = "B, kB, KiB, MB, MiB, GB, GiB"
FOR_ALL = "must be set: without a users file everyone is accepted, and others than this machine can reach "
SCALARS = st.booleans() | st.integers() | st.floats() | st.text()
TABLES_AND_LISTS = st.lists(SCALARS | st.lists(SCALARS)) | st.dictionaries(
    st.sampled_from(["path", "recipients", "message_bytes", "default_domain"]), SCALARS
)


class TestValues:
    def test_no_file_and_no_word_is_all_defaults(self):
        assert Settings() == load_settings()

    def test_an_empty_file_is_all_defaults(self, load):
        assert Settings() == load("# nothing\n")

    def test_sizes_and_times_may_have_units(self, load):
        settings = load(
            """
            memory_bytes = "128 MiB"
            spool_threshold_bytes = 1000
            [limits]
            message_bytes = "20 MB"
            [deadlines]
            command_seconds = "5 min"
            verify_seconds = 1.5
            """
        )

        assert 128 * 2**20 == settings.memory_bytes
        assert 1000 == settings.spool_threshold_bytes
        assert 20_000_000 == settings.limits.message_bytes
        assert 300 == settings.deadlines.command_seconds
        assert 1.5 == settings.deadlines.verify_seconds


class TestOverrides:
    def test_the_command_line_comes_before_the_file(self, load):
        settings = load(
            'listen = ["127.0.0.1:1"]\n[maildir]\nroot = "a"\nfile_mode = 0o640\n',
            {"listen": ["127.0.0.1:2"], "maildir.root": "b", "users.path": Path("users")},
        )

        assert (TcpEndpoint("127.0.0.1", 2),) == settings.listen
        assert "b" == settings.maildir.root
        assert 0o640 == settings.maildir.file_mode
        assert Path("users") == settings.users.path

    def test_a_users_file_on_the_command_line_opens_the_endpoints_of_the_file(self, load):
        assert isinstance(load('listen = ["0.0.0.0:2424"]', {"users.path": "users"}), Settings)

    def test_what_is_wrong_with_them_is_not_blamed_on_the_file(self, load):
        assert [
            "command line: listen[0]: 'x' is no endpoint: write host:port, [v6-address]:port or unix:/path",
            "lmtp.toml: connections: must be at least 1",
        ] == load("connections = 0", {"listen": ["x"]})

    def test_without_a_file_all_is_the_command_line(self):
        with pytest.raises(ConfigError, match=r"^command line: users: must be set"):
            load_settings(overrides={"listen": ["0.0.0.0:2424"]})

    @pytest.mark.parametrize(
        ("key", "value"),
        [("maildir.root", "J\udcf6rg"), ("users.path", "J\udcf6rg"), ("listen", ["unix:/run/J\udcf6rg"])],
    )
    def test_octets_that_are_no_utf_8_are_told(self, key, value):
        with pytest.raises(ConfigError) as error:
            load_settings(overrides={key: value})

        assert (Problem("command line", key, f"expected UTF-8, not {value!r}"),) == error.value.problems

    def test_a_value_where_the_command_line_needs_a_table_is_told(self, load):
        assert ["lmtp.toml: users: expected a table, not 'users'"] == load('users = "users"', {"users.path": "u"})


class TestProblems:
    def test_all_are_told_at_once(self, load):
        assert [
            "lmtp.toml: connection: there is no such key; did you mean connections?",
            "lmtp.toml: deadlines.command_second: there is no such key; did you mean command_seconds?",
            f"lmtp.toml: memory_bytes: expected a number with or without a unit ({UNITS}), not 'lots'",
            "lmtp.toml: deadlines.drain_seconds: expected a number, not inf",
            "lmtp.toml: log_format: expected one of 'auto', 'pretty', 'logfmt', 'json', not 'fancy'",
            "lmtp.toml: limits.path_bytes: expected a number of octets or text such as '50 MiB', not True",
            "lmtp.toml: limits.recipients: must be at least 100",
            "lmtp.toml: limits.bad_commands: must be at least 1",
            f"lmtp.toml: users: {FOR_ALL}0.0.0.0:2424",
        ] == load(
            """
            listen = ["0.0.0.0:2424"]
            connection = 5
            memory_bytes = "lots"
            log_format = "fancy"
            [limits]
            recipients = 5
            bad_commands = 0
            path_bytes = true
            [deadlines]
            command_second = 5
            drain_seconds = inf
            """
        )

    def test_a_fault_has_no_faults_of_its_own(self, load):
        assert ["lmtp.toml: users.path: must be given"] == load('listen = ["0.0.0.0:2424"]\n[users]\n')

    def test_a_key_in_the_wrong_table_is_shown_its_place(self, load):
        assert ["lmtp.toml: recipients: there is no such key; did you mean limits.recipients?"] == load(
            "recipients = 500"
        )

    def test_a_key_like_no_other_gets_no_suggestion(self, load):
        assert ["lmtp.toml: xyzzy: there is no such key"] == load("xyzzy = 1")

    def test_an_unknown_table_is_an_unknown_key(self, load):
        assert ["lmtp.toml: user: there is no such key; did you mean users?"] == load('[user]\npath = "users"')

    def test_are_values_for_who_wants_to_show_them_otherwise(self):
        with pytest.raises(ConfigError) as error:
            load_settings(overrides={"connections": 0, "log_level": "x"})

        assert Problem("command line", "connections", "must be at least 1") in error.value.problems
        assert 2 == len(str(error.value).splitlines())


class TestFile:
    def test_a_missing_one_is_told(self, tmp_path):
        with pytest.raises(ConfigError, match=r"lmtp\.toml: No such file or directory$"):
            load_settings(tmp_path / "lmtp.toml")

    def test_bad_syntax_is_told_with_its_place(self, load):
        assert ["lmtp.toml: line 2, column 5: Invalid value"] == load("# hello\na = \n")
        (problem,) = load("listen = [")
        assert problem.startswith("lmtp.toml: end of document: ")

    def test_text_in_another_encoding_is_told_with_its_place(self, load):
        assert ["lmtp.toml: octet 15: expected UTF-8"] == load(b'server_name = "\xe9"')

    def test_a_byte_order_mark_is_told_as_what_it_is(self, load):
        assert ["lmtp.toml: octet 0: expected UTF-8 without a byte order mark"] == load("\ufeffconnections = 5")

    @given(
        st.dictionaries(
            st.sampled_from(["listen", "limits", "users", "leniency", "log_level", "connections"]),
            SCALARS | TABLES_AND_LISTS,
        )
    )
    def test_no_values_end_in_anything_but_settings_or_problems(self, data):
        try:
            load_settings(overrides=data)
        except ConfigError as error:
            problems = error.problems
        else:
            problems = None

        assert problems is None or problems
