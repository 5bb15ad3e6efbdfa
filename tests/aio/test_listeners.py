# SPDX-License-Identifier: Apache-2.0
"""
Endpoints as people write them, and Unix sockets as they are found and left.
"""

import os
import socket
import stat
import threading

import pytest

from lmtp.aio.listeners import (
    TcpEndpoint,
    UnixEndpoint,
    open_unix_socket,
    parse_endpoint,
    remove_unix_socket,
    socket_identity,
)

WRITTEN = {
    "127.0.0.1:2424": TcpEndpoint("127.0.0.1", 2424),
    "localhost:24": TcpEndpoint("localhost", 24),
    "[::1]:2424": TcpEndpoint("::1", 2424),
    "unix:/run/lmtp.sock": UnixEndpoint("/run/lmtp.sock"),
    "unix:/run/lmtp.sock,mode=0660,owner=root,group=0": UnixEndpoint("/run/lmtp.sock", "0660", "root", "0"),
}
NO_ENDPOINTS = [
    "",
    "2424",
    "127.0.0.1",
    "::1:2424",
    "host:port",
    "host:70000",
    "unix:",
    "unix:/a,mode=rw",
    "unix:/a,x=1",
]


class TestParsing:
    @pytest.mark.parametrize("text", WRITTEN)
    def test_reads_what_people_write(self, text):
        assert WRITTEN[text] == parse_endpoint(text)

    @pytest.mark.parametrize("text", NO_ENDPOINTS)
    def test_refuses_what_is_no_endpoint(self, text):
        with pytest.raises(ValueError, match=r"."):
            parse_endpoint(text)

    @pytest.mark.guards("LMTP-5-1")
    @pytest.mark.guards("T10")
    @pytest.mark.parametrize("text", ["0.0.0.0:25", "[::]:25", "localhost:25"])
    def test_refuses_port_25_because_it_is_smtps(self, text):
        with pytest.raises(ValueError, match="SMTP"):
            parse_endpoint(text)

    @pytest.mark.parametrize("text", [*WRITTEN][:4])
    def test_writes_them_as_it_reads_them(self, text):
        assert text == str(parse_endpoint(text))

    def test_knows_which_only_this_machine_can_reach(self):
        local = [parse_endpoint(text).is_local for text in WRITTEN]

        assert [True] * len(WRITTEN) == local
        assert not parse_endpoint("0.0.0.0:2424").is_local
        assert not parse_endpoint("store.example:2424").is_local


class TestUnixSocket:
    def test_has_the_mode_asked_for_whatever_the_umask(self, tmp_path):
        path = tmp_path / "a.sock"
        before = os.umask(0o077)
        try:
            open_unix_socket(UnixEndpoint(str(path), "0662")).close()
        finally:
            os.umask(before)

        assert 0o662 == stat.S_IMODE(path.stat().st_mode)

    def test_has_the_owner_and_group_asked_for(self, tmp_path):
        path = tmp_path / "a.sock"
        user, group = os.getuid(), os.getgid()
        open_unix_socket(UnixEndpoint(str(path), owner=str(user), group=str(group))).close()

        assert (user, group) == (path.stat().st_uid, path.stat().st_gid)

    @pytest.mark.parametrize("wrong", [{"owner": "no-such-user-here"}, {"group": "no-such-group-here"}])
    def test_is_not_made_for_a_user_or_group_nobody_knows(self, tmp_path, wrong):
        with pytest.raises(OSError, match="there is no"):
            open_unix_socket(UnixEndpoint(str(tmp_path / "a.sock"), **wrong))

        assert not (tmp_path / "a.sock").exists()

    def test_that_a_dead_server_left_is_replaced(self, tmp_path):
        path = tmp_path / "a.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        with open_unix_socket(UnixEndpoint(str(path))), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

    def test_that_is_served_is_left_alone(self, tmp_path):
        path = tmp_path / "a.sock"
        with open_unix_socket(UnixEndpoint(str(path))):
            with pytest.raises(OSError, match="somebody listens"):
                open_unix_socket(UnixEndpoint(str(path)))

            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))

    def test_is_given_to_one_of_two_servers_that_start_at_once(self, tmp_path):
        path = tmp_path / "a.sock"
        outcomes = []

        def start():
            try:
                outcomes.append(open_unix_socket(UnixEndpoint(str(path))))
            except OSError as error:
                outcomes.append(error)

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        opened = [outcome for outcome in outcomes if isinstance(outcome, socket.socket)]
        for each in opened:
            each.close()

        assert 1 == len(opened)
        assert [path] == list(tmp_path.iterdir())

    def test_of_another_server_is_left_where_it_is(self, tmp_path):
        endpoint = UnixEndpoint(str(tmp_path / "a.sock"))
        open_unix_socket(endpoint).close()
        device, inode = socket_identity(endpoint)
        remove_unix_socket(endpoint, (device, inode + 1))

        assert (device, inode) == socket_identity(endpoint)

        remove_unix_socket(endpoint, (device, inode))
        remove_unix_socket(endpoint, (device, inode))

        assert [] == list(tmp_path.iterdir())

    def test_may_have_the_longest_path_there_is(self, tmp_path):
        folder = tmp_path / ("x" * (107 - len(str(tmp_path)) - 1 - 8))
        folder.mkdir()
        path = folder / "a.sock7"
        with open_unix_socket(UnixEndpoint(str(path))), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

        assert 107 == len(str(path))

    def test_never_replaces_what_is_no_socket(self, tmp_path):
        path = tmp_path / "a.sock"
        path.write_text("dear diary")
        with pytest.raises(OSError, match="no socket"):
            open_unix_socket(UnixEndpoint(str(path)))

        assert "dear diary" == path.read_text()

    def test_leaves_nothing_when_it_can_not_be_made(self, tmp_path):
        with pytest.raises(OSError, match="there is no user"):
            open_unix_socket(UnixEndpoint(str(tmp_path / "a.sock"), owner="no-such-user-here"))

        assert [] == list(tmp_path.iterdir())
