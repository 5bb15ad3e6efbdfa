# SPDX-License-Identifier: Apache-2.0
"""
Who a peer is, which texts are rules, and whom each rule lets in.
"""

import asyncio
import grp
import os
import pwd
import socket
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.aio.access import Peer, PeerCredentials, Peers, address_of, credentials_of


def peer(host="", *, names=(), **credentials):
    return Peer(
        address=address_of(host) if host else None,
        credentials=PeerCredentials(**({"pid": 1, "uid": 1, "gid": 1} | credentials)) if credentials else None,
        certificate_names=tuple(names),
    )


def admits(text, who):
    return Peers.parse([text]).admits(who)


def complaint_about(text):
    with pytest.raises(ValueError, match=r".") as caught:
        Peers.parse([text])
    return str(caught.value)


class TestNetworks:
    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("127.0.0.1", "127.0.0.1"),
            ("10.0.0.0/8", "10.255.0.1"),
            ("10.0.0.0/255.0.0.0", "10.255.0.1"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("::1", "::1"),
            ("fd00::/8", "fdff::1"),
            ("fe80::/10", "fe80::1%eth0"),
            ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ],
    )
    def test_admit_those_in_them(self, text, host):
        assert admits(text, peer(host))

    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "11.0.0.1"),
            ("::1", "127.0.0.1"),
            ("::1", "::ffff:0.0.0.1"),
            ("::/0", "192.0.2.1"),
            ("::/0", "::ffff:192.0.2.1"),
            ("0.0.0.0/0", "2001:db8::1"),
        ],
    )
    def test_do_not_admit_others(self, text, host):
        assert not admits(text, peer(host))

    @pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0"])
    def test_do_not_admit_unix_peers(self, text):
        assert not admits(text, peer(uid=0))

    @given(st.ip_addresses(v=4))
    def test_take_an_ipv4_address_however_it_is_written(self, address):
        assert admits(str(address), peer(f"::ffff:{address}"))

    def test_that_are_an_address_too_are_refused_with_both_ways_out(self):
        complaint = complaint_about("10.1.2.3/8")

        assert "10.0.0.0/8" in complaint
        assert "the address alone" in complaint

    @pytest.mark.parametrize("text", ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1"])
    def test_of_mapped_addresses_are_refused_as_they_would_admit_nobody(self, text):
        assert "IPv4" in complaint_about(text)

    @pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::%eth0/64"])
    def test_of_one_interface_are_refused_as_they_would_admit_from_all(self, text):
        assert "interface" in complaint_about(text)


class TestUnixPeers:
    def test_are_admitted_with_credentials_or_without(self):
        assert admits("unix", peer())
        assert admits("unix", peer(uid=1000))

    def test_are_not_those_of_the_loopback(self):
        assert not admits("unix", peer("127.0.0.1"))


class TestUsers:
    def test_are_admitted_by_number(self):
        assert admits("uid:1000", peer(uid=1000))
        assert not admits("uid:1000", peer(uid=1001))

    def test_are_admitted_by_name(self):
        user = pwd.getpwuid(os.getuid())

        assert admits(f"uid:{user.pw_name}", peer(uid=user.pw_uid))

    def test_are_not_admitted_when_nobody_knows_who_they_are(self):
        assert not admits("uid:0", peer())
        assert not admits("uid:0", peer("127.0.0.1"))


class TestGroups:
    def test_are_admitted_by_number(self):
        assert admits("gid:8", peer(gid=8))
        assert not admits("gid:8", peer(gid=9, uid=8, pid=8))

    def test_are_admitted_by_name(self):
        group = grp.getgrgid(os.getgid())

        assert admits(f"gid:{group.gr_name}", peer(gid=group.gr_gid))

    def test_count_when_they_are_supplementary(self):
        assert admits("gid:8", peer(gid=1, groups=(5, 8)))
        assert not admits("gid:8", peer(gid=1, groups=(5, 9)))

    def test_are_not_admitted_when_nobody_knows_who_they_are(self):
        assert not admits("gid:0", peer())


class TestCertificates:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("certificate:mx.example.org", "mx.example.org"),
            ("certificate:MX.example.org", "mx.Example.ORG"),
            ("certificate:*.example.org", "mx.example.org"),
            ("certificate:*.Example.org", "MX.EXAMPLE.ORG"),
            ("certificate:*.example.org", "*.example.org"),
            ("certificate:ann@example.org", "ann@example.org"),
            ("certificate:spiffe://example.org/mx", "spiffe://example.org/mx"),
            ("certificate:Ann Smith", "Ann Smith"),
        ],
    )
    def test_are_admitted_by_a_name(self, text, name):
        assert admits(text, peer("192.0.2.1", names=["other.example.net", name]))

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("certificate:mx.example.org", "mx.example.net"),
            ("certificate:mx.example.org", "*.example.org"),
            ("certificate:*.example.org", "example.org"),
            ("certificate:*.example.org", "org"),
            ("certificate:*.example.org", "a.mx.example.org"),
            ("certificate:*.example.org", ".example.org"),
            ("certificate:*.example.org", "ann@mx.example.org"),
            ("certificate:*.example.org", "https://example.net/.example.org"),
            ("certificate:ann@example.org", "Ann@example.org"),
            ("certificate:mx.example.org", "mx.example.org\n"),
        ],
    )
    def test_are_not_admitted_by_another(self, text, name):
        assert not admits(text, peer("192.0.2.1", names=[name]))

    def test_are_not_admitted_without_one(self):
        assert not admits("certificate:mx.example.org", peer("192.0.2.1"))

    @pytest.mark.parametrize(
        "text", ["certificate:*", "certificate:m*.example.org", "certificate:*.", "certificate:*.*"]
    )
    def test_have_no_other_asterisk(self, text):
        assert "first label" in complaint_about(text)

    def test_have_a_name(self):
        assert "needs a name" in complaint_about("certificate:")


class TestPeers:
    def test_are_those_of_any_rule(self):
        peers = Peers.parse(["10.0.0.0/8", "uid:1000"])

        assert peers.admits(peer("10.0.0.1"))
        assert peers.admits(peer(uid=1000))
        assert not peers.admits(peer("192.0.2.1"))

    def test_are_nobody_without_a_rule(self):
        assert not Peers().admits(peer())
        assert "nobody" == str(Peers())

    def test_are_written_as_they_are_read(self):
        texts = ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "unix", "uid:5", "gid:8", "certificate:*.example.org"]
        peers = Peers.parse(texts)

        assert ", ".join(texts) == str(peers)
        assert peers == Peers.parse(str(peers).split(", "))
        assert hash(peers) == hash(Peers.parse(texts))

    @pytest.mark.parametrize(
        "text", ["", "localhost", "10.0.0.0/33", "300.0.0.1", "unix:", "unix:/run/lmtp.sock", "user:ann", " ::1", "*"]
    )
    def test_say_what_can_be_written_when_a_text_is_no_rule(self, text):
        complaint = complaint_about(text)

        assert repr(text) in complaint
        assert "certificate:NAME" in complaint

    @pytest.mark.parametrize("name", ["", "no-such-one", "-1", "٣", "a\0b", "4294967295"])
    @pytest.mark.parametrize(("kind", "what"), [("uid", "user"), ("gid", "group")])
    def test_say_that_there_is_no_such_user_or_group(self, kind, what, name):
        assert what in complaint_about(f"{kind}:{name}")

    @given(st.text() | st.from_regex(r"(unix|uid:|gid:|certificate:|[0-9a-f:./*%])*", fullmatch=True))
    def test_are_read_or_refused_and_nothing_else(self, text):
        try:
            peers = Peers.parse([text])
        except ValueError:
            return
        assert isinstance(peers.admits(peer("192.0.2.1", names=["mx.example.org"])), bool)


class TestAddress:
    def test_of_a_socket_is_read(self):
        assert "192.0.2.1" == str(address_of("192.0.2.1"))
        assert "fe80::1%eth0" == str(address_of("fe80::1%eth0"))

    def test_that_is_mapped_is_the_ipv4_one(self):
        assert "192.0.2.1" == str(address_of("::ffff:192.0.2.1"))

    def test_that_is_none_is_refused(self):
        with pytest.raises(ValueError, match="localhost"):
            address_of("localhost")


class Socket:
    """
    A socket whose kernel says what it is told to.
    """

    def __init__(self, *, family=socket.AF_UNIX, credentials=(7, 1000, 1001), groups=()):
        self.family = family
        self.credentials = credentials
        self.groups = groups

    def getsockopt(self, level, option, length):
        assert socket.SOL_SOCKET == level
        answer, form = (self.credentials, "iII") if option == socket.SO_PEERCRED else (self.groups, None)
        if isinstance(answer, OSError):
            raise answer
        octets = struct.pack(form or f"{len(answer)}I", *answer)
        assert length >= len(octets)
        return octets


@pytest.mark.skipif(sys.platform != "linux", reason="nobody else has SO_PEERCRED")
class TestCredentials:
    """
    unix(7), SO_PEERCRED.
    """

    def test_are_the_process_and_its_groups(self):
        assert PeerCredentials(7, 1000, 1001, (4, 24)) == credentials_of(Socket(groups=(4, 24)))

    def test_are_unknown_off_unix_sockets(self):
        assert credentials_of(Socket(family=socket.AF_INET)) is None

    def test_are_unknown_on_other_systems(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "freebsd14")

        assert credentials_of(Socket()) is None

    def test_are_unknown_when_the_system_refuses(self):
        assert credentials_of(Socket(credentials=OSError("no"))) is None

    @pytest.mark.parametrize("credentials", [(0, 0xFFFFFFFF, 0xFFFFFFFF), (1, 0, 0xFFFFFFFF), (1, 0xFFFFFFFF, 0)])
    def test_are_unknown_when_the_system_says_nobody(self, credentials):
        assert credentials_of(Socket(credentials=credentials)) is None

    def test_have_no_groups_when_the_system_does_not_tell_them(self):
        assert () == credentials_of(Socket(groups=OSError("no such option"))).groups

    def test_are_ours_at_our_own_socket(self):
        near, far = socket.socketpair()
        with near, far:
            credentials = credentials_of(near)

        assert (os.getpid(), os.geteuid(), os.getegid()) == (credentials.pid, credentials.uid, credentials.gid)
        assert set(credentials.groups) in ({*os.getgroups()}, set())

    async def test_come_with_a_connection_of_the_event_loop(self, tmp_path):
        found = asyncio.Queue()

        async def take(_, writer):
            await found.put(credentials_of(writer.get_extra_info("socket")))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_unix_server(take, tmp_path / "s"):
            _, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.close()
            await writer.wait_closed()

            assert os.geteuid() == (await found.get()).uid
