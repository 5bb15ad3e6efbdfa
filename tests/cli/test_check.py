# SPDX-License-Identifier: Apache-2.0
"""
`lmtp check` on the command line: what it prints, writes and refuses, and with which exit status it ends.
"""

import asyncio
import json
import os
import ssl
import threading
from xml.etree import ElementTree as ET

import pytest
import trustme
from click.testing import CliRunner

from lmtp.cli.app import app
from lmtp.cli.output import Screen, Style
from lmtp.testing.scripted import Conversation, Place, serving

USERS = ("--user", "ann@example.org", "--user", "bob@example.org", "--unknown", "nobody@example.org")
FAST = ("--timeout", "1", "--quiet-time", "0.05")


class AcceptsEhlo(Conversation):
    """
    Breaks a MUST.
    """

    def verbs(self):
        return super().verbs() | {"EHLO": self.lhlo}


class UnknownVerbIs502(Conversation):
    """
    Breaks SHOULDs alone.
    """

    async def dispatch(self, verb, rest):
        if verb == "WIBBLE":
            self.reply(502, "5.5.1", "No")
        else:
            await super().dispatch(verb, rest)


class Vanishes(Conversation):
    """
    Takes its socket with it.
    """

    async def noop(self, rest):
        self.place.maildir.with_name("s").unlink(missing_ok=True)
        await super().noop(rest)


def certificates():
    """
    Return an authority, a certificate of localhost's, and what a server needs of it.
    """
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return authority, certificate, context


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(app, ["check", *map(str, arguments)])


@pytest.fixture
def start(place):
    """
    Serve in a loop of its own: the command has one too.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    (place / "mail" / "new").mkdir(parents=True)
    running = []

    def start_server(kind=Conversation, starttls=None, tls=None):
        server = serving(kind, Place(place / "mail", starttls), place / "s", tls=tls)
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(5)
        running.append(server)
        return f"unix:{place}/s"

    yield start_server
    for server in running:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class TestRun:
    def test_tells_each_case_with_its_clause_and_sums_up(self, run, start, place):
        result = run(start(), *USERS, *FAST, "--maildir", place / "mail")

        assert 0 == result.exit_code, result.output
        assert "pass  LMTP-4.2-3b   MUST    Two accepted recipients get a reply each" in result.stdout
        assert "[RFC 2033 §4.2]" in result.stdout
        assert "skip  LMTP-4.2-3c" in result.stdout
        assert "--failing was not given" in result.stdout
        assert "inconclusive" in result.stdout.splitlines()[-4]

    def test_tells_what_was_sent_what_came_and_what_was_expected(self, run, start):
        result = run(start(AcceptsEhlo), *FAST, "--case", "LMTP-4.1-2b")

        assert 1 == result.exit_code
        lines = [line.strip() for line in result.stdout.splitlines()]
        assert "expected  anything but 2yz" in lines
        assert r"C: EHLO client.example\r\n" in lines
        assert r"S: 250-scripted.example\r\n" in lines

    def test_counts_shoulds_when_it_is_strict(self, run, start):
        endpoint = start(UnknownVerbIs502)

        assert 0 == run(endpoint, *FAST, "--group", "commands").exit_code
        assert 1 == run(endpoint, *FAST, "--group", "commands", "--strict").exit_code

    def test_prints_json_and_nothing_else(self, run, start):
        document = json.loads(run(start(), *FAST, "--json", "--case", "ST-*").stdout)

        assert document["endpoint"].startswith("unix:")
        assert {"ST-3"} < {case["id"] for case in document["cases"]}

    def test_writes_junit(self, run, start, tmp_path):
        result = run(start(AcceptsEhlo), *FAST, "--junit", tmp_path / "report.xml", "--group", "lhlo")

        assert 1 == result.exit_code
        assert "1" == ET.parse(tmp_path / "report.xml").getroot()[0].get("failures")

    def test_goes_through_tls_and_logs_in(self, run, start, tmp_path):
        authority, certificate, context = certificates()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
        (tmp_path / "password").write_text("tiger\nnot this\n")
        endpoint = start(starttls=context)
        login = ("--auth-user", "ann", "--auth-password-file", tmp_path / "password")

        trusted = run(
            endpoint, *FAST, "--starttls", "--ca", tmp_path / "ca.pem", "--cert", tmp_path / "client.pem", *login,
            "--case", "AU-1", "--case", "TL-2c",
        )  # fmt: skip
        insecure = run(endpoint, *FAST, "--starttls", "--insecure", "--case", "TL-2c")
        refused = run(endpoint, *FAST, "--starttls", "--case", "TL-2c")

        assert 2 == trusted.stdout.count("  pass  "), trusted.stdout
        assert "pass" in insecure.stdout
        assert os.EX_UNAVAILABLE == refused.exit_code
        assert "the TLS handshake failed" in refused.stderr

    def test_goes_through_implicit_tls(self, run, start, tmp_path):
        authority, _, context = certificates()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")

        assert (
            "  pass  " in run(start(tls=context), *FAST, "--tls", "--ca", tmp_path / "ca.pem", "--case", "ST-8").stdout
        )


class TestGoneServer:
    def test_at_the_start_is_unavailable(self, run, place):
        result = run(f"unix:{place}/nobody", "--timeout", "0.05")

        assert os.EX_UNAVAILABLE == result.exit_code
        assert "no connection" in result.stderr

    def test_at_a_port_is_unavailable_too(self, run):
        assert os.EX_UNAVAILABLE == run("127.0.0.1:1", "--timeout", "0.05").exit_code

    def test_in_the_middle_is_told(self, run, start):
        result = run(start(Vanishes), "--timeout", "0.2", "--parallel", "1", "--case", "GR-6d", "--case", "GR-7")

        assert os.EX_UNAVAILABLE == result.exit_code
        assert "the server has been gone since GR-7" in result.stderr


class TestList:
    def test_has_every_case(self, run):
        lines = run("--list").stdout.splitlines()

        assert len(lines) >= 150
        assert any("LMTP-4.2-3b" in line and "RFC 2033 §4.2" in line for line in lines)

    def test_can_be_narrowed(self, run):
        assert all("TX-" in line for line in run("--list", "--group", "smuggling").stdout.splitlines())


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "ENDPOINT"),
            (["nowhere"], "no endpoint"),
            (["127.0.0.1:25"], "RFC 2033"),
            (["127.0.0.1:24,tls"], "say --tls"),
            (["unix:/s", "--group", "none"], "There is no group none"),
            (["unix:/s", "--case", "none"], "no such case"),
            (["unix:/s", "--tls", "--starttls"], "do not go together"),
            (["unix:/s", "--auth-user", "ann"], "go together"),
            (["unix:/s", "--timeout", "0"], "timeout"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, run, arguments, words):
        result = run(*arguments)

        assert 2 == result.exit_code
        assert words in result.stderr

    def test_of_a_file_that_is_no_certificate_is_refused(self, run, tmp_path):
        (tmp_path / "ca.pem").write_text("nothing")

        result = run("unix:/s", "--tls", "--ca", tmp_path / "ca.pem")

        assert 2 == result.exit_code
        assert "TLS" in result.stderr


class TestScreen:
    def test_shows_progress_on_a_terminal_alone(self, monkeypatch, capsys):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        with Screen() as screen:
            screen.progress("1 of 2")
            screen.line(("[bold]", Style.PLAIN), ("x", Style.BAD))

        assert "[bold]" in capsys.readouterr().out

    def test_that_is_silent_prints_nothing(self, capsys):
        with Screen(is_silent=True) as screen:
            screen.line(("text", Style.PLAIN))

        assert "" == capsys.readouterr().out
