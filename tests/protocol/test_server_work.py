# SPDX-License-Identifier: Apache-2.0
"""
What a session costs: time and memory are linear in what comes in. Counted in calls and octets, not in seconds.
"""

import sys
import tracemalloc

import pytest

from lmtp.protocol import events
from lmtp.protocol.outcome import Accepted
from lmtp.protocol.server import ServerConnection
from tests.protocol.session import SERVER_NAME, TRANSACTION, Session


def calls_for(octets, size=1):
    """
    Return how many functions are called while the octets come in pieces of a size.
    """
    session = Session.greeted()
    calls = 0

    def count(_frame, what, _argument):
        nonlocal calls
        calls += what in ("call", "c_call")

    sys.setprofile(count)
    try:
        for start in range(0, len(octets), size):
            session.send(octets[start : start + size])
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.slow
class TestWork:
    """
    Time and memory are linear in what comes in, however it comes.
    """

    @pytest.mark.parametrize(
        "octets",
        [TRANSACTION, b"NOOP\r\n", b"x", b"\r", b"\n", b"RCPT TO:<ann@example>\r\n", b'MAIL FROM:<"\\"\\"'],
        ids=repr,
    )
    @pytest.mark.parametrize("size", [1, 7, 1 << 20])
    def test_is_at_most_doubled_by_twice_as_many_octets(self, octets, size):
        once, twice = (calls_for(octets * (times * 3_000 // len(octets)), size) for times in (1, 2))

        assert twice <= 2.1 * once + 100

    @pytest.mark.parametrize("octets", [b"text\r\n", b".\r", b"\r\n.\r", b"\r", b"..\r\n"], ids=repr)
    def test_on_a_content_is_at_most_doubled_by_twice_as_many_octets(self, octets):
        head = TRANSACTION.partition(b"text")[0]
        once, twice = (calls_for(head + octets * (times * 2_000 // len(octets))) for times in (1, 2))

        assert twice <= 2.1 * once + 100

    def test_on_a_transaction_does_not_copy_those_behind_it(self):
        """
        A client may have a thousand small messages in one segment; moving the rest for each would be quadratic.
        """
        connection = ServerConnection(SERVER_NAME)
        connection.receive_data(b"LHLO mx.example\r\n" + TRANSACTION + TRANSACTION * 20_000)
        tracemalloc.start()
        try:
            (offered,) = [e for e in connection.next_events() if isinstance(e, events.RecipientOffered)]
            connection.decide(offered.recipient, Accepted())
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            happened = connection.next_events()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert any(isinstance(event, events.ContentCompleted) for event in happened)
        assert peak - before < 64 * 1024

    def test_ends_with_the_session(self):
        """
        Who goes on talking after the 221 fills no memory.
        """
        session = Session.greeted()
        session.say("QUIT")
        tracemalloc.start()
        try:
            for _ in range(100):
                session.send(b"x" * 65536)
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

        assert kept < 128 * 1024
