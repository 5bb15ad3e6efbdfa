# SPDX-License-Identifier: Apache-2.0
"""
What `lmtp check` holds against other servers holds: each accusation has a session by hand, and each session goes so.
"""

import sys

import pytest

from tests.peers import evidence
from tests.peers.conformance import check
from tests.peers.evidence import FOLDER, Session, octets, play, read
from tests.peers.process import run
from tests.peers.servers import OURS, SERVERS

NAMES = sorted(set(SERVERS) - {OURS})


EACH_PEER = [pytest.param(name, marks=pytest.mark.peer(name)) for name in NAMES]


@pytest.fixture
def server(request, place):
    return SERVERS[request.param](place)


@pytest.mark.slow
class TestEvidence:
    @pytest.mark.parametrize("server", EACH_PEER, indirect=True)
    def test_shows_what_the_server_does(self, server, request):
        sessions = read(request.node.callspec.params["server"])
        with server.peer:
            came = {session.case_id: play(session, server.endpoint) for session in sessions}

        assert {session.case_id: session.lines for session in sessions} == came

    @pytest.mark.parametrize("name", EACH_PEER)
    def test_is_there_for_each_must_that_is_failed(self, name, place):
        found = check(name, SERVERS[name](place), timeout_seconds=4)

        assert {case["id"] for case in found.failed("MUST")} == {session.case_id for session in read(name)}

    def test_takes_no_part_of_lmtp(self):
        program = "import sys, tests.peers.evidence; print('lmtp' in sys.modules)"

        assert "False\n" == run([sys.executable, "-c", program])


class TestFiles:
    def test_are_there_for_every_server(self):
        assert NAMES == sorted(file.stem for file in FOLDER.iterdir())

    @pytest.mark.parametrize("name", NAMES)
    def test_have_each_case_once_and_say_why(self, name):
        head, *sections = FOLDER.joinpath(f"{name}.txt").read_text().split("\n\n")

        assert head.startswith("# What lmtp check holds against ")
        assert len(sections) == len({session.case_id for session in read(name)})
        assert [] == [section for section in sections if not section.splitlines()[1].startswith("# RFC ")]

    @pytest.mark.parametrize(
        ("line", "sent"),
        [
            ("C: NOOP", b"NOOP\r\n"),
            ("C:", b"\r\n"),
            ("C+ NO", b"NO"),
            (r"C+ one\ntwo\x00\r\n", b"one\ntwo\x00\r\n"),
            (r"C+ {ab\r\n*3}.", b"ab\r\nab\r\nab\r\n."),
        ],
    )
    def test_tell_every_octet(self, line, sent):
        assert sent == octets(line)

    def test_hold_nothing_else(self, tmp_path, monkeypatch):
        tmp_path.joinpath("x.txt").write_text("# Head.\n\n# X-1: what\n# RFC 1\nS: 220 x\nNOOP\n")
        monkeypatch.setattr(evidence, "FOLDER", tmp_path)

        with pytest.raises(ValueError, match="X-1: what: 'NOOP' is nothing that is said"):
            read("x")


@pytest.mark.slow
@pytest.mark.parametrize("server", [OURS], indirect=True)
class TestPlay:
    def test_returns_what_is_written_when_all_goes_so(self, server):
        noop, late = ("C: NOOP", "S: 250 ..."), ("C+ NO", evidence.SILENCE, r"C+ OP\r\n", "S: 250 ...")
        written = ("S: 220 ...", *noop, *late, "C: QUIT", "S: 221 ...", evidence.END)
        with server.peer:
            came = play(Session("X-1", written), server.endpoint)

        assert written == came

    def test_returns_what_came_instead(self, server):
        written = ("S: 220 ...", "C: WIBBLE", "S: 250 ...", "C: QUIT", "S: 221 ...", "S: 250 more")
        with server.peer:
            came = play(Session("X-1", written), server.endpoint)

        assert came[2].startswith("S: 500 5.5.1 ")
        assert (*written[3:5], evidence.END) == came[3:]
