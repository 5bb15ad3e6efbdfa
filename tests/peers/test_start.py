# SPDX-License-Identifier: Apache-2.0
"""
``python -m tests.peers.start`` runs a server, says where it is, and leaves nothing behind.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.process import connect
from tests.peers.programs import ROOT

COMMAND = [sys.executable, "-m", "tests.peers.start"]


@pytest.fixture
def running():
    with subprocess.Popen([*COMMAND, "ours"], cwd=ROOT, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.slow
class TestStart:
    def test_says_where_the_server_is_and_stops_it_on_a_signal(self, running):
        said = json.loads(running.stdout.readline())
        socket = Path(said["endpoint"].removeprefix("unix:"))
        with connect(socket) as connection:
            assert connection.recv(4) == b"220 "
        running.send_signal(signal.SIGINT)

        assert 0 == running.wait()
        assert not socket.parent.exists()

    def test_says_who_the_recipients_are(self, running):
        said = json.loads(running.stdout.readline())
        running.send_signal(signal.SIGTERM)

        assert 0 == running.wait()
        assert said == {
            "server": "ours",
            "endpoint": said["endpoint"],
            "user": "ann@example.org",
            "other": "bob@example.org",
            "unknown": "nobody@example.org",
            "failing": "full@example.org",
            "maildir": said["maildir"],
        }
        assert said["maildir"].endswith("/mail/example.org/ann")

    def test_says_why_a_server_cannot_be_started(self, tmp_path):
        ended = subprocess.run(
            [*COMMAND, "cyrus"], cwd=ROOT, env={"LMTP_PEERS_DIR": str(tmp_path)}, capture_output=True, check=False
        )

        assert 1 == ended.returncode
        assert ended.stderr.startswith(b"cyrus is not installed")
