# SPDX-License-Identifier: Apache-2.0
"""
The server is killed without warning under load, again and again: what it answered 250 is there, whole.
"""

import hashlib
import itertools
import threading
from collections import defaultdict

import pytest

from tests.peers.lmtp_client import LmtpClient
from tests.peers.process import until

CLIENTS = 8
KILLS = 20
USERS = [f"u{number}@example.org" for number in range(10)]
LINES = (5, 50, 500, 50_000)
"""Some messages fit into one segment, some are spooled to a file."""


def make_content(name, lines=50):
    """
    Make a message that tells of itself whether it is whole.
    """
    body = f"{name}\r\n".encode() * lines
    digest = hashlib.sha256(body.replace(b"\r\n", b"\n")).hexdigest()
    return f"Message-ID: <{name}@example.org>\r\nX-Digest: {digest}\r\n\r\n".encode() + body


def whole_name(message):
    """
    Return the name of a stored message, or None when it is not whole.
    """
    head, _, body = message.partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    is_whole = fields.get("X-Digest") == hashlib.sha256(body).hexdigest()
    return fields["Message-ID"].strip("<>").removesuffix("@example.org") if is_whole else None


class Load:
    """
    Clients that deliver as fast as they can, notice when the server is gone, and come back to the next.
    """

    def __init__(self, agent):
        self.agent = agent
        self.promised = defaultdict(set)
        self.is_over = threading.Event()
        self.serial = itertools.count()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        while not self.is_over.is_set():
            try:
                with LmtpClient(self.agent.socket) as client:
                    self.deliver_all(client, number)
            except OSError:
                self.is_over.wait(0.01)  # killed: the next one is about to start

    def deliver_all(self, client, number):
        while not self.is_over.is_set():
            serial = next(self.serial)
            name = f"{number}.{serial}"
            recipients = (USERS * 2)[serial % 10 :][: 1 + serial % 4]
            content = make_content(name, LINES[serial % 4])
            for recipient in client.deliver("eve@example.net", recipients, content).delivered:
                self.promised[recipient].add(name)

    def until_promised(self, more):
        """
        Wait until so many more copies were promised.
        """
        before = self.count()
        until(lambda: self.count() >= before + more, f"{more} deliveries")

    def count(self):
        return sum(map(len, list(self.promised.values())))


@pytest.fixture
def agent(start_agent):
    return start_agent(*USERS)


def assert_nothing_is_lost(agent, load):
    for user in USERS:
        names = [whole_name(message) for message in agent.mailbox(user).messages()]
        assert None not in names
        assert load.promised[user] <= set(names)


@pytest.mark.slow
class TestKillUnderLoad:
    """
    RFC 2033 §4.2 and RFC 1047: a reply that was sent is a promise; one that was not is the client's to repeat.
    """

    @pytest.mark.guards("LMTP-4.2-7", "DUP-6", "MD-4")
    def test_loses_nothing_and_shows_nothing_partial(self, agent):
        with Load(agent) as load:
            for kill in range(KILLS):
                load.until_promised(20 + 7 * kill % 40)
                agent.kill()
                agent.start()

        assert_nothing_is_lost(agent, load)

    def test_serves_on_the_socket_a_killed_one_left_behind(self, agent):
        agent.kill()
        assert agent.socket.exists()
        agent.start()

        with LmtpClient(agent.socket) as client:
            assert [USERS[0]] == client.deliver("", USERS[:1], make_content("x")).delivered


@pytest.mark.slow
class TestStopUnderLoad:
    """
    RFC 5321 §3.8: no new sessions, running transactions come to their end.
    """

    @pytest.mark.guards("SD-1", "SD-4")
    def test_ends_with_status_0_each_time_and_leaves_nothing_half_done(self, agent):
        with Load(agent) as load:
            for _ in range(3):
                load.until_promised(100)
                agent.stop()
                assert not any(agent.mailbox(user).leftovers() for user in USERS)
                agent.start()

        assert_nothing_is_lost(agent, load)
