# SPDX-License-Identifier: Apache-2.0
"""
The life of `lmtp serve` as a process: what it says first, how signals end it, what is left behind.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from lmtp.stores.maildir import MAX_AGE_SECONDS
from tests.peers.lmtp_client import LmtpClient
from tests.peers.process import until


@pytest.fixture
def serve(place):
    """
    Start `lmtp serve` in an empty folder, on a Unix socket there; yields a function that does.
    """
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "lmtp", "serve", "--listen", f"unix:{place}/lmtp.sock", *arguments]
        with (place / "out").open("w") as out, (place / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=place, stdout=out, stderr=log)
        started.append(process)
        until(lambda: process.poll() is not None or "Ctrl-C" in (place / "out").read_text(), "the first lines")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def messages(place):
    return [path for path in place.glob("mail/*/*/new/*") if path.is_file()]


class TestStart:
    def test_first_line_says_how_to_send_a_message_and_is_right(self, serve, place):
        serve()
        first, second, *_ = (place / "out").read_text().splitlines()
        command = first.removeprefix("Send it something: ")
        subprocess.run(command.replace("python3", sys.executable), shell=True, check=True)

        assert first != command
        assert str(place / "mail") in second
        assert [place / "mail/example.org/you"] == [path.parent.parent for path in messages(place)]

    def test_warns_that_everybody_gets_mail_without_a_users_file(self, serve, place):
        serve()
        until(lambda: "everyone" in (place / "log").read_text(), "the warning")

    def test_users_file_says_who_gets_mail(self, serve, place):
        (place / "users").write_text("ann@example.org\n")
        serve("--users", "users")
        with LmtpClient(place / "lmtp.sock") as client:
            sent = client.deliver("sender@example.org", ["ann@example.org", "nobody@example.org"], b"hello\r\n")

        assert ["ann@example.org"] == sent.delivered
        assert sent.refused["nobody@example.org"].startswith("550 5.1.1 ")

    def test_second_server_on_the_same_socket_says_why_it_can_not(self, serve, place):
        serve()
        second = subprocess.run(
            [sys.executable, "-m", "lmtp", "serve", "--listen", f"unix:{place}/lmtp.sock"],
            capture_output=True,
            text=True,
            cwd=place,
            check=False,
        )

        assert os.EX_OSERR == second.returncode
        assert "somebody listens there already" in second.stderr
        assert "Traceback" not in second.stderr


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signal_ends_it_with_status_0(self, serve, place, number):
        process = serve()
        process.send_signal(number)

        assert 0 == process.wait(10)
        assert not (place / "lmtp.sock").exists()

    def test_signal_ends_it_in_order_from_the_first_line_on(self, serve, place):
        for _ in range(5):
            process = serve()
            process.send_signal(signal.SIGTERM)

            assert 0 == process.wait(10)
            assert not (place / "lmtp.sock").exists()

    @pytest.mark.guards("SD-1")
    def test_open_transaction_is_delivered_before_it_ends(self, serve, place):
        process = serve()
        with LmtpClient(place / "lmtp.sock") as client:
            client.command("MAIL FROM:<>")
            client.command("RCPT TO:<ann@example.org>")
            client.command("DATA")
            process.send_signal(signal.SIGTERM)
            until(lambda: "draining" in (place / "log").read_text(), "the drain")
            reply = client.command("hello\r\n.")

            assert reply.startswith("250 2.0.0 ")
            assert client.reply().startswith("421 4.3.2 ")
        assert 0 == process.wait(10)
        assert 1 == len(messages(place))

    def test_second_signal_ends_it_at_once(self, serve, place):
        process = serve()
        with LmtpClient(place / "lmtp.sock") as client:
            client.command("MAIL FROM:<>")
            process.send_signal(signal.SIGTERM)
            until(lambda: "draining" in (place / "log").read_text(), "the drain")
            process.send_signal(signal.SIGTERM)

            assert client.reply().startswith("421 4.3.2 ")
        assert 1 == process.wait(10)


class TestSweep:
    @pytest.mark.guards("MD-5")
    def test_old_left_overs_in_tmp_are_removed_and_new_ones_kept(self, serve, place):
        for folder in ("tmp", "new", "cur"):
            (place / "mail/example.org/ann" / folder).mkdir(parents=True)
        old, new = (place / "mail/example.org/ann/tmp" / name for name in ("old", "new"))
        for path, age in ((old, MAX_AGE_SECONDS + 60), (new, 60)):
            path.write_text("half a mess")
            os.utime(path, (time.time() - age, time.time() - age))
        serve()
        until(lambda: not old.exists(), "the sweep")

        assert new.exists()
