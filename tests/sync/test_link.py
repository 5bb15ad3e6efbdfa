# SPDX-License-Identifier: Apache-2.0
"""
One connection of a blocking client, over sockets that do what sockets may do.
"""

import socket
import ssl

import pytest

import lmtp
from lmtp.sync.link import ROOM, Link
from lmtp.sync.sockets import READABLE, WRITABLE
from tests.sync.conftest import FAST, envelope, outcomes

GREETING = b"220 store.example LMTP\r\n"
LHLO = b"250-store.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


class Peer:
    """
    A link, and the server's end of it in the test's hand.
    """

    def __init__(self, ours, theirs):
        self.socket = theirs
        self.link = Link(lmtp.ClientConnection("client.example"), ours, FAST, None)
        self.results = []

    def say(self, octets):
        self.socket.sendall(octets)

    def open(self):
        """
        Come as far as a session. What is said before it is asked for waits in the socket.
        """
        self.say(GREETING)
        self.link.ask()
        self.link.engine.greet()
        self.say(LHLO)
        self.link.ask()
        return self

    def begin(self, *local_parts):
        return self.link.begin(envelope(*local_parts), None, lambda _index, result: self.results.append(result))

    def work_until_over(self, transaction):
        while not transaction.is_over:
            self.link.work()
        return outcomes(self.results)


@pytest.fixture
def peer():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Peer(ours, theirs)


class Once:
    """
    A method that fails once, and then does what it always does.
    """

    def __init__(self, method, error):
        self.method = method
        self.errors = [error]

    def __call__(self, *arguments):
        if self.errors:
            raise self.errors.pop()
        return self.method(*arguments)


def fail_once(monkeypatch, link, name, error):
    """
    Let the link's socket fail once, as one under TLS may.
    """

    class Socket:
        def __init__(self, connection):
            self.connection = connection
            setattr(self, name, Once(getattr(connection, name), error))

        def __getattr__(self, name):
            return getattr(self.connection, name)

    monkeypatch.setattr(link, "_connection", Socket(link._connection))


class TestWriting:
    def test_goes_on_when_there_is_room(self, peer, monkeypatch):
        peer.open()
        fail_once(monkeypatch, peer.link, "send", BlockingIOError())
        transaction = peer.begin("bob")
        peer.link.work()
        peer.say(b"250 ok\r\n550 no\r\n503 nobody\r\n")

        assert [("Failed", "5.0.0")] == peer.work_until_over(transaction)

    def test_that_has_to_read_first_waits_for_that(self, peer, monkeypatch):
        peer.open()
        fail_once(monkeypatch, peer.link, "send", ssl.SSLWantReadError())
        transaction = peer.begin("bob")
        peer.link.work()

        assert READABLE == peer.link._to_write
        peer.say(b"250 ok\r\n550 no\r\n503 nobody\r\n")
        assert [("Failed", "5.0.0")] == peer.work_until_over(transaction)

    def test_that_fails_leaves_what_the_server_has_said(self, peer):
        peer.open()
        transaction = peer.begin("bob", "carl")
        peer.say(b"250 ok\r\n550 no\r\n")
        peer.socket.close()

        assert [("Failed", "5.0.0"), ("Deferred", "4.4.2")] == peer.work_until_over(transaction)
        assert "the connection was " in peer.link.lost.why

    def test_that_fails_when_the_server_says_no_more_is_the_reason(self, peer, monkeypatch):
        peer.open()
        fail_once(monkeypatch, peer.link, "send", BrokenPipeError("broken"))
        transaction = peer.begin("bob")

        assert [("Deferred", "4.4.2")] == peer.work_until_over(transaction)
        assert "the connection was lost: broken" in peer.link.lost.why

    def test_of_a_long_list_gives_the_server_the_time_of_a_block(self, peer):
        peer.open()
        transaction = peer.begin(*["bob"] * 10_000)

        assert {("Deferred", "4.4.2")} == set(peer.work_until_over(transaction))
        assert "the server takes nothing more" in peer.link.lost.why


class TestReading:
    def test_that_has_to_write_first_waits_for_that(self, peer, monkeypatch):
        fail_once(monkeypatch, peer.link, "recv", ssl.SSLWantWriteError())
        peer.say(GREETING)
        peer.link.work()

        assert WRITABLE == peer.link._to_read
        assert 220 == peer.link.ask().code

    def test_that_fails_is_the_end(self, peer, monkeypatch):
        fail_once(monkeypatch, peer.link, "recv", ConnectionResetError("reset"))

        peer.link.look()
        with pytest.raises(lmtp.SessionError, match="the connection was lost: reset"):
            peer.link.ask()


class TestFeeding:
    def test_waits_for_room_only_while_there_is_a_session(self, peer):
        peer.open()
        transaction = peer.begin("bob")
        peer.say(b"250 ok\r\n250 ok\r\n354 go on\r\n")
        while not transaction.content_is_wanted:
            peer.link.work()
        peer.link.feed(b"x" * 10 * ROOM, is_last=False)
        peer.socket.close()
        with pytest.raises(StopIteration):
            peer.link.has_room().send(None)

        assert [("Deferred", "4.4.2")] == outcomes(peer.results)


class TestSession:
    def test_that_is_ending_begins_nothing(self, peer):
        peer.open()
        peer.link.engine.quit()
        transaction = peer.begin("bob")

        assert transaction.is_over
        assert "the session is coming to its end" == peer.results[0].outcome.detail
