# SPDX-License-Identifier: Apache-2.0
"""
The fixtures, as another project's test-suite sees them.
"""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

PLUGIN = "lmtp.testing.pytest_plugin"


@pytest.fixture
def run(pytester):
    """
    Run a module of tests, with the plugin named as a module, whether or not it is installed as an entry point.
    """

    def run_module(text, *arguments):
        pytester.makepyfile(text)
        return pytester.runpytest_inprocess("-p", "no:lmtp", "-p", PLUGIN, "-p", "no:randomly", *arguments)

    return run_module


class TestPlugin:
    def test_is_found_by_pytest(self):
        project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())["project"]

        assert {"lmtp": PLUGIN} == project["entry-points"]["pytest11"]
        assert import_module(PLUGIN)

    def test_imports_no_server_for_those_who_ask_for_none(self):
        program = f"import sys, {PLUGIN}; print([name for name in sys.modules if name.startswith('lmtp.testing.')])"
        printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

        assert f"['{PLUGIN}']\n" == printed


class TestServer:
    def test_collects_what_blocking_programmes_send(self, run):
        result = run("""
            import smtplib

            def test_newsletter_reaches_ann(lmtp_server):
                with smtplib.LMTP(lmtp_server.host, lmtp_server.port) as client:
                    client.sendmail("news@example.org", ["ann@example.org"], "Subject: News\\n\\nNothing new")
                [message] = lmtp_server.messages
                assert message.email["Subject"] == "News"
                assert message.recipients == ["ann@example.org"]

            def test_starts_empty(lmtp_server):
                assert lmtp_server.messages == []
        """)

        result.assert_outcomes(passed=2)

    def test_collects_what_asynchronous_programmes_send(self, run, pytester):
        pytester.makeconftest("""
            import pytest

            @pytest.fixture
            def anyio_backend():
                return "asyncio"
        """)
        result = run(
            """
            import asyncio
            import lmtp

            async def test_bob_is_to_be_tried_again(lmtp_server):
                lmtp_server.refuse("bob@example.org", "452 4.2.2 Full")
                envelope = lmtp.OutgoingEnvelope.parse("", "ann@example.org", "bob@example.org")
                async with lmtp.connect(lmtp_server.endpoint) as client:
                    ann, bob = await client.send(envelope, b"Subject: hi\\r\\n\\r\\n")
                assert ann.is_delivered and bob.is_deferred
                assert len(await asyncio.to_thread(lmtp_server.wait_for, 1)) == 1
            """,
            "-o",
            "anyio_mode=auto",
        )

        result.assert_outcomes(passed=1)

    def test_has_the_settings_of_the_project(self, run, pytester):
        pytester.makeconftest("""
            import lmtp
            import pytest

            @pytest.fixture
            def lmtp_server_settings():
                return lmtp.ServerSettings(server_name="theirs.example")
        """)
        result = run("""
            def test_name(lmtp_server, lmtp_client):
                assert lmtp_client.offered.server_name == "theirs.example"
        """)

        result.assert_outcomes(passed=1)


class TestClient:
    def test_sends_to_the_server(self, run):
        result = run("""
            import lmtp

            def test_carl_fails(lmtp_server, lmtp_client):
                lmtp_server.fail("carl@example.org", "550 5.2.1")
                envelope = lmtp.OutgoingEnvelope.parse("", "ann@example.org", "carl@example.org")
                ann, carl = lmtp_client.send(envelope, b"Subject: hi\\r\\n\\r\\n")
                assert ann.is_delivered and carl.is_failed
                assert lmtp_server.messages[0].recipients == ["ann@example.org"]
        """)

        result.assert_outcomes(passed=1)


class TestScript:
    def test_starts_as_many_servers_as_a_test_wants(self, run):
        result = run("""
            import smtplib
            import pytest

            def test_busy(lmtp_script):
                busy = lmtp_script("greeting: 421 4.3.2 Busy")
                right = lmtp_script()
                with pytest.raises(smtplib.SMTPConnectError):
                    smtplib.LMTP(*busy.endpoint.split(":"))
                smtplib.LMTP(*right.endpoint.split(":")).quit()
                assert right.commands == [b"quit"] and busy.commands == []
        """)

        result.assert_outcomes(passed=1)
