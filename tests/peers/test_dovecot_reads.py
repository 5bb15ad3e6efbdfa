# SPDX-License-Identifier: Apache-2.0
"""
Dovecot's IMAP server reads our Maildirs: the octets sent, below our trace fields, with sizes it believes.
"""

import contextlib
import re
from dataclasses import dataclass

import pytest

from tests.peers.agent import Agent
from tests.peers.corpus import OWN, on_disk, real_messages
from tests.peers.dovecot import Dovecot, hand_over
from tests.peers.lmtp_client import LmtpClient
from tests.peers.maildir import split_trace

pytestmark = [pytest.mark.slow, pytest.mark.peer("dovecot")]

USERS = ["ann@example.org", "bob@example.org"]


@dataclass
class Reading:
    """
    What an IMAP client was told of one mailbox.
    """

    messages: list[bytes]
    """Whole messages, with CRLF."""
    sizes: list[int]
    """RFC822.SIZE of each."""
    bodies: list[bytes]
    """What Dovecot takes for the body of each."""
    log: str
    """What Dovecot had to say about it."""


@pytest.fixture(scope="module")
def sent():
    return list((OWN | real_messages()).values())


@pytest.fixture(scope="module", params=USERS)
def reading(sent, request, readings):
    return readings[request.param]


@pytest.fixture(scope="module")
def readings(sent, shared_place):
    (shared_place / "dovecot").mkdir()
    with contextlib.ExitStack() as stack:
        agent = stack.enter_context(Agent(shared_place, USERS))
        with LmtpClient(agent.socket) as client:
            for number, message in enumerate(sent):
                assert USERS == client.deliver(f"m{number}@example.net", USERS, message).delivered
        hand_over(agent.maildir)
        dovecot = stack.enter_context(Dovecot(shared_place / "dovecot", agent.maildir, USERS))
        yield {user: read_all(dovecot, user) for user in USERS}


def read_all(dovecot, user):
    with dovecot.log_in(user) as imap:
        imap.select("INBOX", readonly=True)
        sizes = [int(re.search(rb"RFC822.SIZE (\d+)", line)[1]) for line in imap.fetch("1:*", "(RFC822.SIZE)")[1]]
        messages = literals(imap.fetch("1:*", "(BODY.PEEK[])"))
        bodies = literals(imap.fetch("1:*", "(BODY.PEEK[TEXT])"))
    return Reading(messages, sizes, bodies, dovecot.log())


def literals(response):
    """
    Return the octets of each message out of what imaplib makes of a FETCH.
    """
    status, parts = response
    assert "OK" == status
    return [part[1] for part in parts if isinstance(part, tuple)]


def sender_number(message):
    return int(re.match(rb"Return-Path: <m(\d+)@example.net>\r\n", message)[1])


class TestReading:
    def test_finds_every_message_once(self, sent, reading):
        assert list(range(len(sent))) == sorted(map(sender_number, reading.messages))

    def test_finds_the_octets_sent_below_our_trace_fields(self, sent, reading):
        for message in reading.messages:
            _, rest = split_trace(message.replace(b"\r\n", b"\n"))

            assert on_disk(sent[sender_number(message)]) == rest

    def test_takes_the_same_for_the_body_as_the_sender(self, sent, reading):
        for message, body in zip(reading.messages, reading.bodies, strict=True):
            content = sent[sender_number(message)]
            assert (b"\r\n" + content).partition(b"\r\n\r\n")[2] == body

    @pytest.mark.guards("MD-6")
    def test_believes_the_sizes_in_the_names(self, reading):
        assert list(map(len, reading.messages)) == reading.sizes

    def test_complains_of_nothing(self, reading):
        assert [] == [line for line in reading.log.splitlines() if re.search(r"Error|Warning|cached", line)]
