# SPDX-License-Identifier: Apache-2.0
"""
What a session costs: time and memory are linear in what comes in. Counted in calls and octets, not in seconds.
"""

import sys
import tracemalloc

import pytest

from lmtp.protocol import events
from lmtp.protocol.extensions import STANDARD, Offer
from lmtp.protocol.outcome import Accepted
from lmtp.protocol.server import ServerConnection
from lmtp.testing.dialogues import Rules
from tests.protocol.session import SERVER_NAME, TRANSACTION, Session

AUTH = Offer(extensions=STANDARD | {"AUTH"}, mechanisms=("PLAIN",))
IN_CHUNKS = b"MAIL FROM:<>\r\nRCPT TO:<ann@example>\r\n"


def calls_for(octets, size=1, **settings):
    """
    Return how many functions are called while the octets come in pieces of a size.
    """
    session = Session.greeted(**settings)
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

    @pytest.mark.parametrize(
        "chunk",
        [b"BDAT 0\r\n", b"BDAT 1\r\nx", b"BDAT 5\r\nab\r\n\r", b"BDAT 2\r\n\n\0", b"BDAT 2 LAST\r\n\r\n" + IN_CHUNKS],
        ids=repr,
    )
    @pytest.mark.parametrize("size", [1, 7, 1 << 20])
    def test_on_many_chunks_is_at_most_doubled_by_twice_as_many(self, chunk, size):
        once, twice = (calls_for(IN_CHUNKS + chunk * (times * 200), size) for times in (1, 2))

        assert twice <= 2.1 * once + 100

    @pytest.mark.parametrize("opening", [b"", IN_CHUNKS], ids=["refused", "taken"])
    @pytest.mark.parametrize("size", [1, 7, 100])
    def test_on_one_big_chunk_in_small_pieces_is_at_most_doubled_by_twice_its_size(self, opening, size):
        chunks = (opening + b"BDAT %d LAST\r\n" % length + b"x" * length for length in (3_000, 6_000))
        once, twice = (calls_for(chunk, size) for chunk in chunks)

        assert twice <= 2.1 * once + 100

    @pytest.mark.parametrize("opening", [b"AUTH PLAIN ", b"AUTH PLAIN\r\n"], ids=["initial", "response"])
    def test_on_a_long_response_is_at_most_doubled_by_twice_its_length(self, opening):
        settings = {"offer": AUTH, "authenticator": Rules(users={"ann": "secret"})}
        once, twice = (calls_for(opening + b"A" * length + b"\r\n", **settings) for length in (6_000, 12_000))

        assert twice <= 2.1 * once + 100

    def test_on_many_responses_is_at_most_doubled_by_twice_as_many(self):
        settings = {"offer": AUTH, "authenticator": Rules(users={"ann": "secret"})}
        once, twice = (calls_for(b"AUTH PLAIN\r\n*\r\n" * (times * 200), 1 << 20, **settings) for times in (1, 2))

        assert twice <= 2.1 * once + 100

    def test_on_a_chunk_does_not_copy_those_behind_it(self):
        """
        As with messages: a client may have a hundred thousand chunks in one segment.
        """
        connection = ServerConnection(SERVER_NAME)
        connection.receive_data(b"LHLO mx.example\r\n" + IN_CHUNKS + b"BDAT 3\r\na\r\n" * 100_000)
        (offered,) = [e for e in connection.next_events() if isinstance(e, events.RecipientOffered)]
        connection.decide(offered.recipient, Accepted())
        tracemalloc.start()
        try:
            for _ in range(100):
                connection.next_events()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert 99 == connection.data_to_send().count(b"octets received")
        assert peak < 64 * 1024

    def test_on_a_big_chunk_keeps_none_of_it(self):
        session = Session.greeted()
        session.send(IN_CHUNKS + b"BDAT 40000000\r\n")
        session.connection.receive_data(b"x")
        tracemalloc.start()
        try:
            for _ in range(100):
                session.connection.receive_data(b"x" * 65536)
                session.connection.next_events()
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

        assert kept < 128 * 1024

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
