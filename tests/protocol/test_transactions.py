# SPDX-License-Identifier: Apache-2.0
"""
Contents in chunks: one reply for each but the last, then one for each recipient; and what is refused is read first.

Everything that has to do with DATA is in test_server.py. RFC 3030 §2, RFC 2033 §4.3.
"""

import pytest

from lmtp.protocol import events
from lmtp.protocol.dialect import SMTP
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.limits import Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.phases import Phase
from lmtp.protocol.reply import CHUNK_OUT_OF_PLACE, SHUTTING_DOWN
from tests.protocol.session import MESSAGE, Session, codes, open_content, statuses

CHUNKED = b"BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n"


def open_transaction(session, *names):
    """
    Go on to where chunks may come, with these recipients accepted.
    """
    session.say("MAIL FROM:<>", *(f"RCPT TO:<{name}@example>" for name in names))
    for number, recipient in enumerate(session.offered):
        if recipient.verdict is None:
            session.decide(number, Accepted())
    return session


def refuse(session, refusal):
    session.connection.refuse_content(session.of_type(events.TransactionOpened)[-1].envelope, refusal)


class TestChunks:
    @pytest.mark.guards("LMTP-4.3-1", "LMTP-4.3-2")
    def test_are_answered_once_and_the_last_for_each_recipient(self, session):
        open_transaction(session, "ann", "bob")

        assert ["250 2.0.0", "250 2.0.0", "250 2.0.0"] == statuses(session.send(CHUNKED))
        assert [b"a\r\nb\r\n"] == session.contents
        assert 1 == len(session.of_type(events.ContentStarted)) == len(session.of_type(events.ContentCompleted))

    def test_say_how_much_came(self, session):
        open_transaction(session, "ann")

        assert ["250 2.0.0 3 octets received"] == session.send(b"BDAT 3\r\na\r\n")
        assert ["250 2.0.0 0 octets received"] == session.send(b"BDAT 0\r\n")

    def test_are_not_answered_before_they_are_whole(self, session):
        open_transaction(session, "ann")

        assert [] == session.send(b"BDAT 6 LAST\r\n\r\n.\r")
        assert Phase.CHUNK is session.connection.phase
        assert [] == session.send(b"\n")
        assert ["250", "221"] == codes(session.send(b".QUIT\r\n"))
        assert [b"\r\n.\r\n."] == session.contents

    def test_wait_until_their_recipients_are_decided(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        assert [] == waiting.send(CHUNKED)
        assert ["250", "250"] == codes(waiting.decide(0, Accepted()))
        assert ["250"] == codes(waiting.settle(0, Delivered()))

    def test_that_were_said_before_the_client_left_are_kept(self, waiting):
        """
        A client may say all it has to say, close its side, and wait for the replies.
        """
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>")
        waiting.send(CHUNKED + b"QUIT\r\n")
        waiting.leave()

        assert ["250", "250"] == codes(waiting.decide(0, Accepted()))
        assert ["250", "221"] == codes(waiting.settle(0, Delivered()))
        assert [b"a\r\nb\r\n"] == waiting.contents

    def test_that_are_not_whole_when_the_client_leaves_are_gone(self, session):
        open_transaction(session, "ann")
        session.send(b"BDAT 5 LAST\r\na\r\n")

        assert [] == session.leave()
        assert ["client left"] == [event.reason for event in session.of_type(events.TransactionAborted)]

    def test_are_told_before_they_are_answered(self):
        """
        Whoever keeps them may not be able to: then the chunk that was the first too many is refused, not the next.
        """
        session = open_transaction(Session.greeted(waits=True), "ann")
        session.connection.receive_data(b"BDAT 3\r\na\r\n")
        told = session.connection.next_events()

        assert [events.ContentStarted, events.ContentReceived] == [type(event) for event in told]
        assert b"" == session.connection.data_to_send()
        refuse(session, Deferred("4.3.1"))
        assert ["452 4.3.1"] == statuses(session.hear())

    @pytest.mark.parametrize("count", [1, 3])
    def test_of_a_message_to_smtp_are_answered_once_in_the_end(self, count):
        session = open_transaction(Session.greeted(dialect=SMTP), *["ann", "bob", "cyd"][:count])

        assert ["250", "250"] == codes(session.send(CHUNKED))


class TestRefusedChunks:
    @pytest.mark.guards("CH-4", "CH-6")
    def test_are_read_before_they_are_answered(self, session):
        open_transaction(session, "ann")
        refuse(session, Deferred("4.3.1"))  # there is nothing to refuse yet
        session.send(b"BDAT 3\r\na\r\n")
        refuse(session, Deferred("4.3.1"))

        assert [] == session.send(b"BDAT 6\r\nQUIT")
        assert ["452 4.3.1"] == statuses(session.send(b"\r\n"))
        assert Phase.BROKEN is session.connection.phase
        assert ["503 5.5.1"] == statuses(session.send(b"BDAT 6\r\nQUIT\r\n"))
        assert [b"a\r\n"] == session.contents

    def test_leave_nothing_but_a_new_transaction(self, session):
        open_transaction(session, "ann", "bob")
        session.send(b"BDAT 3\r\n\n\n\n")

        assert ["503", "503", "503", "503", "503"] == codes(
            session.say("DATA", "RCPT TO:<cyd@example>", "MAIL FROM:<>", "BDAT 0 LAST")
        )
        assert Phase.READY is session.connection.phase
        assert ["5.5.1", "5.5.1"] == [event.reply.status for event in session.of_type(events.RecipientSettled)], (
            "one reply for each recipient all the same"
        )

    @pytest.mark.parametrize("line", ["RSET", "LHLO mx.example"])
    def test_are_forgotten_with_their_transaction(self, session, line):
        open_transaction(session, "ann")
        session.send(b"BDAT 3\r\n\n\n\n")

        assert ["250"] == codes(session.say(line))
        open_transaction(session, "bob")
        assert ["250", "250"] == codes(session.send(CHUNKED))

    def test_that_were_sent_without_waiting_do_not_end_the_session(self):
        """
        RFC 3030 §2: a client may have sent them all before it hears that the first was refused.
        """
        session = open_transaction(Session.greeted(limits=Limits(bad_commands=3)), "ann")

        assert ["554"] + ["503"] * 50 + ["250"] == codes(session.send(b"BDAT 1\r\n\n" * 51 + b"RSET\r\n"))

    def test_that_are_out_of_place_do(self):
        session = Session.greeted(limits=Limits(bad_commands=3))

        assert ["503", "503", "421"] == codes(session.send(b"BDAT 2\r\nab" * 5))
        assert [events.CommandRefused(b"BDAT", CHUNK_OUT_OF_PLACE)] * 3 == session.of_type(events.CommandRefused)

    @pytest.mark.guards("CH-15")
    def test_that_are_too_big_are_not_even_begun(self):
        session = open_transaction(Session.greeted(limits=Limits(message_bytes=65536)), "ann", "bob")

        assert [] == session.send(b"BDAT 65537\r\n" + b"x" * 65536)
        assert ["552"] == codes(session.send(b"x"))
        assert [] == session.of_type(events.ContentReceived)

    def test_whose_size_is_absurd_take_no_memory(self, session):
        open_transaction(session, "ann")
        session.send(b"BDAT 99999999999999999999 LAST\r\n")
        for _ in range(10):
            assert [] == session.send(b"x" * 65536)
            assert 0 == len(session.connection._input)
        session.leave()

        assert session.has_ended

    @pytest.mark.guards("LMTP-4.3-3")
    def test_for_nobody_end_the_transaction_without_a_word(self):
        session = Session.greeted(verdicts={"ann@example": Failed("5.1.1")})
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        assert ["503"] == codes(session.send(b"BDAT 3\r\na\r\n"))
        assert [] == session.send(b"BDAT 3 LAST\r\na\r\n")
        assert ["no recipients"] == [event.reason for event in session.of_type(events.TransactionAborted)]
        assert Phase.READY is session.connection.phase

    def test_do_not_hold_up_the_end(self, session):
        session.send(b"BDAT 100\r\nabc")
        session.connection.close(SHUTTING_DOWN)

        assert ["421"] == codes(session.hear())
        assert session.has_ended

    def test_are_read_to_their_end_before_a_server_goes_down(self, session):
        session.send(b"BDAT 6\r\nQUI")
        session.connection.drain()

        assert [] == session.hear()
        assert ["503", "421"] == codes(session.send(b"T\r\n"))


class TestWhoeverIsBehind:
    def test_can_say_only_what_there_is_to_say(self, waiting):
        open_content(waiting, "ann").say(*MESSAGE)
        waiting.say("MAIL FROM:<>")
        with pytest.raises(LocalProtocolError, match="None is no outcome"):
            waiting.offered[0].settle(None)
        with pytest.raises(LocalProtocolError, match="is no outcome"):
            waiting.offered[0].settle(Accepted())
        waiting.settle(0, Delivered())
        waiting.say("RCPT TO:<bob@example>")
        with pytest.raises(LocalProtocolError, match="is no verdict"):
            waiting.decide(1, Delivered())

        assert ["250"] == codes(waiting.decide(1, Accepted()))

    def test_has_nothing_to_refuse_before_a_content_begins(self, session):
        open_transaction(session, "ann").send(CHUNKED)
        open_transaction(session, "bob")
        refuse(session, Deferred("4.3.1"))

        assert ["250", "250"] == codes(session.send(CHUNKED))

    def test_sees_whose_replies_have_not_been_sent(self, waiting):
        assert [] == waiting.connection.unanswered
        open_content(waiting, "ann", "bob", "cyd")
        assert [] == waiting.connection.unanswered
        waiting.say(*MESSAGE)
        ann, bob, cyd = waiting.offered

        assert [ann, bob, cyd] == waiting.connection.unanswered
        waiting.settle(1, Delivered())
        assert [ann, bob, cyd] == waiting.connection.unanswered, "a reply waits for those before it"
        waiting.settle(0, Delivered())
        assert [cyd] == waiting.connection.unanswered
        waiting.settle(2, Delivered())
        assert [] == waiting.connection.unanswered

    def test_is_heard_once_for_each_recipient(self, waiting):
        open_transaction(waiting, "ann").send(b"BDAT 0 LAST\r\n")
        waiting.settle(0, Delivered())

        with pytest.raises(LocalProtocolError, match="not waiting for an outcome"):
            waiting.offered[0].settle(Delivered())
