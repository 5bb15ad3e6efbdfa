# SPDX-License-Identifier: Apache-2.0
"""
The power fails at every step of a recorded run: nothing answered 250 is lost, nothing partial is seen.
"""

import os
import re
import signal
import threading
from collections import Counter

import pytest

from tests.peers.disk import Judge
from tests.peers.lmtp_client import LmtpClient
from tests.peers.process import until
from tests.peers.programs import path_of
from tests.peers.trace import CALLS, OPTIONS, has_ended, read

SESSIONS = 6
MESSAGES = 25
"""In each session."""
SMALL = b"Subject: small\r\n\r\nHello.\r\n"
SPOOLED = b"Subject: past what is kept in memory\r\n\r\n" + b"0123456789abcdef" * 4 * 1024 * 8 + b"\r\n"


def users_of(session):
    return [f"s{session}-u{number}@example.org" for number in range(12)]


def load(agent, session, promised):
    """
    Deliver to one, three and all of a session's mailboxes in turn, so that folders are new and old by turns.
    """
    users = users_of(session)
    with LmtpClient(agent.socket) as client:
        for number in range(MESSAGES):
            recipients = (users[number % 12 :][:1], users[number % 10 :][:3], users)[number % 3]
            content = SPOOLED if number % 8 == 4 else SMALL
            promised.update(client.deliver("eve@example.net", recipients, content).delivered)


@pytest.mark.slow
@pytest.mark.peer("strace")
class TestPowerLoss:
    """
    RFC 2033 §4.2: a 250 means stable storage, on a disk that keeps only what was synced.
    """

    @pytest.mark.guards("LMTP-4.2-7", "MD-4", "MD-10", "T62")
    def test_every_promise_would_survive_at_every_moment(self, place, start_agent):
        recording = place / "trace"
        tracer = [path_of("strace"), *OPTIONS, "-e", f"trace={CALLS}", "-o", str(recording)]
        agent = start_agent(*(user for session in range(SESSIONS) for user in users_of(session)), wrapper=tracer)
        promised: list[Counter[str]] = [Counter() for _ in range(SESSIONS)]
        clients = [
            threading.Thread(target=load, args=(agent, session, promised[session])) for session in range(SESSIONS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        os.kill(agent.pid, signal.SIGTERM)
        until(lambda: has_ended(recording, agent.pid), "the recording to end")

        assert {"fsync(", "io_submit("} <= set(re.findall(r"\w+\(", recording.read_text(errors="replace")))
        judge = Judge(agent.maildir)
        judge.follow(read(recording))
        assert [] == judge.broken
        assert sum(promised, Counter()) == judge.acknowledged
        assert SESSIONS * (9 * 1 + 8 * 3 + 8 * 12) == judge.acknowledged.total()
