# SPDX-License-Identifier: Apache-2.0
"""
The engine of a session: sequences, replies and their order, limits, and every way to end.
"""

import pytest

from lmtp.protocol import events, reply
from lmtp.protocol.address import ReversePath
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.extensions import STANDARD, Demand, Offer
from lmtp.protocol.ledger import MAX_READY
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed, reply_for
from lmtp.protocol.parameters import Body, Notify, RcptParameters
from lmtp.protocol.phases import Phase
from lmtp.protocol.server import ServerConnection
from tests.protocol.session import MESSAGE, TRANSACTION, Session, codes, open_content, read_replies, statuses


class TestGreeting:
    def test_is_sent_before_the_client_says_anything(self):
        assert ["220 store.example LMTP ready"] == Session().greeting

    def test_is_answered_with_the_extensions(self):
        session = Session(limits=Limits(message_bytes=70_000))

        plain = "250-PIPELINING\n250-ENHANCEDSTATUSCODES\n250-8BITMIME\n250-SIZE 70000\n250-CHUNKING\n250-SMTPUTF8\n"
        expected = f"250-store.example\n{plain}250-LIMITS RCPTMAX=1000\n250 HELP"

        assert [expected] == session.say("LHLO mx.example")
        assert [events.ClientGreeted("mx.example")] == session.events

    @pytest.mark.parametrize("line", ["MAIL FROM:<>", "RCPT TO:<ann@example>", "DATA"])
    def test_must_come_before_a_transaction(self, line):
        """
        RFC 5321 §4.1.4.
        """
        assert ["503 5.5.1 Bad sequence of commands"] == Session().say(line)

    @pytest.mark.parametrize(("line", "code"), [("NOOP", "250"), ("RSET", "250"), ("HELP", "214"), ("QUIT", "221")])
    def test_need_not_come_before_anything_else(self, line, code):
        assert [code] == codes(Session().say(line))

    def test_may_come_again_and_takes_the_transaction_away(self, session):
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        assert ["250", "503", "250"] == codes(session.say("LHLO mx.example", "DATA", "MAIL FROM:<>"))
        assert ["greeted again"] == [event.reason for event in session.of_type(events.TransactionAborted)]


class TestProxies:
    """
    XCLIENT: the session begins anew for the client a proxy stands for.
    """

    OFFER = Offer(extensions=STANDARD | {"XCLIENT", "XFORWARD"})

    def test_greets_again_and_waits_for_what_its_client_is_offered(self):
        """
        What is said in the same piece is said by the client that is meant, and not by one that is trusted.
        """
        session = Session.greeted(offer=self.OFFER)
        session.connection.receive_data(b"XCLIENT ADDR=192.0.2.7\r\nLHLO mx.example\r\nXFORWARD ADDR=::1\r\n")
        (happened,) = session.connection.next_events()
        session.connection.offer = Offer()

        assert events.ClientReplaced({"ADDR": "192.0.2.7"}) == happened
        assert ["220", "250", "500"] == codes(session.hear())

    def test_is_not_possible_within_a_transaction(self):
        session = Session.greeted(offer=self.OFFER)

        assert ["250", "503", "503"] == codes(session.say("MAIL FROM:<>", "XCLIENT ADDR=::1", "XFORWARD ADDR=::1"))

    def test_says_where_messages_come_from(self):
        session = Session.greeted(offer=self.OFFER)

        assert ["250"] == codes(session.say("XFORWARD NAME=[UNAVAILABLE]"))
        assert [events.ClientForwarded({"NAME": None})] == session.of_type(events.ClientForwarded)


class TestDemands:
    def test_of_tls_come_first(self):
        session = Session(offer=Offer(extensions=STANDARD | {"STARTTLS"}, demands=Demand.TLS))
        lines = ["NOOP", "LHLO mx.example", "MAIL FROM:<>", "RSET", "VRFY ann", "HELP", "WHAT", "QUIT"]

        assert ["250", "250", "530", "530", "530", "530", "500", "221"] == codes(session.say(*lines))
        assert ["503"] == codes(Session(offer=session.connection.offer).send(b"BDAT 2\r\n\r\n"))

    def test_of_tls_are_met_by_tls(self):
        offer = Offer(extensions=STANDARD | {"STARTTLS"}, demands=Demand.TLS, is_encrypted=True)

        assert ["250"] == codes(Session.greeted(offer=offer).say("MAIL FROM:<>"))

    def test_of_authentication_come_before_a_transaction(self):
        session = Session.greeted(offer=Offer(demands=Demand.AUTHENTICATION))

        assert ["530 5.7.0", "250 2.0.0", "252 2.1.5"] == statuses(session.say("MAIL FROM:<>", "RSET", "VRFY ann"))


class TestCommands:
    @pytest.mark.guards("RP-1", "PL-6")
    def test_get_one_reply_each_in_their_order(self, session):
        assert ["250", "252", "214", "500", "250"] == codes(session.say("NOOP", "VRFY ann", "HELP", "WHAT", "RSET"))

    def test_help_names_the_verbs(self, session):
        assert ["214 2.0.0 Commands: LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT BDAT"] == session.say("HELP")

    def test_trace_says_what_the_log_is_to_call_the_session(self):
        session = Session.greeted(offer=Offer(extensions=STANDARD | {"TRACE"}))

        assert ["250"] == codes(session.say("TRACE a8098c1a"))
        assert [events.SessionTraced("a8098c1a")] == session.of_type(events.SessionTraced)

    def test_rset_takes_the_transaction_away(self, session):
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        assert ["250", "503"] == codes(session.say("RSET", "DATA"))
        assert ["reset"] == [event.reason for event in session.of_type(events.TransactionAborted)]

    def test_second_mail_is_out_of_place_and_leaves_the_first_alone(self, session):
        session.say("MAIL FROM:<ann@example>")

        assert ["503", "250"] == codes(session.say("MAIL FROM:<bob@example>", "RCPT TO:<cyd@example>"))
        assert "<ann@example>" == str(session.of_type(events.TransactionOpened)[0].envelope.reverse_path)

    def test_refused_one_is_reported_cut_short(self, session):
        session.say("X" * 1000)

        assert [events.CommandRefused(b"X" * 200, reply.UNKNOWN_COMMAND)] == session.events[1:]

    def test_broken_line_is_reported_without_its_octets(self, session):
        session.send(b"NOOP\nQUIT\r\n")

        assert [events.CommandRefused(b"", reply.LINE_ENDING)] == session.events[1:]

    def test_after_quit_are_not_read(self, session):
        assert ["221"] == codes(session.say("QUIT", "NOOP"))
        assert [] == session.say("NOOP" * 1000)
        assert [events.SessionEnded("quit")] == session.of_type(events.SessionEnded)

    def test_that_wait_for_nobody_are_no_reason_to_stop_reading(self):
        session = Session()
        session.connection.receive_data(b"NOOP\r\n" * 9000)

        assert not session.connection.has_backlog

    def test_behind_quit_are_no_reason_to_stop_reading(self, session):
        session.say("QUIT", "x" * 9000)

        assert not session.connection.has_backlog

    def test_quit_takes_the_transaction_away(self, session):
        session.say("MAIL FROM:<>", "QUIT")
        [opened] = session.of_type(events.TransactionOpened)

        assert [events.TransactionAborted(opened.envelope, "quit")] == session.of_type(events.TransactionAborted)


class TestMail:
    def test_parameters_are_on_the_envelope(self, session):
        session.say("MAIL FROM:<> SIZE=10 BODY=8BITMIME")
        parameters = session.of_type(events.TransactionOpened)[0].envelope.parameters

        assert (10, Body.EIGHT_BIT) == (parameters.size_bytes, parameters.body)

    @pytest.mark.guards("SI-3")
    def test_that_announces_too_much_is_refused(self):
        """
        RFC 1870 §6.1.
        """
        session = Session.greeted(limits=Limits(message_bytes=70_000))

        assert ["552 5.3.4", "250 2.1.0"] == statuses(session.say("MAIL FROM:<> SIZE=70001", "MAIL FROM:<> SIZE=70000"))
        assert [events.TransactionRefused(ReversePath(), reply.TOO_BIG)] == session.of_type(events.TransactionRefused)

    @pytest.mark.parametrize(("most", "expected"), [(0, "250 250"), (1, "250 421"), (2, "250 250")])
    def test_that_is_one_too_many_for_a_session_ends_it(self, most, expected):
        """
        RFC 9422 §4.1.
        """
        session = Session.greeted(limits=Limits(transactions=most))

        assert expected.split() == codes(session.say("MAIL FROM:<>", "RSET", "MAIL FROM:<>"))[::2]


class TestRecipients:
    def test_verdicts_make_the_replies(self):
        session = Session.greeted(verdicts={"bob@example": Failed("5.1.1"), "cyd@example": Deferred("4.2.1")})
        session.say("MAIL FROM:<>")

        assert ["250 2.1.5", "550 5.1.1", "450 4.2.1"] == statuses(
            session.say("RCPT TO:<ann@example>", "RCPT TO:<bob@example>", "RCPT TO:<cyd@example>")
        )

    def test_verdicts_are_reported_with_their_replies(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>")
        waiting.decide(0, Accepted())

        decided = events.RecipientDecided(waiting.offered[0], reply.RECIPIENT_OK)
        assert [decided] == waiting.of_type(events.RecipientDecided)

    def test_have_their_parameters(self):
        session = Session.greeted(offer=Offer(extensions=STANDARD | {"DSN"}))
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example> NOTIFY=NEVER")

        assert RcptParameters(notify=Notify.NEVER) == session.offered[0].parameters

    @pytest.mark.guards("PL-6")
    def test_may_be_decided_in_any_order_and_are_answered_in_theirs(self, waiting):
        waiting.say("MAIL FROM:<>")

        assert [] == waiting.say("RCPT TO:<ann@example>", "RCPT TO:<bob@example>", "DATA")
        assert 2 == waiting.connection.replies_owed
        assert [] == waiting.decide(1, Failed("5.1.1"))
        assert ["250 2.1.5", "550 5.1.1", "354 Send"] == statuses(waiting.decide(0, Accepted()))

    def test_hold_up_every_command_but_more_of_them(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>", "RCPT TO:<bob@example>", "NOOP", "RCPT TO:<cyd@example>")

        assert 2 == len(waiting.offered)
        assert ["250"] == codes(waiting.decide(0, Accepted()))
        assert ["250", "250"] == codes(waiting.decide(1, Accepted()))
        assert 3 == len(waiting.offered)

    def test_let_the_reader_go_on_until_more_than_a_command_has_to_wait(self):
        session = Session.greeted(waits=True, limits=Limits(command_line_bytes=512))
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>", "NOOP", "x" * 510)

        assert not session.connection.has_backlog

        session.say("NOOP")

        assert session.connection.has_backlog
        session.decide(0, Accepted())
        assert not session.connection.has_backlog

    def test_cannot_be_decided_twice(self, waiting):
        waiting.say("MAIL FROM:<>", "RCPT TO:<ann@example>")
        waiting.decide(0, Accepted())

        with pytest.raises(LocalProtocolError, match="ann@example"):
            waiting.connection.decide(waiting.offered[0], Accepted())

    @pytest.mark.guards("SZ-8", "SZ-9", "SZ-10")
    def test_surplus_is_refused_and_the_others_get_the_message(self):
        """
        RFC 5321 §4.5.3.1.10.
        """
        session = Session.greeted(limits=Limits(recipients=100))
        lines = [f"RCPT TO:<user{number}@example>" for number in range(102)]

        assert ["250"] * 101 + ["452"] * 2 == codes(session.say("MAIL FROM:<>", *lines))
        surplus = session.of_type(events.RecipientDecided)[-1]
        assert "<user101@example>" == str(surplus.recipient.forward_path)
        assert (Deferred("4.5.3"), reply.TOO_MANY_RECIPIENTS) == (surplus.recipient.verdict, surplus.reply)
        assert ["354"] + ["250"] * 100 == codes(session.say("DATA", *MESSAGE))

    def test_flood_of_them_waits_for_decisions(self):
        """
        The ledger is bounded even when nobody decides.
        """
        session = Session.greeted(waits=True, limits=Limits(recipients=100))
        session.say("MAIL FROM:<>", *["RCPT TO:<ann@example>"] * 500)

        assert 100 == session.connection.replies_owed == len(session.offered)

        for number in range(100):
            session.decide(number, Accepted())
        assert 0 == session.connection.replies_owed

    @pytest.mark.guards("LI-4")
    def test_refused_ones_count_towards_the_limit(self):
        session = Session.greeted(limits=Limits(recipients=100), verdicts={"x@example": Failed("5.1.1")})
        session.say("MAIL FROM:<>")

        assert ["550"] * 100 + ["452"] == codes(session.say(*["RCPT TO:<x@example>"] * 101))


class TestContent:
    @pytest.mark.guards("SI-2")
    def test_arrives_without_the_dots_of_the_transport(self, session):
        open_content(session, "ann")
        session.say("..a", "b", ".")

        assert [b".a\r\nb\r\n"] == session.contents
        assert 7 == session.of_type(events.ContentCompleted)[0].envelope.size_bytes

    def test_may_be_empty(self, session):
        open_content(session, "ann")

        assert ["250"] == codes(session.say("."))
        assert [b""] == session.contents

    @pytest.mark.guards("PL-10")
    def test_may_come_in_one_piece_with_all_commands(self, session):
        assert ["250", "250", "354", "250", "221"] == codes(session.send(TRANSACTION + b"QUIT\r\n"))

    @pytest.mark.guards("SZ-7", "SI-2")
    def test_of_the_greatest_size_is_taken(self):
        session = open_content(Session.greeted(limits=Limits(message_bytes=65536)), "ann")

        assert ["250"] == codes(session.send(b"x" * 65534 + b"\r\n.\r\n"))

    @pytest.mark.guards("SZ-9", "T65")
    def test_that_is_too_big_is_read_to_its_end_and_refused_for_each(self):
        session = open_content(Session.greeted(limits=Limits(message_bytes=65536)), "ann", "bob")
        session.send(b"x" * 65536)
        session.send(b"x" * 65536)

        assert ["552 5.3.4", "552 5.3.4"] == statuses(session.say("", "."))
        assert b"x" * 65536 == session.contents[0]
        assert [] == session.of_type(events.ContentCompleted)
        assert ["250"] == codes(session.say("MAIL FROM:<>"))

    @pytest.mark.parametrize(
        ("octets", "leniency"),
        [(b"a\nb", Leniency.STRAY_LINE_ENDS), (b"a\rb", Leniency.STRAY_LINE_ENDS), (b"\0", Leniency.NUL)],
    )
    def test_with_a_fault_is_refused_for_each_unless_that_is_let_pass(self, octets, leniency):
        strict = open_content(Session.greeted(), "ann", "bob")

        assert ["554 5.6.0", "554 5.6.0"] == statuses(strict.say(octets, "."))
        assert [] == strict.of_type(events.ContentReceived)

        lenient = open_content(Session.greeted(leniency=leniency), "ann", "bob")

        assert ["250", "250"] == codes(lenient.say(octets, "."))
        assert [octets + b"\r\n"] == lenient.contents

    def test_may_be_refused_by_the_programme_while_it_comes(self, session):
        envelope = open_content(session, "ann", "bob").of_type(events.ContentStarted)[0].envelope
        session.say("text")
        session.connection.refuse_content(envelope, Deferred("4.3.1"))
        session.connection.refuse_content(envelope, Failed("5.3.4"))

        assert [] == session.say("more")
        assert ["452 4.3.1", "452 4.3.1"] == statuses(session.say("."))
        assert [b"text"] == session.contents
        assert [events.ContentRefused(envelope, Deferred("4.3.1"))] == session.of_type(events.ContentRefused)

    def test_that_is_refused_lets_what_stands_behind_it_be_said_at_once(self, session):
        open_content(session, "ann")
        session.connection.receive_data(b"\0\r\n.\r\nNOOP\r\n")
        session.connection.next_events()

        assert ["554", "250"] == codes(read_replies(session.connection.data_to_send()))

    def test_with_a_fault_is_refused_for_that_whatever_the_programme_says(self, session):
        """
        The fault is there however often the client tries: it must not be told to try again.
        """
        envelope = open_content(session, "ann").of_type(events.ContentStarted)[0].envelope
        session.connection.refuse_content(envelope, Deferred("4.3.1"))

        assert ["554 5.6.0"] == statuses(session.say(b"a\0b", "."))

    def test_may_be_refused_by_the_programme_when_it_has_come(self, waiting):
        envelope = open_content(waiting, "ann", "bob").of_type(events.ContentStarted)[0].envelope
        waiting.say(*MESSAGE)
        waiting.settle(1, Delivered())
        waiting.connection.refuse_content(envelope, Deferred("4.3.1"))

        assert ["452 4.3.1", "250 2.0.0"] == statuses(waiting.hear())

    def test_that_is_over_cannot_be_refused_any_more(self, session):
        envelope = open_content(session, "ann").of_type(events.ContentStarted)[0].envelope
        session.say(*MESSAGE)
        open_content(session, "bob")
        session.connection.refuse_content(envelope, Deferred())

        assert ["250"] == codes(session.say(*MESSAGE))

    def test_that_was_refused_says_nothing_about_the_next(self, session):
        envelope = open_content(session, "ann").of_type(events.ContentStarted)[0].envelope
        session.connection.refuse_content(envelope, Deferred("4.3.1"))
        session.say(".")

        assert ["250", "250", "354", "250"] == codes(session.send(TRANSACTION))

    def test_in_which_the_client_leaves_is_gone(self, session):
        open_content(session, "ann")
        session.send(b"text\r\n")

        assert [] == session.leave()
        assert [events.SessionEnded("client left")] == session.events[-1:]
        assert ["client left"] == [event.reason for event in session.of_type(events.TransactionAborted)]


class TestReplies:
    """
    RFC 2033 §4.2, §5: one for each accepted recipient, in RCPT order, each as soon as it can be.
    """

    @pytest.mark.guards("LMTP-4.2-10")
    def test_leave_as_soon_as_those_before_them_are_known(self, waiting):
        open_content(waiting, "ann", "bob", "cyd")
        waiting.say(*MESSAGE)

        assert [] == waiting.settle(1, Failed("5.2.1"))
        assert ["250", "550"] == codes(waiting.settle(0, Delivered()))
        assert Phase.REPLYING is waiting.connection.phase
        assert ["452"] == codes(waiting.settle(2, Deferred("4.2.2")))
        assert Phase.READY is waiting.connection.phase

    @pytest.mark.guards("PL-12")
    def test_come_before_those_of_the_next_transaction(self, waiting):
        open_content(waiting, "ann", "bob")

        assert [] == waiting.say(*MESSAGE, "MAIL FROM:<>", "RCPT TO:<cyd@example>")
        assert [] == waiting.settle(1, Delivered())
        assert ["250 2.0.0", "250 2.0.0", "250 2.1.0"] == statuses(waiting.settle(0, Delivered()))

    def test_are_announced_to_whoever_writes_them(self):
        calls = []
        session = open_content(Session.greeted(waits=True, notify=lambda: calls.append("settled")), "ann")
        session.say(*MESSAGE)

        session.offered[0].settle(Delivered())

        assert ["settled"] == calls

    def test_are_reported_with_the_recipient(self, session):
        open_content(session, "ann")
        session.say(*MESSAGE)

        assert [(session.offered[0], 250)] == [
            (event.recipient, event.reply.code) for event in session.of_type(events.RecipientSettled)
        ]

    @pytest.mark.guards("LMTP-4.2-9")
    def test_end_the_transaction_when_the_last_is_known(self, waiting):
        open_content(waiting, "ann", "bob")
        waiting.say(*MESSAGE)
        waiting.settle(1, Delivered())

        assert [] == waiting.of_type(events.TransactionAnswered)
        waiting.settle(0, Delivered())
        [opened] = waiting.of_type(events.TransactionOpened)
        assert [
            events.RecipientSettled(waiting.offered[0], reply_for(Delivered(), "<ann@example>")),
            events.TransactionAnswered(opened.envelope),
        ] == waiting.events[-2:]

    def test_that_nobody_takes_keep_further_commands_waiting(self):
        """
        Eight octets of LHLO are answered with a hundred and more.
        """
        connection = ServerConnection("store.example")
        connection.receive_data(b"LHLO x\r\n" * 2000)
        connection.data_to_send()  # the greeting
        taken = []
        while connection.next_events():
            is_full = connection.is_full
            taken.append(connection.data_to_send())
            assert is_full is (len(taken[-1]) >= MAX_READY)

        assert len(taken) > 2
        assert max(map(len, taken)) < MAX_READY + 512
        assert 2000 == b"".join(taken).count(b"250 ")
