# SPDX-License-Identifier: Apache-2.0
"""
`lmtp send` on the command line: what it sends, prints and refuses, and with which exit status it ends.
"""

import asyncio
import itertools
import json
import mailbox
import os
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from lmtp.cli import send as command
from lmtp.cli.app import app
from lmtp.testing.scripted import Conversation, Place, serving

MESSAGE = b"Subject: a\n\nbody\n"
ANN = ("--rcpt", "ann@example.org")


class Refuses(Conversation):
    """
    Says at RCPT what the local part says: ``550-5.7.1@example.org``.
    """

    def take(self, path):
        code, _, status = path.decode().strip("<>").partition("@")[0].partition("-")
        self.reply(int(code), status, "Because")


class EndsSessions(Conversation):
    """
    Takes two messages, then wants no more on this connection.
    """

    taken = 0

    async def mail(self, rest):
        if self.taken == 2:
            self.reply(421, "4.7.0", "Enough")
            self.is_over = True
        else:
            self.taken += 1
            await super().mail(rest)


class IsFull(Conversation):
    """
    Greets nobody.
    """

    def greet(self):
        self.reply(421, "4.3.2", "Come back later")
        self.is_over = True


class Trusts(Conversation):
    """
    Takes XCLIENT and XFORWARD.
    """

    def offers(self):
        return [*super().offers(), "XCLIENT NAME ADDR", "XFORWARD NAME"]

    def verbs(self):
        return super().verbs() | {"XCLIENT": self.xclient, "XFORWARD": self.noop}

    async def xclient(self, rest):
        self.has_greeted = False
        self.greet()


class Stalls(Conversation):
    """
    Takes a content and says nothing.
    """

    def deliver(self, content):
        self.place.maildir.joinpath("stalled").touch()


def certificates():
    """
    Return an authority, a certificate of localhost's, and what a server needs of it.
    """
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return authority, context


@pytest.fixture
def run():
    def run_command(*arguments, message=MESSAGE, sender="a@example.org"):
        words = ["send", "--from", sender, *map(str, arguments)]
        return CliRunner().invoke(app, words, input=message)

    return run_command


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

    def start_server(kind=Conversation, starttls=None):
        server = serving(kind, Place(place / "mail", starttls), place / "s")
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(5)
        running.append(server)
        return ("--to", f"unix:{place}/s")

    yield start_server
    for server in running:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def stored(place):
    return lambda: [path.read_bytes() for path in (place / "mail" / "new").iterdir()]


class TestMessage:
    def test_of_standard_input_arrives(self, run, start, stored):
        result = run(*start(), *ANN, sender="")

        assert 0 == result.exit_code, result.output
        assert "standard input\n  delivered  <ann@example.org>  250 2.0.0 Stored\n" == result.stdout
        (content,) = stored()
        assert content.startswith(b"Return-Path: <>\r\nDelivered-To: ann@example.org\r\n")
        assert content.endswith(MESSAGE.replace(b"\n", b"\r\n"))

    def test_goes_to_those_it_was_said_to_and_to_nobody_it_names(self, run, start, stored):
        message = b"To: bob@example.org\nCc: bob@example.org\nBcc: bob@example.org\n\nbody\n"
        result = run(*start(), *ANN, message=message)

        assert 0 == result.exit_code
        (content,) = stored()
        assert b"Delivered-To: ann@example.org\r\n" in content
        assert b"Bcc: bob@example.org" in content

    def test_is_sent_as_often_as_asked(self, run, start, stored):
        result = run(*start(), *ANN, "--count", "20", "--connections", "3")

        assert 0 == result.exit_code
        assert 20 == len(stored())
        assert result.stdout.splitlines()[-1].startswith("20 messages in ")
        assert result.stdout.endswith(": 20 delivered\n")

    def test_goes_on_in_a_new_session_when_the_server_has_had_enough_of_one(self, run, start, stored):
        result = run(*start(EndsSessions), *ANN, "--count", "5")

        assert 0 == result.exit_code, result.output
        assert 5 == len(stored())


class TestSources:
    def test_may_be_several(self, run, start, stored, tmp_path):
        box = mailbox.mbox(tmp_path / "box")
        for _ in range(2):
            box.add(MESSAGE)
        box.close()
        mailbox.Maildir(tmp_path / "dir").add(MESSAGE)
        (tmp_path / "a.eml").write_bytes(MESSAGE)

        result = run(*start(), *ANN, *(tmp_path / name for name in ("box", "dir", "a.eml")), "-")

        assert 0 == result.exit_code, result.output
        assert 5 == len(stored())
        names = [line for line in result.stdout.splitlines() if not line.startswith((" ", "5 messages"))]
        assert [f"{tmp_path}/box #1", f"{tmp_path}/box #2"] == names[:2]
        assert [f"{tmp_path}/a.eml", "standard input"] == names[3:]

    def test_that_are_empty_send_nothing(self, run, start, tmp_path):
        mailbox.Maildir(tmp_path / "dir")

        result = run(*start(), *ANN, tmp_path / "dir")

        assert 0 == result.exit_code
        assert result.stdout.startswith("0 messages")

    def test_that_are_not_there_are_no_input(self, run, tmp_path):
        result = run("--to", "unix:/s", *ANN, tmp_path / "gone")

        assert os.EX_NOINPUT == result.exit_code
        assert f"lmtp: {tmp_path}/gone: No such file or directory\n" == result.stderr

    def test_one_of_which_is_empty_are_no_input_in_the_end(self, run, start, stored, tmp_path):
        (tmp_path / "a.eml").touch()
        (tmp_path / "b.eml").write_bytes(MESSAGE)

        result = run(*start(), *ANN, tmp_path)

        assert os.EX_NOINPUT == result.exit_code
        assert 1 == len(stored())
        assert "  unread     it is empty\n" in result.stdout

    def test_there_is_no_room_for_are_to_be_tried_again(self, run, monkeypatch):
        def fail(*_, **__):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(command, "open_source", fail)
        result = run("--to", "unix:/s", *ANN)

        assert os.EX_TEMPFAIL == result.exit_code
        assert "No space left" in result.stderr


class TestExitStatus:
    @pytest.mark.parametrize(
        ("code", "status", "expected"),
        [
            (450, "4.2.1", os.EX_TEMPFAIL),
            (550, "5.1.1", os.EX_NOUSER),
            (550, "5.1.2", os.EX_NOHOST),
            (552, "5.2.2", os.EX_UNAVAILABLE),
            (554, "5.6.0", os.EX_DATAERR),
            (503, "5.5.1", os.EX_PROTOCOL),
            (550, "5.7.1", os.EX_NOPERM),
        ],
    )
    def test_is_the_cause(self, run, start, code, status, expected):
        result = run(*start(Refuses), "--rcpt", f"{code}-{status}@example.org")

        assert expected == result.exit_code
        assert f"{code} {status} Because  (the reply to RCPT)" in result.stdout

    def test_is_to_try_again_when_one_should_be(self, run, start, stored):
        result = run(*start(), *ANN, "--rcpt", "failing@example.org", "--rcpt", "nobody@example.org")

        assert os.EX_TEMPFAIL == result.exit_code
        assert [
            "standard input",
            "  delivered  <ann@example.org>      250 2.0.0 Stored",
            "  deferred   <failing@example.org>  452 4.2.2 Full",
            "  failed     <nobody@example.org>   550 5.1.1 Nobody here  (the reply to RCPT)",
        ] == result.stdout.splitlines()
        assert 1 == len(stored())

    def test_is_that_of_those_who_failed_when_others_have_it(self, run, start):
        assert os.EX_NOUSER == run(*start(), *ANN, "--rcpt", "nobody@example.org").exit_code

    def test_is_unavailable_when_there_are_several_causes(self, run, start):
        result = run(*start(Refuses), "--rcpt", "550-5.1.1@example.org", "--rcpt", "550-5.7.1@example.org")

        assert os.EX_UNAVAILABLE == result.exit_code

    def test_is_to_try_again_when_nobody_is_there(self, run):
        result = run("--to", "127.0.0.1:1", *ANN)

        assert os.EX_TEMPFAIL == result.exit_code
        assert "  deferred   <ann@example.org>  4.4.1 Connection refused" in result.stdout
        assert "lmtp: no session with 127.0.0.1:1: Connection refused\n" == result.stderr

    def test_is_to_try_again_when_the_server_lets_nobody_in(self, run, start):
        result = run(*start(IsFull), *ANN, "--count", "3")

        assert os.EX_TEMPFAIL == result.exit_code
        assert "421 4.3.2 Come back later" in result.stderr
        assert "the messages after that were not sent" in result.stderr

    def test_is_to_try_again_when_no_reply_comes(self, run, start):
        result = run(*start(Stalls), *ANN, "--timeout", "0.05")

        assert os.EX_TEMPFAIL == result.exit_code
        assert "4.4.2 0 of 1 replies came" in result.stdout

    def test_is_to_try_again_when_the_fault_is_our_own(self, run, monkeypatch):
        monkeypatch.setattr(command, "Plan", None)
        result = run("--to", "unix:/s", *ANN)

        assert os.EX_TEMPFAIL == result.exit_code
        assert "Traceback" in result.stderr


class TestJson:
    def test_is_an_object_a_line_and_nothing_else(self, run, start):
        result = run(*start(), *ANN, "--rcpt", "nobody@example.org", "--json", "--quiet", "--count", "2")

        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert [1, 1, 2, 2] == [line["number"] for line in lines]
        assert ["delivered", "failed"] * 2 == [line["outcome"] for line in lines]
        assert {"recipient": "nobody@example.org", "code": 550, "status": "5.1.1"}.items() <= lines[1].items()


class TestQuiet:
    def test_says_nothing_when_all_is_well(self, run, start):
        assert "" == run(*start(), *ANN, "--quiet").output

    def test_says_who_has_not_got_it(self, run, start):
        result = run(*start(), *ANN, "--rcpt", "nobody@example.org", "-q")

        assert "" == result.stdout
        assert "lmtp: <nobody@example.org> failed: 550 5.1.1 Nobody here\n" == result.stderr


class TestTranscript:
    def test_has_all_but_secrets(self, run, start, tmp_path):
        (tmp_path / "password").write_text("tiger\n")
        result = run(
            *start(), *ANN, "--auth-user", "ann", "--auth-password-file", tmp_path / "password",
            "--transcript", tmp_path / "wire", "--client-name", "client.example",
        )  # fmt: skip

        assert 0 == result.exit_code, result.output
        lines = (tmp_path / "wire").read_text().splitlines()
        assert "1 S: 220 scripted.example LMTP" == lines[0]
        assert "1 C: LHLO client.example" == lines[1]
        assert "1 C: (secret)" in lines
        assert "1 C: RCPT TO:<ann@example.org>" in lines
        assert "1 S: 221 2.0.0 Goodbye" == lines[-1]
        assert "dGlnZXI" not in "".join(lines)

    def test_goes_to_standard_output_too(self, run, start):
        lines = run(*start(), *ANN, "--transcript", "-", "--no-bdat").stdout.splitlines()

        assert "1 C: DATA" in lines
        assert "standard input" in lines

    def test_that_cant_be_made_is_said_before_anything_is_sent(self, run, tmp_path):
        result = run("--to", "unix:/s", *ANN, "--transcript", tmp_path / "no" / "wire")

        assert os.EX_TEMPFAIL == result.exit_code
        assert "No such file or directory" in result.stderr


class TestWhatGoesOverTheWire:
    def said(self, run, endpoint, *arguments):
        lines = run(*endpoint, *ANN, *arguments, "--transcript", "-").stdout.splitlines()
        return [line.removeprefix("1 C: ") for line in lines if line.startswith("1 C: ")]

    def test_is_by_chunks_and_pipelined_where_that_is_offered(self, run, start):
        assert "BDAT 20 LAST" in self.said(run, start())
        assert "DATA" in self.said(run, start(), "--no-bdat")

    def test_waits_for_each_reply_when_asked(self, run, start):
        lines = run(*start(), *ANN, "--no-pipeline", "--transcript", "-").stdout.splitlines()
        mail = next(index for index, line in enumerate(lines) if "MAIL FROM" in line)

        assert ["1 C", "1 S", "1 C", "1 S"] == [line[:3] for line in lines[mail : mail + 4]]

    def test_has_the_parameters_of_reports(self, run, start):
        said = self.said(run, start(), "--notify", "never", "--ret", "full", "--envid", "x", "--body", "7bit")

        assert "MAIL FROM:<a@example.org> SIZE=20 BODY=7BIT RET=FULL ENVID=x" in said
        assert "RCPT TO:<ann@example.org> NOTIFY=NEVER" in said

    def test_speaks_for_another_client(self, run, start):
        said = self.said(run, start(Trusts), "--xclient", "addr=192.0.2.1", "--xclient", "NAME=")

        assert "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1" in said
        assert 2 == sum(line.startswith("LHLO") for line in said)

    def test_says_where_each_message_comes_from(self, run, start):
        said = self.said(run, start(Trusts), "--xforward", "NAME=x", "--count", "2")

        assert 2 == said.count("XFORWARD NAME=x")

    def test_says_when_the_server_does_not_want_to_know(self, run, start):
        result = run(*start(), *ANN, "--xforward", "NAME=x")

        assert 0 == result.exit_code
        assert "does not take XFORWARD" in result.stderr


class TestTls:
    def test_is_begun_by_starttls_and_checked(self, run, start, stored, tmp_path):
        authority, context = certificates()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        endpoint = start(starttls=context)

        trusted = run(*endpoint, *ANN, "--starttls", "--ca", tmp_path / "ca.pem")
        insecure = run(*endpoint, *ANN, "--try-starttls", "--insecure")
        refused = run(*endpoint, *ANN, "--starttls")

        assert 0 == trusted.exit_code, trusted.output
        assert 0 == insecure.exit_code, insecure.output
        assert os.EX_TEMPFAIL == refused.exit_code
        assert "certificate" in refused.stderr.lower()
        assert all(b"with LMTPS" in content for content in stored())

    def test_that_is_not_offered_is_done_without_only_when_it_may_be(self, run, start):
        endpoint = start()

        assert os.EX_TEMPFAIL == run(*endpoint, *ANN, "--starttls").exit_code
        assert 0 == run(*endpoint, *ANN, "--try-starttls").exit_code


class TestLogin:
    def test_that_fails_is_to_try_again_and_never_shows_the_password(self, run, start, tmp_path):
        (tmp_path / "password").write_text("lion\n")
        result = run(*start(), *ANN, "--auth-user", "ann", "--auth-password-file", tmp_path / "password")

        assert os.EX_TEMPFAIL == result.exit_code
        assert "the answer to AUTH was 535" in result.stderr
        assert "lion" not in result.output


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--from", "", "--rcpt", "a@b.c"], "--to"),
            (["--to", "nowhere", "--from", "", "--rcpt", "a@b.c"], "no endpoint"),
            (["--to", "127.0.0.1:25", "--from", "", "--rcpt", "a@b.c"], "RFC 2033"),
            (["--to", "unix:/s", "--rcpt", "a@b.c"], "--from"),
            (["--to", "unix:/s", "--from", ""], "No recipient is taken from a message"),
            (["--to", "unix:/s", "--from", "", "--rcpt", "no body"], "'no body' is no address"),
            (["--to", "unix:/s", "--from", "", "--rcpt", "a@b.c", "--nonsense"], "--nonsense"),
            (["--to", "unix:/s", "--from", "", "--rcpt", "a@b.c", "--json", "--transcript", "-"], "standard output"),
        ],
    )
    def test_that_makes_no_sense_is_64(self, arguments, words):
        result = CliRunner().invoke(app, ["send", *arguments], input=MESSAGE)

        assert os.EX_USAGE == result.exit_code
        assert words in result.stderr
        assert "send --help" in result.stderr

    def test_can_be_asked_for(self):
        result = CliRunner().invoke(app, ["send", "--help"])

        assert 0 == result.exit_code
        assert "none is ever taken" in result.stdout


class TestInterruption:
    def test_says_what_is_not_known(self, run, monkeypatch):
        def interrupt(main):
            main.close()
            raise KeyboardInterrupt

        monkeypatch.setattr(command, "run", interrupt)
        result = run("--to", "unix:/s", *ANN)

        assert 130 == result.exit_code
        assert "0 messages" in result.stdout
        assert "lmtp: interrupted; 0 under way" in result.stderr

    def test_of_what_is_typed_sends_nothing(self, run, monkeypatch):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(command, "open_source", interrupt)
        result = run("--to", "unix:/s", *ANN)

        assert 130 == result.exit_code
        assert "" == result.output


class TestProcess:
    def send(self, *arguments):
        words = [sys.executable, "-m", "lmtp", "send", "--from", "", *arguments]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_says_what_is_not_known_when_interrupted(self, start, place):
        process = self.send(*start(Stalls), *ANN)
        process.stdin.write("Subject: a\n\nbody\n")
        process.stdin.close()
        stalled = Path(place / "mail" / "stalled")
        for _ in itertools.takewhile(lambda _: not stalled.exists(), itertools.count()):
            process.poll()
        process.send_signal(signal.SIGINT)
        complaint = process.stderr.read()

        assert 130 == process.wait(10)
        assert "lmtp: interrupted; 1 under way may have been delivered, no more were sent\n" == complaint
        process.stdout.close()
        process.stderr.close()

    def test_serves_in_a_pipe(self, start, stored):
        out, err = self.send(*start(), *ANN, "-q").communicate("Subject: a\n\nbody\n", timeout=20)

        assert ("", "") == (out, err)
        assert 1 == len(stored())
