# SPDX-License-Identifier: Apache-2.0
"""
Every way a session can end, and that whoever waits for a reply gets one first.
"""

import pytest

from lmtp.protocol import events, reply
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.limits import Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from tests.protocol.session import MESSAGE, TRANSACTION, Session, codes, open_content


class TestBadCommands:
    """
    RFC 5321 §7.8: somebody who says nothing but nonsense is sent away, with 421.
    """

    @pytest.mark.parametrize("line", [b"WHAT", b"RCPT TO:<ann@example>", b"MAIL FROM:x", b"a\nb", b"x" * 9000])
    def test_in_a_row_end_the_session(self, line):
        session = Session.greeted(limits=Limits(bad_commands=3))

        assert ["421"] == codes(session.say(line, line, line))[2:]
        assert session.has_ended
        assert [] == session.say("NOOP")

    @pytest.mark.guards("GR-9")
    def test_with_good_ones_between_do_not(self):
        session = Session.greeted(limits=Limits(bad_commands=3))

        assert ["500", "500", "250"] * 5 == codes(session.say(*["WHAT", "WHAT", "NOOP"] * 5))

    def test_end_a_transaction_too(self):
        session = Session.greeted(limits=Limits(bad_commands=1))

        assert ["250", "250", "421"] == codes(session.say("MAIL FROM:<>", "RCPT TO:<ann@example>", "WHAT"))
        assert ["421 4.7.0 Too many bad commands, closing"] == [
            event.reason for event in session.of_type(events.TransactionAborted)
        ]


class TestDrain:
    """
    RFC 5321 §3.8: what was begun is brought to its end, then 421.
    """

    def drain(self, session):
        session.connection.drain()
        return session.hear()

    def test_ends_an_idle_session_at_once(self, session):
        assert ["421 4.3.2 Shutting down"] == self.drain(session)
        assert session.has_ended

    def test_ends_a_session_that_has_not_begun(self):
        assert ["421"] == codes(self.drain(Session()))

    @pytest.mark.guards("SD-1")
    def test_lets_a_transaction_come_to_its_end(self, session):
        session.say("MAIL FROM:<>")

        assert [] == self.drain(session)
        assert ["250", "354", "250", "421"] == codes(session.say("RCPT TO:<ann@example>", "DATA", *MESSAGE))

    def test_waits_for_the_last_outcome(self, waiting):
        open_content(waiting, "ann", "bob")
        waiting.say(*MESSAGE)

        assert [] == self.drain(waiting)
        assert ["250"] == codes(waiting.settle(0, Delivered()))
        assert ["250", "421"] == codes(waiting.settle(1, Delivered()))

    def test_takes_no_new_transaction(self, waiting):
        open_content(waiting, "ann")
        waiting.say(*MESSAGE, "NOOP", "MAIL FROM:<>", "NOOP")
        self.drain(waiting)

        assert ["250", "250", "421"] == codes(waiting.settle(0, Delivered()))

    def test_waits_for_verdicts(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        assert [] == self.drain(waiting)
        assert ["250", "250", "421"] == codes(waiting.decide(0, Accepted()) + waiting.say("RSET"))


class TestClose:
    """
    The programme ends the session: whoever waits for a reply gets one first.
    """

    def close(self, session):
        session.connection.close(reply.IDLE_TOO_LONG)
        return session.hear()

    def test_says_why(self, session):
        assert ["421 4.4.2 Waited too long, closing"] == self.close(session)
        assert [events.SessionEnded("421 4.4.2 Waited too long, closing")] == session.events[-1:]

    def test_happens_once(self, session):
        self.close(session)

        assert [] == self.close(session)

    def test_defers_who_was_not_decided(self, waiting):
        waiting.say("MAIL FROM:<>", *(f"RCPT TO:<{name}@example>" for name in ("ann", "bob", "cyd")), "DATA")
        waiting.decide(1, Failed("5.1.1"))

        assert ["451", "550", "451", "421"] == codes(self.close(waiting))
        with pytest.raises(LocalProtocolError):
            waiting.decide(0, Accepted())

    @pytest.mark.guards("SD-3")
    def test_defers_who_was_not_settled_and_keeps_what_was(self, waiting):
        open_content(waiting, "ann", "bob", "cyd")
        waiting.say(*MESSAGE)
        waiting.settle(1, Delivered())

        assert ["451", "250", "451", "421"] == codes(self.close(waiting))
        assert [True, False, True] == [recipient.is_abandoned for recipient in waiting.offered]
        assert [] == waiting.settle(0, Delivered())

    def test_in_the_content_leaves_nobody_to_settle(self, session):
        open_content(session, "ann")

        assert ["421"] == codes(self.close(session))
        with pytest.raises(LocalProtocolError):
            session.offered[0].settle(Delivered())


class TestEndOfInput:
    @pytest.mark.guards("ST-12")
    def test_is_a_way_to_say_quit(self, session):
        session.say("MAIL FROM:<>")

        assert [] == session.leave()
        assert [events.SessionEnded("client left")] == session.events[-1:]

    @pytest.mark.guards("DUP-6")
    def test_leaves_half_a_command_undone(self, session):
        session.send(b"MAIL FROM:<>")

        assert [] == session.leave()
        assert [] == session.of_type(events.TransactionOpened)

    @pytest.mark.guards("ST-12")
    def test_after_the_content_still_gets_the_replies(self, waiting):
        open_content(waiting, "ann", "bob")
        waiting.say(*MESSAGE)

        assert [] == waiting.leave()
        assert not waiting.has_ended
        assert ["250", "451"] == codes(waiting.settle(0, Delivered()) + waiting.settle(1, Deferred()))
        assert waiting.has_ended

    def test_waits_for_verdicts(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        assert [] == waiting.leave()
        assert ["250"] == codes(waiting.decide(0, Accepted()))
        assert waiting.has_ended

    @pytest.mark.guards("PL-8")
    def test_comes_after_everything_that_was_said(self, session):
        session.connection.receive_data(TRANSACTION + TRANSACTION)

        assert ["250", "250", "354", "250"] * 2 == codes(session.leave())
        assert 2 == len(session.of_type(events.ContentCompleted))


class TestReset:
    """
    The connection is gone both ways: nobody can be told anything.
    """

    def reset(self, session):
        session.connection.receive_reset()
        return session.hear()

    def test_ends_an_idle_session(self, session):
        assert [] == self.reset(session)
        assert [events.SessionEnded("client left")] == session.events[-1:]

    def test_waits_for_no_verdict(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>")
        self.reset(waiting)

        assert waiting.has_ended
        with pytest.raises(LocalProtocolError):
            waiting.decide(0, Accepted())

    def test_obeys_no_command_that_had_to_wait(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>", "RCPT TO:<bob@example>")
        waiting.decide(0, Accepted())
        waiting.say("DATA", *MESSAGE, "MAIL FROM:<>", "RCPT TO:<cyd@example>")
        self.reset(waiting)

        assert waiting.has_ended
        assert [] == waiting.of_type(events.ContentStarted)
        assert 2 == len(waiting.offered)

    def test_lets_what_is_being_delivered_be_settled(self, waiting):
        open_content(waiting, "ann", "bob")
        waiting.say(*MESSAGE, "MAIL FROM:<>", "RCPT TO:<cyd@example>")
        self.reset(waiting)
        waiting.settle(0, Delivered())

        assert not waiting.has_ended
        waiting.settle(1, Delivered())
        assert waiting.has_ended
        assert 2 == len(waiting.offered)
