# SPDX-License-Identifier: Apache-2.0
"""
Transcripts, played to real servers.
"""

import pytest

import lmtp
from lmtp.testing.dialogues import SERVER_NAME, Dialogue
from lmtp.testing.script_server import scripted_server
from lmtp.testing.scripted_client import ObedientHandler, converse

DIALOGUE = Dialogue.parse("""
rcpt bob@example.org: 550 5.1.1 Nobody
deliver carl@example.org: 452 4.2.2 Full

S: 220 store.example LMTP ready
C: LHLO mx.example
S: 250-store.example
S: 250-PIPELINING
S: 250-ENHANCEDSTATUSCODES
S: 250-8BITMIME
S: 250-SIZE 52428800
S: 250 HELP
C: MAIL FROM:<>
C: RCPT TO:<ann@example.org>
C: RCPT TO:<bob@example.org>
C: RCPT TO:<carl@example.org>
C: DATA
S: 250 2.1.0 Sender ok
S: 250 2.1.5 Recipient ok
S: 550 5.1.1 <bob@example.org> Nobody
S: 250 2.1.5 Recipient ok
S: 354 Send the message; end with <CRLF>.<CRLF>
C: Subject: hi
C: .
S: 250 2.0.0 <ann@example.org> Delivered
S: 452 4.2.2 <carl@example.org> Full
C: QUIT
S: 221 2.0.0 Goodbye
S closes

delivered ann@example.org:
| Subject: hi
""")


@pytest.fixture(params=["tcp", "unix"])
def at(request, place):
    return f"unix:{place}/lmtp.sock" if request.param == "unix" else "127.0.0.1:0"


class TestConverse:
    async def test_hears_what_a_server_says(self, at):
        handler = ObedientHandler(DIALOGUE.rules)
        settings = lmtp.ServerSettings(
            server_name=SERVER_NAME, admittance=lmtp.Admittance(extensions=DIALOGUE.offer.extensions)
        )
        async with lmtp.serve(handler, at, settings=settings) as server:
            heard = await converse(DIALOGUE.turns, server.endpoints[0])

        assert DIALOGUE.expected.answers == heard
        assert DIALOGUE.delivered == tuple(handler.delivered)

    async def test_can_leave(self):
        turns = Dialogue.parse("S: 220 a\nC: NOOP\nC closes\nS: 250 b\n").turns
        async with scripted_server() as server:
            heard = await converse(turns, server.endpoint)

        assert ("220 scripted.example LMTP",) == heard[0]

    async def test_puts_what_nobody_expected_at_the_end(self):
        turns = Dialogue.parse("S: 220 a\nC: NOOP\nS: 250 b\n").turns
        async with scripted_server("greeting: 220 hi\nnoop: 250 a; 250 b") as server:
            heard = await converse(turns, server.endpoint)

        assert (("220 hi",), ("250 a", "250 b")) == heard

    async def test_says_what_was_not_answered(self):
        turns = Dialogue.parse("S: 220 a\nC: NOOP\nS: 250-b\nS: 250 c\n").turns
        async with scripted_server() as server:
            with pytest.raises(TimeoutError, match="1 of 2 lines came after b'NOOP"):
                await converse(turns, server.endpoint, timeout_seconds=0.05)

    async def test_takes_an_early_end_for_no_answer(self):
        turns = Dialogue.parse("S: 220 a\nC: NOOP\nS: 250 b\n").turns
        async with scripted_server("noop: close") as server:
            heard = await converse(turns, server.endpoint)

        assert () == heard[1]
