# SPDX-License-Identifier: Apache-2.0
"""
Clients in use deliver: one message each, over TCP and over a Unix socket.
"""

import contextlib

import pytest

from tests.peers import clients
from tests.peers.agent import Agent
from tests.peers.exim import Exim

USERS = [f"u{number}@example.org" for number in range(3)]
SENDER = "eve@example.net"
BODY = b"Hello.\r\n.\r\n..two dots\r\n.one\r\n"
MESSAGE = b"From: eve@example.net\r\nTo: u0@example.org\r\nSubject: from a real client\r\n\r\n" + BODY
STORED_BODY = BODY.replace(b"\r\n", b"\n")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def agent(shared_place):
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(Agent(shared_place, USERS))


@pytest.fixture(params=["tcp", "unix"])
def endpoint(agent, request):
    return agent.port if request.param == "tcp" else agent.socket


@pytest.fixture
def arrived(agent):
    """
    Give the messages for a user that were not there when the test began.
    """
    before = {user: set(agent.mailbox(user).files()) for user in USERS}
    return lambda user: [file.read_bytes() for file in agent.mailbox(user).files() if file not in before[user]]


def body_of(message):
    return message.partition(b"\n\n")[2]


class TestClient:
    @pytest.mark.peer("swaks")
    def test_swaks_delivers(self, endpoint, arrived):
        clients.swaks(endpoint, SENDER, USERS[0], MESSAGE)

        # swaks itself ends the last line once more.
        assert [STORED_BODY + b"\n"] == [body_of(message) for message in arrived(USERS[0])]

    @pytest.mark.peer("msmtp")
    def test_msmtp_delivers(self, endpoint, arrived):
        clients.msmtp(endpoint, SENDER, USERS[0], MESSAGE)

        assert [STORED_BODY] == [body_of(message) for message in arrived(USERS[0])]

    def test_smtplib_delivers_to_one_recipient(self, endpoint, arrived):
        clients.python(endpoint, SENDER, USERS[0], MESSAGE)

        assert [STORED_BODY] == [body_of(message) for message in arrived(USERS[0])]

    @pytest.mark.peer("smtp-source")
    def test_smtp_source_delivers(self, endpoint, arrived):
        clients.smtp_source(endpoint, SENDER, USERS[0], messages=30, sessions=5)

        assert 30 == len(arrived(USERS[0]))

    @pytest.mark.peer("exim4")
    def test_exim_delivers_to_two_recipients_in_one_transaction(self, agent, endpoint, arrived, place):
        exim = Exim(place, endpoint)
        sender = f"exim-{type(endpoint).__name__}@example.net"
        exim.send(sender, USERS[:2], MESSAGE)

        for user in USERS[:2]:
            assert [STORED_BODY] == [body_of(message) for message in arrived(user)], exim.log()
        settled = agent.awaited_log(2, event="recipient_settled", **{"from": f"<{sender}>"})
        assert 2 == len(settled)
        assert 1 == len({line["transaction"] for line in settled})
