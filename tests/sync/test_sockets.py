# SPDX-License-Identifier: Apache-2.0
"""
Sockets wait for as long as they are told, and are closed when nothing comes of it.
"""

import socket
import ssl

import pytest

from lmtp.aio.listeners import TcpEndpoint, UnixEndpoint
from lmtp.sync.sockets import BROKEN, READABLE, WRITABLE, open_socket, secure, wait_for
from tests.sync.conftest import trusting


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class TestWaiting:
    def test_ends_when_there_is_something_to_do(self, pair):
        assert WRITABLE == wait_for(pair[0], READABLE | WRITABLE, 10**12)

    def test_ends_when_the_time_is_up(self, pair):
        assert 0 == wait_for(pair[0], READABLE, 0.001)
        assert 0 == wait_for(pair[0], READABLE, -1)

    def test_ends_when_nothing_more_can_come(self, pair):
        pair[1].close()

        assert wait_for(pair[0], WRITABLE, 10) & BROKEN


class TestOpening:
    def test_a_unix_socket_that_is_not_there_leaves_nothing_open(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            open_socket(UnixEndpoint(f"{tmp_path}/nobody"), 1)

    def test_a_port_where_nobody_listens_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            open_socket(TcpEndpoint("127.0.0.1", port), 1)


class TestHandshake:
    def test_that_takes_too_long_is_given_up(self, pair):
        with pytest.raises(TimeoutError, match=r"longer than 0\.02 s"):
            secure(pair[0], trusting(), "store.example", 0.02)

    def test_with_somebody_who_does_not_know_tls_fails(self, pair):
        pair[1].sendall(b"220 store.example LMTP\r\n")

        with pytest.raises(ssl.SSLError):
            secure(pair[0], trusting(), "store.example", 10)

    def test_waits_for_room_when_it_has_to_write(self, pair, monkeypatch):
        steps = iter([ssl.SSLWantWriteError(), None])

        def shake_hands(_encrypted, **_):
            if error := next(steps):
                raise error

        monkeypatch.setattr(ssl.SSLSocket, "do_handshake", shake_hands)
        with secure(pair[0], trusting(), "store.example", 10) as encrypted:
            assert not encrypted.getblocking()
