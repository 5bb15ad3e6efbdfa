# SPDX-License-Identifier: Apache-2.0
"""
The LMTP servers to compare are up: each takes one message for two recipients, and answers as often as it does.

The sessions are written out here, so that no client of ours stands between a server and what is said of it. QUIT
goes out with the content: all that comes before its 221 answers the content.
"""

import re
import shutil

import pytest

from tests.peers.process import connect, make_place, until
from tests.peers.servers import FAILING, SERVERS, UNKNOWN, USERS

pytestmark = pytest.mark.slow

# A Date and a Message-ID, as Cyrus adds them where they are missing.
MESSAGE = (
    b"From: eve@example.net\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
    b"\r\nHello.\r\n.one\r\n..two\r\n"
)
ON_THE_WIRE = MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\nQUIT\r\n"


@pytest.fixture(scope="class")
def server(request):
    place = make_place()
    try:
        server = SERVERS[request.cls.name](place)
        with server.peer:
            yield server
    finally:
        shutil.rmtree(place)


@pytest.fixture
def session(server):
    with connect(server.endpoint) as connection, connection.makefile("rwb", buffering=0) as file:
        yield file


def reply(session):
    """
    Read one reply, all its lines.
    """
    lines = [session.readline()]
    while lines[-1][3:4] == b"-":
        lines.append(session.readline())
    return b"".join(lines)


def say(session, line):
    session.write(line.encode() + b"\r\n")
    return reply(session)


def greeted(session):
    """
    Read the greeting, say LHLO, and return the reply.
    """
    assert reply(session).startswith(b"220 ")
    return say(session, "LHLO client.example")


def deliver(session, recipients):
    """
    Have a whole session; return the code of every reply from the end of the content on.
    """
    greeted(session)
    say(session, "MAIL FROM:<eve@example.net>")
    assert all(say(session, f"RCPT TO:<{recipient}>").startswith(b"250 ") for recipient in recipients)
    assert say(session, "DATA").startswith(b"354 ")
    session.write(ON_THE_WIRE)
    return re.findall(rb"^(\d{3}) ", session.read(), re.MULTILINE)


class AnyServer:
    """
    What each of them does.
    """

    def test_greets_and_lists_its_keywords(self, session):
        assert re.fullmatch(rb"(?:250-.*\r\n)+250 .*\r\n", greeted(session))

    def test_stores_what_was_sent_for_each_recipient(self, server, session):
        before = {user: len(server.messages(user)) for user in USERS}
        deliver(session, USERS)

        for user in USERS:
            stored = [message.replace(b"\r\n", b"\n") for message in server.messages(user)]
            assert before[user] + 1 == len(stored), server.log()
            assert all(message.endswith(MESSAGE.replace(b"\r\n", b"\n")) for message in stored)

    def test_keeps_a_log(self, server, session):
        before = server.log().count(USERS[1])
        deliver(session, USERS)

        until(lambda: server.log().count(USERS[1]) > before, "the log to name a recipient")


class ServerThatKnowsRecipients(AnyServer):
    """
    What those do that have mailboxes.
    """

    def test_refuses_the_unknown_recipient(self, session):
        greeted(session)
        say(session, "MAIL FROM:<eve@example.net>")

        assert re.match(rb"550[ -]", say(session, f"RCPT TO:<{UNKNOWN}>"))

    def test_stores_nothing_for_the_failing_recipient(self, server, session):
        deliver(session, [USERS[0], FAILING])

        assert [] == server.messages(FAILING)


@pytest.mark.peer("cyrus")
class TestCyrus(ServerThatKnowsRecipients):
    name = "cyrus"

    def test_answers_for_each_recipient(self, session):
        assert [b"250", b"250", b"221"] == deliver(session, USERS)

    def test_answers_for_the_failing_recipient_alone(self, session):
        assert [b"250", b"452", b"221"] == deliver(session, [USERS[0], FAILING])


@pytest.mark.peer("dovecot")
class TestDovecot(ServerThatKnowsRecipients):
    name = "dovecot"

    def test_answers_for_each_recipient(self, session):
        assert [b"250", b"250", b"221"] == deliver(session, USERS)

    def test_answers_for_the_failing_recipient_alone(self, session):
        assert [b"250", b"552", b"221"] == deliver(session, [USERS[0], FAILING])


@pytest.mark.peer("aiosmtpd")
class TestAiosmtpd(ServerThatKnowsRecipients):
    name = "aiosmtpd"

    def test_answers_once_for_two_recipients(self, session):
        assert [b"250", b"221"] == deliver(session, USERS)

    def test_answers_once_when_one_of_two_recipients_fails(self, session):
        assert [b"552", b"221"] == deliver(session, [USERS[0], FAILING])


@pytest.mark.peer("nodemailer")
class TestNodemailer(ServerThatKnowsRecipients):
    name = "nodemailer"

    def test_answers_for_each_recipient(self, session):
        assert [b"250", b"250", b"221"] == deliver(session, USERS)

    def test_answers_for_the_failing_recipient_alone(self, session):
        assert [b"250", b"552", b"221"] == deliver(session, [USERS[0], FAILING])


@pytest.mark.peer("smtp-sink")
class TestSmtpSink(AnyServer):
    name = "smtp-sink"

    def test_answers_for_each_recipient(self, session):
        assert [b"250", b"250", b"221"] == deliver(session, USERS)

    def test_takes_mail_for_anybody(self, session):
        assert [b"250", b"250", b"221"] == deliver(session, [UNKNOWN, FAILING])
