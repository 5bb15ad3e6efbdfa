# SPDX-License-Identifier: Apache-2.0
"""
Messages arrive as they were handed to our client, octet for octet, by DATA and by BDAT, from memory, files and pieces.

Only line ends may differ: on the wire each is a CRLF, the last one too, and servers store them as they like.
"""

import re

import pytest

import lmtp
from tests.peers.agent import Agent
from tests.peers.corpus import FOLDER, OWN, on_disk
from tests.peers.dovecot import USER, Dovecot
from tests.peers.maildir import Mailbox, split_trace
from tests.peers.process import give
from tests.peers.smtp_sink import SmtpSinkWithOneFile

pytestmark = pytest.mark.slow

RECIPIENT = "ann@example.org"
LINE_ENDS = {
    "LF": b"Subject: LF\n\n.\n..\n.x\n",
    "CR": b"Subject: CR\r\r.\r..\r.x\r",
    "all kinds, and no last one": b"Subject: mixed\r\n\r\n\r\r\n.\n\r.\r\n\n.\r.",
    "nothing": b"",
    "a dot": b".",
    "NUL": b"Subject: nul\r\n\r\na\x00b\r\n",
}
WAYS = {
    "DATA": frozenset({"PIPELINING"}),
    "BDAT": frozenset({"PIPELINING", "CHUNKING"}),
}


def whole(octets, folder):
    return octets


def file(octets, folder):
    path = folder / "message.eml"
    path.write_bytes(octets)
    return path


def pieces(octets, folder):
    return (octets[start : start + 701] for start in range(0, len(octets), 701))


def sent(*without):
    """
    Return all messages there are, as they lie in their files.
    """
    ours = {name: octets for name, octets in (OWN | LINE_ENDS).items() if name not in without}
    return list((ours | {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.eml"))}).values())


def on_the_wire(octets):
    """
    Return the same with a CRLF for each line end there is, and at the end.
    """
    content = re.sub(rb"\r\n|\r|\n", b"\r\n", octets)
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def with_lf(octets):
    return on_the_wire(octets).replace(b"\r\n", b"\n")


class Said:
    """
    A transcript that keeps which verbs were used for contents.
    """

    def __init__(self):
        self.octets = b""

    def __call__(self):
        return self

    def client(self, octets):
        self.octets += octets

    def server(self, octets):
        pass

    @property
    def ways(self):
        return {verb.decode() for verb in re.findall(rb"^(DATA(?=\r\n)|BDAT(?= \d+))", self.octets, re.MULTILINE)}


async def send_all(endpoint, way, form, messages, folder):
    """
    Send messages by one session, each by a sender of its own; every one is delivered, and each goes the same way.
    """
    said = Said()
    async with lmtp.connect(endpoint, lmtp.ClientSettings(uses=WAYS[way], transcript=said)) as client:
        for number, octets in enumerate(messages):
            envelope = lmtp.OutgoingEnvelope.parse(f"m{number}@example.net", RECIPIENT)
            (result,) = await client.send(envelope, form(octets, folder))
            assert result.is_delivered, (octets[:200], result)
    assert {way} == said.ways


def by_number(stored):
    """
    Return messages by the numbers of their senders.
    """
    return {int(re.search(rb"^Return-Path: <m(\d+)@", message)[1]): message for message in stored}


FORMS = pytest.mark.parametrize("form", [whole, file, pieces])


@FORMS
@pytest.mark.peer("smtp-sink")
class TestSmtpSink:
    async def test_has_what_was_sent(self, place, tmp_path, form):
        messages = sent()
        with SmtpSinkWithOneFile(place) as peer:
            await send_all(f"127.0.0.1:{peer.port}", "DATA", form, messages, tmp_path)
            dumps = peer.dumps()

        own_fields = re.compile(rb"(?:X-.*\n)+Received: .*\n\t.*\n\t.*\n")
        assert list(map(with_lf, messages)) == [own_fields.sub(b"", dump, count=1) for dump in dumps]


@FORMS
@pytest.mark.parametrize("way", WAYS)
class TestServersWithChunking:
    async def test_of_ours_stores_what_was_sent(self, place, tmp_path, form, way):
        messages = sent("NUL")
        with Agent(place, [RECIPIENT]) as peer:
            await send_all(f"unix:{peer.socket}", way, form, messages, tmp_path)
            stored = by_number(peer.mailbox(RECIPIENT).messages())

        assert len(messages) == len(stored)
        for number, octets in enumerate(messages):
            assert on_disk(on_the_wire(octets)) == split_trace(stored[number])[1]

    @pytest.mark.peer("dovecot")
    async def test_of_dovecot_stores_what_was_sent(self, place, tmp_path, form, way):
        messages = sent()
        maildir = place / "mail"
        maildir.mkdir()
        give(maildir, USER)
        with Dovecot(place, maildir, [RECIPIENT]) as peer:
            await send_all(f"unix:{peer.lmtp_socket}", way, form, messages, tmp_path)
            stored = by_number(Mailbox(maildir / "example.org/ann").messages())

        assert len(messages) == len(stored)
        for number, octets in enumerate(messages):
            own_fields = rb"Return-Path: .*\nDelivered-To: .*\nReceived: .*\n(?:\t.*\n)+"
            assert with_lf(octets) == re.sub(own_fields, b"", stored[number], count=1)
