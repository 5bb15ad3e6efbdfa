# SPDX-License-Identifier: Apache-2.0
"""
Contents by DATA and by BDAT, in clear and under TLS: what the client sends is what the handler gets.
"""

import hashlib

import pytest

import lmtp
from lmtp.aio.admission import Admittance
from lmtp.observe import events as observed
from lmtp.protocol.extensions import STANDARD
from tests.aio.conftest import Inbox

WAYS = ["unix:{folder}/lmtp.sock", "127.0.0.1:0,tls"]
BINARY = Admittance(extensions=STANDARD | {"BINARYMIME"})


@pytest.fixture(params=WAYS, ids=["clear", "tls"])
def serve(request, start, certificate, tmp_path):
    """
    Start a server for a handler, in clear or under TLS.
    """

    async def open_server(handler):
        at, tls = request.param.format(folder=tmp_path), await certificate.load()
        return start(handler, at=at, tls=tls, admittance=BINARY)

    return open_server


class TestChunks:
    """
    RFC 3030, RFC 2033 §4.3.
    """

    async def test_make_one_content_with_a_reply_for_each_recipient(self, serve, recorder):
        inbox = Inbox(full=lmtp.Deferred("4.2.2"))
        async with await serve(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "RCPT TO:<full@example.org>")
            client.write(b"BDAT 9\r\nSubject: BDAT 5\r\nhi\r\n\rBDAT 6 LAST\r\n\n.\r\nx\nNOOP\r\n")

            assert ["250", "250", "554", "554", "250"] == await client.read_codes(5), "a bare LF at the end"

            await client.say("MAIL FROM:<>", "RCPT TO:<ann@example.org>", "RCPT TO:<full@example.org>")
            client.write(b"BDAT 9\r\nSubject: BDAT 5\r\nhi\r\n\rBDAT 6 LAST\r\n\n.\r\nx.NOOP\r\n")

            assert ["250", "250", "250", "452", "250"] == await client.read_codes(5)
        assert [b"Subject: hi\r\n\r\n.\r\nx."] == inbox.contents
        assert [20] * 4 == [event.size_bytes for event in recorder.of(observed.RecipientSettled)]

    async def test_may_hold_any_octet_when_they_are_binary(self, serve):
        inbox, content = Inbox(), bytes(range(256)) * 4096
        async with await serve(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<> BODY=BINARYMIME", "RCPT TO:<ann@example.org>")
            for start in range(0, len(content), 100_000):
                chunk = content[start : start + 100_000]
                client.write(b"BDAT %d\r\n%s" % (len(chunk), chunk))

            assert {"250"} == set(await client.read_codes(11))
            assert ["250"] == await client.say("BDAT 0 LAST")
        assert [content] == inbox.contents


class TestBigContent:
    """
    Ten megabytes.
    """

    @pytest.mark.parametrize("opening", ["DATA", "BDAT"])
    async def test_arrives_octet_for_octet(self, serve, opening):
        content = b"".join(b".%077d\r\n" % number for number in range(125_000))
        inbox = Inbox()
        async with await serve(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "RCPT TO:<bob@example.org>")
            if opening == "DATA":
                assert ["354"] == await client.say("DATA")
                client.write(content.replace(b".", b"..") + b".\r\n")
            else:
                client.write(b"BDAT %d LAST\r\n%s" % (len(content), content))

            assert ["250", "250"] == await client.read_codes(2)
        assert 10_000_000 == len(content)
        assert [hashlib.sha256(content).hexdigest()] == [hashlib.sha256(each).hexdigest() for each in inbox.contents]
        assert [False] == [transaction.content.is_in_memory for transaction in inbox.transactions]
