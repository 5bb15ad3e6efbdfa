# SPDX-License-Identifier: Apache-2.0
"""
`lmtp serve` on the command line: what it refuses, in whose words, with which exit status.
"""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from lmtp.cli.app import app


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(app, arguments)


class TestBadSettings:
    def test_are_told_all_at_once_with_file_key_and_what_was_expected(self, run, tmp_path):
        config = tmp_path / "lmtp.toml"
        config.write_text('listen = ["0.0.0.0:25"]\nlog_formt = "json"\n[limits]\nrecipients = 3\n')
        result = run("serve", "--config", str(config))

        assert os.EX_CONFIG == result.exit_code
        assert 3 == len(result.stderr.splitlines())
        for key in ("listen[0]", "log_formt", "limits.recipients"):
            assert f"lmtp: {config}: {key}: " in result.stderr

    def test_of_the_command_line_are_told_as_its_own(self, run):
        result = run("serve", "--listen", "127.0.0.1:25")

        assert os.EX_CONFIG == result.exit_code
        assert "command line" in result.stderr
        assert "RFC 2033" in result.stderr

    def test_file_that_is_missing_is_named(self, run):
        result = run("serve", "--config", "/no/such/lmtp.toml")

        assert os.EX_CONFIG == result.exit_code
        assert "/no/such/lmtp.toml" in result.stderr

    def test_users_file_that_is_missing_is_named(self, run, tmp_path):
        result = run("serve", "--listen", f"unix:{tmp_path}/lmtp.sock", "--users", "/no/such/users")

        assert os.EX_CONFIG == result.exit_code
        assert "/no/such/users" in result.stderr

    def test_everyone_is_not_offered_to_other_machines(self, run):
        result = run("serve", "--listen", "0.0.0.0:2424")

        assert os.EX_CONFIG == result.exit_code
        assert "users" in result.stderr


class TestCommand:
    def test_tells_its_version(self, run):
        assert run("--version").output.startswith("lmtp, version ")

    def test_is_also_a_module(self):
        result = subprocess.run([sys.executable, "-m", "lmtp", "--help"], capture_output=True, text=True, check=True)

        assert "serve" in result.stdout

    def test_says_what_to_install_when_only_the_library_is_there(self):
        code = "import sys; sys.modules['click'] = None; from lmtp.__main__ import main; main()"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

        assert 1 == result.returncode
        assert "pip install 'lmtp[server]'" in result.stderr
