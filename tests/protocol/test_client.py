# SPDX-License-Identifier: Apache-2.0
"""
The client's half of a session (RFC 2033 §4 and §5, RFC 5321 §3 and §4).
"""

import pytest

from lmtp.protocol.client import ClientConnection
from lmtp.protocol.client_events import (
    ChunkTaken,
    ContentWanted,
    RecipientResolved,
    ReplyReceived,
    SessionLost,
    TransactionEnded,
)
from lmtp.protocol.dialect import SMTP
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.outcome import Deferred, Failed
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import Body, MailParameters
from lmtp.protocol.results import Point
from tests.protocol.client_session import USUAL, ClientSession, outcomes

CHUNKING = (*USUAL, "CHUNKING")


@pytest.fixture
def session():
    """
    A session with a server that offers PIPELINING.
    """
    return ClientSession.greeted(*USUAL)


@pytest.fixture
def slow():
    """
    A session with one that does not.
    """
    return ClientSession.greeted("ENHANCEDSTATUSCODES")


@pytest.fixture
def chunking():
    """
    A session with one that offers CHUNKING too.
    """
    return ClientSession.greeted(*CHUNKING)


def lost(session):
    """
    Return how a session was lost.
    """
    (event,) = session.of_type(SessionLost)
    return event


def is_unusable(session):
    """
    Whether a session is over in every respect.
    """
    connection = session.connection
    with pytest.raises(LocalProtocolError):
        connection.begin(OutgoingEnvelope.parse("", "ann@example"))
    with pytest.raises(LocalProtocolError):
        connection.noop()
    nothing = [connection.receive_data(b"250 ok\r\n"), connection.receive_eof(), connection.give_up("again")]
    return connection.is_over and not (connection.can_begin or connection.is_idle) and nothing == [[], [], []]


class TestOpening:
    @pytest.mark.guards("LMTP-4.1-12", "LMTP-4.1-7")
    def test_waits_for_the_greeting(self):
        session = ClientSession()
        session.connection.greet()

        assert Point.GREETING is session.connection.awaits
        session.play("""
            S: 220-store.example
            S: 220 LMTP
            C: LHLO mx.example
            S: 250-store.example
            S: 250 PIPELINING
            """)
        assert session.connection.is_idle

    def test_begins_no_transaction_before_lhlo(self):
        session = ClientSession()
        session.hear("220 store.example")

        assert not session.connection.can_begin
        with pytest.raises(LocalProtocolError, match="no transaction can be begun now"):
            session.begin("ann@example")

    @pytest.mark.guards("T45")
    def test_reads_a_list_of_extensions_however_it_comes(self):
        """
        A client that took the lines of one reply for several ended its session after LHLO.
        """
        session = ClientSession()
        session.hear("220 store.example")
        session.connection.greet()
        for octet in b"250-store.example\r\n250-SIZE 100\r\n250 PIPELINING\r\n":
            session.receive(bytes([octet]))

        assert {"SIZE": ("100",), "PIPELINING": ()} == session.connection.offered.keywords
        assert [Point.GREETING, Point.LHLO] == [event.point for event in session.of_type(ReplyReceived)]

    @pytest.mark.parametrize("code", [450, 554])
    def test_goes_on_to_quit_after_a_greeting_that_refuses(self, code):
        """
        RFC 5321 §3.1: the server waits for QUIT.
        """
        session = ClientSession()
        session.connection.greet()
        session.hear(f"{code} no service here")

        assert (True, False) == (session.connection.is_ending, session.connection.is_over)
        with pytest.raises(LocalProtocolError, match="refused"):
            session.connection.greet()
        session.connection.quit()
        session.play("""
            C: QUIT
            S: 221 bye
            """)
        assert SessionLost("we ended the session", is_fault=False) == lost(session)

    def test_ends_with_421(self):
        session = ClientSession()
        session.hear("421 4.3.2 too busy")

        assert SessionLost("the server ended the session: 421 4.3.2 too busy", is_fault=False) == lost(session)

    @pytest.mark.guards("LMTP-4.1-5", "LMTP-4.1-1")
    def test_does_not_try_ehlo_with_a_server_that_knows_no_lhlo(self):
        session = ClientSession()
        session.hear("220 mail.example ESMTP")
        session.connection.greet()
        session.said()
        session.hear("500 5.5.2 what")

        assert (False, []) == (session.connection.can_begin, session.said())
        with pytest.raises(LocalProtocolError, match="LMTP has no HELO"):
            session.connection.greet(is_plain=True)

    def test_falls_back_to_helo_in_smtp(self):
        session = ClientSession(dialect=SMTP)
        session.hear("220 mail.example")
        session.connection.greet()
        session.play("""
            C: EHLO mx.example
            S: 502 what
            """)
        session.connection.greet(is_plain=True)
        session.play("""
            C: HELO mx.example
            S: 250-mail.example
            S: 250 PIPELINING
            """)
        assert session.connection.can_begin
        assert {} == session.connection.offered.keywords

    @pytest.mark.guards("LI-6", "T32")
    def test_believes_the_last_answer_to_lhlo(self, session):
        session.connection.greet()
        session.said()
        session.hear("250-store.example", "250 LIMITS RCPTMAX=5")
        session.connection.greet()
        session.said()
        session.hear("250 store.example")

        assert {} == session.connection.offered.keywords

    def test_keeps_the_offer_when_a_second_lhlo_is_refused(self, session):
        session.connection.greet()
        session.said()
        session.hear("451 4.3.0 not now")

        assert session.connection.can_begin
        assert "PIPELINING" in session.connection.offered


class TestCommands:
    @pytest.mark.guards("ST-9")
    def test_are_sent_one_by_one_and_answered(self, session):
        session.connection.noop()
        session.connection.verify("ann")
        session.connection.reset()
        session.connection.quit()
        session.play("""
            C: NOOP
            S: 250 2.0.0 ok
            C: VRFY ann
            S: 252 2.1.5 try
            C: RSET
            C: QUIT
            S: 250 2.0.0 ok
            S: 221 2.0.0 bye
            """)
        points = [event.point for event in session.of_type(ReplyReceived)]

        assert [Point.NOOP, Point.VRFY, Point.RSET, Point.QUIT] == points[2:]
        assert is_unusable(session)

    def test_wait_for_an_answer_that_decides_what_there_is_to_be_said(self, session):
        session.connection.greet()

        assert not session.connection.can_begin
        for say in (session.connection.noop, session.connection.quit, session.connection.greet):
            with pytest.raises(LocalProtocolError, match="before the answer"):
                say()

    def test_are_not_said_after_quit(self, session):
        session.connection.quit()

        assert (True, False) == (session.connection.is_ending, session.connection.can_begin)
        for say in (session.connection.noop, session.connection.quit):
            with pytest.raises(LocalProtocolError, match="after QUIT"):
                say()

    @pytest.mark.parametrize("answer", [["421 4.0.0 no"], ["500 what"]])
    def test_end_with_quit_whatever_is_answered(self, session, answer):
        session.connection.quit()
        session.hear(*answer)

        assert SessionLost("we ended the session", is_fault=False) == lost(session)

    def test_end_with_quit_when_nothing_is_answered(self, session):
        session.connection.quit()
        session.close()

        assert not lost(session).is_fault

    @pytest.mark.parametrize("code", [421, 450, 500])
    def test_are_over_when_rset_is_refused(self, session, code):
        session.connection.reset()
        session.hear(f"{code} no")

        assert "the answer to RSET was" in lost(session).why
        assert is_unusable(session)

    def test_wait_behind_a_transaction_for_its_content(self, chunking):
        chunking.begin("ann@example", "bob@example", content=None)
        chunking.connection.noop()
        chunking.connection.quit()
        chunking.play("""
            C: MAIL FROM:<sam@example>
            C: RCPT TO:<ann@example>
            C: RCPT TO:<bob@example>
            S: 250 2.1.0 ok
            S: 250 2.1.5 ok
            S: 250 2.1.5 ok
            """)
        chunking.connection.send_content(b"a\r\n", is_last=True)
        chunking.play("""
            C: BDAT 3 LAST
            C: a
            S: 250 2.0.0 ok
            S: 250 2.0.0 ok
            C: NOOP
            S: 250 2.0.0 ok
            C: QUIT
            """)

    def test_in_front_of_a_transaction_are_answered_in_front_of_it(self, session):
        session.connection.noop()
        session.begin("ann@example")
        session.play("""
            C: NOOP
            S: 250 2.0.0 ok
            C: MAIL FROM:<sam@example>
            C: RCPT TO:<ann@example>
            C: DATA
            """)

    @pytest.mark.guards("XF-1")
    def test_say_where_a_message_comes_from(self):
        session = ClientSession.greeted("PIPELINING", "XFORWARD NAME ADDR")

        assert 1 == session.connection.forward({"ADDR": "192.0.2.7", "NAME": "mx.example", "HELO": "x"})
        session.begin("ann@example")
        session.play("""
            C: XFORWARD NAME=mx.example ADDR=192.0.2.7
            C: MAIL FROM:<sam@example>
            C: RCPT TO:<ann@example>
            C: DATA
            S: 550 5.7.0 not from you
            S: 250 2.1.0 ok
            """)
        assert not session.connection.is_over

    def test_say_nothing_the_server_does_not_want_to_know(self, session):
        assert 0 == session.connection.forward({"ADDR": "192.0.2.7"})
        assert 0 == session.connection.replace_client({"ADDR": "192.0.2.7"})
        assert session.connection.is_idle

    @pytest.mark.guards("XC-3", "T52")
    def test_speak_for_another_client_and_greet_again(self):
        session = ClientSession.greeted("PIPELINING", "XCLIENT NAME ADDR HELO")
        said = {"ADDR": "192.0.2.7", "NAME": "n" * 250, "HELO": "h" * 250}

        assert 2 == session.connection.replace_client(said)
        session.play(f"""
            C: XCLIENT NAME={"n" * 250}
            S: 220 store.example
            C: XCLIENT HELO={"h" * 250} ADDR=192.0.2.7
            S: 220 store.example
            """)
        assert ({}, False) == (session.connection.offered.keywords, session.connection.can_begin)
        session.connection.greet()
        session.play("""
            C: LHLO mx.example
            S: 250 store.example
            """)
        assert session.connection.can_begin

    def test_that_speak_for_another_client_may_be_refused(self):
        session = ClientSession.greeted("XCLIENT ADDR")
        session.connection.replace_client({"ADDR": "192.0.2.7"})
        session.said()
        session.hear("550 5.7.1 not you")

        assert session.connection.can_begin


class TestStartTls:
    @pytest.mark.guards("TL-4", "TL-7", "T32")
    def test_forgets_what_was_said_in_clear(self):
        session = ClientSession.greeted("STARTTLS", *USUAL)
        session.connection.start_tls()
        session.play("""
            C: STARTTLS
            S: 220 2.0.0 go
            """)
        for say in (session.connection.greet, session.connection.noop, session.connection.quit):
            with pytest.raises(LocalProtocolError, match="before TLS"):
                say()
        session.connection.tls_started()

        assert ({}, False) == (session.connection.offered.keywords, session.connection.can_begin)
        session.connection.greet()
        session.play("""
            C: LHLO mx.example
            S: 250 store.example
            """)
        assert session.connection.can_begin

    def test_may_be_refused(self):
        session = ClientSession.greeted("STARTTLS")
        session.connection.start_tls()
        session.said()
        session.hear("454 4.7.0 not now")

        assert session.connection.can_begin
        with pytest.raises(LocalProtocolError, match="no STARTTLS"):
            session.connection.tls_started()

    def test_that_is_not_good_enough_leaves_quit_to_be_said(self):
        """
        RFC 3207 §4.1: the client need not greet somebody it does not trust.
        """
        session = ClientSession.greeted("STARTTLS")
        session.connection.start_tls()
        session.said()
        session.hear("220 go")
        session.connection.tls_started()
        session.connection.quit()

        assert ["QUIT"] == session.said()

    @pytest.mark.guards("TL-6", "T38")
    @pytest.mark.parametrize("octets", [b"2", b"250 2.0.0 ok\r\n", b"\x16\x03\x01"])
    @pytest.mark.parametrize("is_one_piece", [True, False])
    def test_takes_nothing_that_came_in_clear_behind_it(self, octets, is_one_piece):
        """
        Somebody on the way adds replies that would be read as if they had come through TLS.
        """
        session = ClientSession.greeted("STARTTLS", *USUAL)
        session.connection.start_tls()
        session.said()
        for piece in [b"220 go\r\n" + octets] if is_one_piece else [b"220 go\r\n", octets]:
            session.receive(piece)

        told = [event.point for event in session.of_type(ReplyReceived)]
        assert lost(session).is_fault
        assert is_one_piece == (Point.STARTTLS not in told), "nobody may begin a handshake"
        with pytest.raises(LocalProtocolError):
            session.connection.tls_started()


class TestAuthentication:
    @pytest.mark.guards("AU-15")
    def test_may_take_one_step(self):
        session = ClientSession.greeted("AUTH PLAIN", "PIPELINING")
        session.connection.authenticate("PLAIN", b"\0ann\0pw")
        session.play("""
            C: AUTH PLAIN AGFubgBwdw==
            S: 235 2.7.0 ok
            """)
        assert session.connection.can_begin
        assert "PIPELINING" in session.connection.offered

    @pytest.mark.guards("AU-4", "AU-19")
    def test_may_take_several(self):
        session = ClientSession.greeted("AUTH SCRAM-SHA-256")
        session.connection.authenticate("SCRAM-SHA-256")
        session.play("""
            C: AUTH SCRAM-SHA-256
            S: 334
            """)
        session.connection.respond(b"n,,n=ann")
        session.play("""
            C: biwsbj1hbm4=
            S: 334 dj0=
            """)
        session.connection.respond(b"")
        assert b"\r\n" == session.connection.data_to_send()
        session.hear("235 2.7.0 ok")

        assert ["", "dj0="] == [event.reply.text for event in session.of_type(ReplyReceived)[2:4]]
        assert session.connection.can_begin

    @pytest.mark.guards("AU-5")
    def test_may_be_given_up(self):
        session = ClientSession.greeted("AUTH LOGIN")
        session.connection.authenticate("LOGIN")
        session.said()
        session.hear("334 VXNlcm5hbWU6")
        session.connection.respond(None)
        session.play("""
            C: *
            S: 501 5.7.0 cancelled
            """)
        assert session.connection.can_begin

    def test_lets_nothing_else_be_said(self):
        """
        What a server takes for a response is written nowhere, and what it answers is no answer to it.
        """
        session = ClientSession.greeted("AUTH LOGIN")
        session.connection.authenticate("LOGIN")
        session.said()
        session.hear("334 VXNlcm5hbWU6")

        assert not session.connection.can_begin
        for say in (session.connection.noop, session.connection.quit, lambda: session.connection.authenticate("PLAIN")):
            with pytest.raises(LocalProtocolError, match="response"):
                say()

    def test_responds_to_challenges_alone(self, session):
        with pytest.raises(LocalProtocolError, match="no challenge"):
            session.connection.respond(b"")


class TestTransactions:
    @pytest.mark.guards("PL-2", "PL-3", "LMTP-4.2-3", "LMTP-4.2-4")
    def test_go_in_one_piece_where_they_may(self, session):
        transaction = session.begin("ann@example", "nobody@example", "bob@example", "ann@example")
        session.play(
            """
            C: MAIL FROM:<sam@example>
            C: RCPT TO:<ann@example>
            C: RCPT TO:<nobody@example>
            C: RCPT TO:<bob@example>
            C: RCPT TO:<ann@example>
            C: DATA
            S: 250 2.1.0 ok
            S: 250 2.1.5 ok
            S: 550 5.1.1 no such user
            S: 250 2.1.5 ok
            S: 250 2.1.5 ok
            S: 354 go ahead
            C: Subject: hi
            C:
            C: text
            C: .
            S: 250 2.0.0 <ann@example> stored
            S: 452-4.2.2 <bob@example>
            S: 452 4.2.2 mailbox is full
            S: 250 2.0.0 <ann@example> stored
            """
        )

        assert ["delivered 250", "failed 550", "deferred 452", "delivered 250"] == outcomes(transaction)
        assert [1, 0, 2, 3] == [event.index for event in session.of_type(RecipientResolved)]
        assert isinstance(session.events[-1], TransactionEnded)
        assert session.connection.is_idle

    def test_go_step_by_step_where_they_must(self, slow):
        transaction = slow.begin("ann@example", "bob@example", content=b"")
        slow.play("""
            C: MAIL FROM:<sam@example>
            S: 250 2.1.0 ok
            C: RCPT TO:<ann@example>
            S: 250 2.1.5 ok
            C: RCPT TO:<bob@example>
            S: 450 4.2.1 later
            C: DATA
            S: 354 go
            C: .
            S: 250 2.0.0 ok
            """)

        assert ["delivered 250", "deferred 450"] == outcomes(transaction)

    def test_go_step_by_step_when_told_to(self):
        session = ClientSession.greeted(*CHUNKING, uses=frozenset())
        session.begin("ann@example", content=b"")
        session.play("""
            C: MAIL FROM:<sam@example>
            S: 250 2.1.0 ok
            C: RCPT TO:<ann@example>
            S: 250 2.1.5 ok
            C: DATA
            S: 354 go
            C: .
            """)

    @pytest.mark.guards("ST-10")
    def test_send_no_content_before_it_is_wanted_nor_twice(self, session):
        session.begin("ann@example", content=None)
        for lines in ([], ["250 2.1.0 ok", "250 2.1.5 ok"]):
            session.hear(*lines)
            with pytest.raises(LocalProtocolError, match="no content is wanted"):
                session.connection.send_content(b"text", is_last=True)
        session.hear("354 go")
        session.connection.send_content(b"text", is_last=True)
        with pytest.raises(LocalProtocolError, match="no content is wanted"):
            session.connection.send_content(b"text", is_last=True)

    def test_want_no_content_when_there_is_none(self, session):
        with pytest.raises(LocalProtocolError, match="no content is wanted"):
            session.connection.send_content(b"text", is_last=True)

    @pytest.mark.guards("ST-2")
    def test_begin_only_when_the_content_of_the_last_is_on_its_way(self, session):
        session.begin("ann@example", content=None)

        assert not session.connection.can_begin
        session.hear("250 ok", "250 ok", "354 go")
        assert not session.connection.can_begin
        session.connection.send_content(b"text", is_last=True)
        assert (True, False) == (session.connection.can_begin, session.connection.is_idle)

    @pytest.mark.guards("LMTP-4.2-15")
    def test_of_nobody_send_nothing(self, session):
        assert session.begin().is_over
        assert (True, []) == (session.connection.is_idle, session.said())

    @pytest.mark.guards("U8-6", "SI-9")
    def test_ask_a_server_for_nothing_it_can_not_do(self):
        session = ClientSession.greeted("SIZE 100", *USUAL)
        too_big = session.begin("ann@example", size_bytes=101)
        some = session.begin("jörg@example", "ann@example", size_bytes=100)

        assert (["failed"], ["failed", "unknown"]) == (outcomes(too_big), outcomes(some))
        assert ("5.3.4", "5.6.7") == (too_big.results[0].outcome.status, some.results[0].outcome.status)
        assert ["MAIL FROM:<sam@example> SIZE=100", "RCPT TO:<ann@example>", "DATA"] == session.said()
        assert [] == session.of_type(RecipientResolved)

    @pytest.mark.guards("U8-4")
    def test_say_smtputf8_for_those_who_are_asked_for(self):
        session = ClientSession.greeted("SMTPUTF8", *USUAL)
        session.begin("jörg@example", parameters=MailParameters(body=Body.EIGHT_BIT))

        assert ["MAIL FROM:<sam@example> SMTPUTF8 BODY=8BITMIME", "RCPT TO:<jörg@example>", "DATA"] == session.said()

    def test_change_nothing_when_a_line_can_not_be_written(self):
        session = ClientSession.greeted("XTRACEPARENT")
        with pytest.raises(LocalProtocolError, match="control characters"):
            session.begin("ann@example", parameters=MailParameters(traceparent="a\r\nb"))

        assert (True, []) == (session.connection.is_idle, session.said())

    @pytest.mark.guards("8B-3")
    def test_send_no_octets_above_127_to_a_server_without_8bitmime(self, slow):
        """
        Such mail arrives mangled, and nobody is told.
        """
        transaction = slow.begin("ann@example", content=None)
        for line in ("250 ok", "250 ok", "354 go"):
            slow.hear(line)
        slow.said()
        with pytest.raises(LocalProtocolError, match="8BITMIME"):
            slow.connection.send_content("ü\r\n".encode(), is_last=True)
        slow.act(slow.connection.abandon(Failed("5.6.3"), "the content has octets above 127"))

        assert (["failed"], []) == (outcomes(transaction), slow.said())
        assert is_unusable(slow)

    def test_send_line_ends_and_dots_as_they_must_be(self, session):
        session.begin("ann@example", content=None)
        session.hear("250 ok", "250 ok", "354 go")
        session.said()
        for piece in (b".a\nb\r", b"\n.", b"."):
            session.connection.send_content(piece, is_last=False)
        session.connection.send_content(b"", is_last=True)

        assert ["..a", "b", "...", "."] == session.said()


class TestRefusals:
    @pytest.mark.guards("SI-7")
    @pytest.mark.parametrize(("code", "expected"), [(452, "deferred 452"), (552, "failed 552")])
    def test_of_mail_decide_for_all(self, session, code, expected):
        transaction = session.begin("ann@example", "bob@example")
        session.said()
        session.hear(f"{code} no", "503 5.5.1 no", "503 5.5.1 no", "503 5.5.1 no")

        assert [expected] * 2 == outcomes(transaction)
        assert session.connection.is_idle
        session.begin("ann@example")
        assert "MAIL FROM:<sam@example>" == session.said()[0]

    def test_of_mail_leave_the_rest_unsaid_without_pipelining(self, slow):
        slow.begin("ann@example")
        slow.play("""
            C: MAIL FROM:<sam@example>
            S: 550 5.7.1 no
            """)
        assert slow.connection.is_idle

    @pytest.mark.guards("ST-2")
    def test_of_all_recipients_are_followed_by_rset(self, session):
        first = session.begin("ann@example")
        session.said()
        session.hear("250 2.1.0 ok", "550 5.1.1 no", "503 5.5.1 nobody")
        session.begin("bob@example")

        assert ["failed 550"] == outcomes(first)
        session.play("""
            C: RSET
            C: MAIL FROM:<sam@example>
            C: RCPT TO:<bob@example>
            C: DATA
            S: 250 2.0.0 reset
            S: 250 2.1.0 ok
            S: 250 2.1.5 ok
            """)
        assert 2 == len(session.of_type(ReplyReceived)), "RSET of the engine's own is nobody's business"

    @pytest.mark.parametrize("code", [421, 451, 502])
    def test_of_that_rset_end_the_session(self, session, code):
        session.begin("ann@example")
        session.hear("250 2.1.0 ok", "550 5.1.1 no", "503 5.5.1 nobody")
        second = session.begin("bob@example")
        session.hear(f"{code} no")

        assert (["deferred"], True) == (outcomes(second), is_unusable(session))

    def test_of_all_recipients_leave_data_unsaid_without_pipelining(self, slow):
        slow.begin("ann@example")
        slow.play("""
            C: MAIL FROM:<sam@example>
            S: 250 2.1.0 ok
            C: RCPT TO:<ann@example>
            S: 550 5.1.1 no
            """)
        slow.connection.quit()
        assert ["QUIT"] == slow.said()

    @pytest.mark.parametrize(("code", "expected"), [(451, "deferred 451"), (554, "failed 554")])
    def test_of_data_decide_for_the_accepted(self, session, code, expected):
        transaction = session.begin("ann@example", "nobody@example")
        session.said()
        session.hear("250 2.1.0 ok", "250 2.1.5 ok", "550 5.1.1 no", f"{code} no")
        session.begin("bob@example")

        assert [expected, "failed 550"] == outcomes(transaction)
        assert "RSET" == session.said()[0]

    @pytest.mark.guards("PL-5", "LMTP-4.2-15")
    def test_of_all_recipients_may_still_be_answered_by_354(self, session):
        """
        Nobody knows how many replies follow a content for nobody: an empty one is sent, and the connection closed.
        """
        transaction = session.begin("ann@example")
        session.said()
        session.hear("250 2.1.0 ok", "550 5.1.1 no", "354 go")

        assert (["failed 550"], ["."]) == (outcomes(transaction), session.said())
        assert [] == session.of_type(ContentWanted)
        assert is_unusable(session)


class TestFollowing:
    """
    What may leave behind a content before it is answered (RFC 2920 §3.1).
    """

    @pytest.mark.guards("PL-11")
    def test_transactions_of_one_recipient_follow_each_other_at_once(self, session):
        first = session.begin("ann@example")
        session.said()
        session.hear("250 ok", "250 ok", "354 go")
        second = session.begin("bob@example", content=b"")

        assert ["Subject: hi", "", "text", "."] == (said := session.said())[:4]
        assert ["MAIL FROM:<sam@example>", "RCPT TO:<bob@example>", "DATA"] == said[4:]
        session.hear("452 4.2.2 full", "250 ok", "250 ok", "354 go")
        session.hear("250 2.0.0 ok")
        assert (["deferred 452"], ["delivered 250"]) == (outcomes(first), outcomes(second))

    @pytest.mark.guards("PL-11")
    def test_quit_follows_a_content_with_one_reply_at_once(self, session):
        session.begin("ann@example", content=b"")
        session.hear("250 ok", "250 ok", "354 go")
        session.said()
        session.connection.quit()
        session.play("""
            C: QUIT
            S: 250 2.0.0 ok
            S: 221 2.0.0 bye
            """)
        assert not lost(session).is_fault

    @pytest.mark.parametrize("before", [["ann@x", "bob@x"], ["ann@x", "nobody@x"]])
    def test_nothing_follows_a_content_with_several_recipients(self, session, before):
        """
        A server that replies once for all of them, or for the refused too, would be out of step unnoticed.
        """
        session.begin(*before)
        session.hear("250 ok", "250 ok", "550 no" if "nobody@x" in before else "250 ok", "354 go")
        session.said()
        session.begin("cyd@x")

        assert [] == session.said()
        session.hear(*["250 ok"] * (2 - ("nobody@x" in before)))
        assert "MAIL FROM:<sam@example>" == session.said()[0]

    @pytest.mark.parametrize(("keywords", "after"), [(USUAL, ["bob@x", "cyd@x"]), (CHUNKING, ["bob@x"])])
    def test_no_transaction_follows_in_which_a_reply_too_many_would_go_unnoticed(self, keywords, after):
        session = ClientSession.greeted(*keywords)
        session.begin("ann@x", content=b"")
        session.hear(*["250 ok", "250 ok", "354 go"][: 2 if keywords is CHUNKING else 3])
        session.said()
        session.begin(*after)

        assert [] == session.said()
        session.hear("250 ok")
        assert "MAIL FROM:<sam@example>" == session.said()[0]

    def test_one_reply_is_all_there_is_in_smtp(self):
        session = ClientSession.greeted(*USUAL, dialect=SMTP)
        first = session.begin("ann@x", "bob@x")
        session.said()
        session.hear("250 ok", "250 ok", "250 ok", "354 go")
        session.begin("cyd@x")

        assert "MAIL FROM:<sam@example>" in session.said()
        session.hear("250 queued")
        assert ["delivered 250"] * 2 == outcomes(first)


class TestChunks:
    @pytest.mark.guards("CH-3", "LMTP-4.3-1", "LMTP-4.3-2")
    def test_are_answered_once_each_and_the_last_for_each_recipient(self, chunking):
        transaction = chunking.begin("ann@x", "nobody@x", "bob@x", content=None)
        chunking.play("""
            C: MAIL FROM:<sam@example>
            C: RCPT TO:<ann@x>
            C: RCPT TO:<nobody@x>
            C: RCPT TO:<bob@x>
            S: 250 2.1.0 ok
            S: 250 2.1.5 ok
            S: 550 5.1.1 no
            S: 250 2.1.5 ok
            """)
        assert [ContentWanted(transaction)] == chunking.of_type(ContentWanted)
        chunking.connection.send_content(b".a\nb", is_last=False)
        assert Point.CHUNK is chunking.connection.awaits
        assert b"BDAT 5\r\n.a\r\nb" == chunking.connection.data_to_send()
        chunking.hear("250 2.0.0 5 octets")
        chunking.connection.send_content(b"c", is_last=True)
        assert b"BDAT 3 LAST\r\nc\r\n" == chunking.connection.data_to_send()
        chunking.hear("250 2.0.0 ok", "452 4.2.2 full")

        assert ["delivered 250", "failed 550", "deferred 452"] == outcomes(transaction)
        assert [ChunkTaken(transaction)] == chunking.of_type(ChunkTaken)

    def test_without_octets_are_none(self, chunking):
        transaction = chunking.begin("ann@x", content=None)
        chunking.hear("250 ok", "250 ok")
        chunking.said()
        chunking.connection.send_content(b"\r", is_last=False)

        assert (b"", 0) == (chunking.connection.data_to_send(), transaction.chunks_owed)
        chunking.connection.send_content(b"\n", is_last=True)
        assert b"BDAT 2 LAST\r\n\r\n" == chunking.connection.data_to_send()

    @pytest.mark.guards("CH-10")
    def test_may_be_one_without_octets(self, chunking):
        chunking.begin("ann@x", content=b"")
        chunking.said()
        chunking.hear("250 ok", "250 ok")

        assert b"BDAT 0 LAST\r\n" == chunking.connection.data_to_send()

    @pytest.mark.guards("CH-16")
    def test_are_all_answered_before_the_last_leaves(self, chunking):
        """
        What a server answers to the last chunk after it has refused one before it is not known: one reply, or many.
        """
        transaction = chunking.begin("ann@x", "bob@x", content=None)
        chunking.hear("250 ok", "250 ok", "250 ok")
        chunking.said()
        for number in range(3):
            chunking.connection.send_content(b"%d\r\n" % number, is_last=number == 2)

        assert b"BDAT 3\r\n0\r\nBDAT 3\r\n1\r\n" == chunking.connection.data_to_send()
        assert (False, False) == (transaction.content_is_sent, chunking.connection.can_begin)
        with pytest.raises(LocalProtocolError, match="no content is wanted"):
            chunking.connection.send_content(b"", is_last=False)
        chunking.hear("250 ok")
        assert b"" == chunking.connection.data_to_send()
        chunking.hear("250 ok")
        assert b"BDAT 3 LAST\r\n2\r\n" == chunking.connection.data_to_send()
        assert chunking.connection.can_begin

    @pytest.mark.guards("CH-7", "CH-16")
    @pytest.mark.parametrize(("code", "expected"), [(452, "deferred 452"), (552, "failed 552")])
    @pytest.mark.parametrize("has_last", [True, False])
    def test_that_are_refused_end_the_transaction_with_rset(self, chunking, code, expected, has_last):
        transaction = chunking.begin("ann@x", "bob@x", content=None)
        chunking.hear("250 ok", "250 ok", "250 ok")
        chunking.connection.send_content(b"a", is_last=False)
        chunking.connection.send_content(b"b", is_last=has_last)
        chunking.connection.data_to_send()
        chunking.hear(f"{code} no", *([] if has_last else ["503 5.5.1 no"]))

        assert [expected] * 2 == outcomes(transaction)
        with pytest.raises(LocalProtocolError, match="no content is wanted"):
            chunking.connection.send_content(b"c", is_last=True)
        chunking.play("""
            C: RSET
            S: 250 2.0.0 ok
            """)
        assert chunking.connection.is_idle
        chunking.begin("ann@x")
        assert "MAIL FROM:<sam@example>" == chunking.said()[0]

    @pytest.mark.guards("CH-13")
    def test_carry_binary_contents_as_they_are(self):
        session = ClientSession.greeted("BINARYMIME", "CHUNKING", uses=frozenset())
        session.begin("ann@x", content=b"\n.\r\xff\0", parameters=MailParameters(body=Body.BINARY))
        session.play("""
            C: MAIL FROM:<sam@example> BODY=BINARYMIME
            S: 250 ok
            C: RCPT TO:<ann@x>
            """)
        session.hear("250 ok")

        assert b"BDAT 5 LAST\r\n\n.\r\xff\0" == session.connection.data_to_send()


class TestEndings:
    @pytest.mark.guards("LMTP-4.2-12", "LMTP-4.2-11", "CLI-3", "T58")
    def test_leave_to_those_who_were_answered_their_results(self, session):
        transaction = session.begin("ann@x", "bob@x", "cyd@x")
        session.hear("250 ok", "250 ok", "250 ok", "250 ok", "354 go")
        session.hear("250 2.0.0 ok")

        assert [0] == [event.index for event in session.of_type(RecipientResolved)]
        session.hear("550 5.7.1 no")
        session.receive(b"250 2.0.0 o")
        session.close()
        assert ["delivered 250", "failed 550", "deferred"] == outcomes(transaction)
        why = "2 of 3 replies came, then the connection was closed"
        assert (SessionLost(why, is_fault=False), why) == (lost(session), transaction.results[2].outcome.detail)
        assert is_unusable(session)

    @pytest.mark.parametrize(
        ("heard", "point"), [(0, Point.MAIL), (1, Point.RCPT), (2, Point.RCPT), (3, Point.DATA), (4, Point.CONTENT)]
    )
    def test_defer_everybody_before_the_first_is_answered(self, session, heard, point):
        transaction = session.begin("ann@x", "bob@x")
        session.hear(*["250 ok", "250 ok", "250 ok", "354 go"][:heard])
        session.close()

        assert ["deferred"] * 2 == outcomes(transaction)
        assert [point] * 2 == [result.point for result in transaction.results]

    @pytest.mark.guards("CLI-4", "T31")
    def test_come_with_a_deadline_too(self, session):
        """
        A client that went on after it had waited too long was one reply behind for all later mail.
        """
        transaction = session.begin("ann@x")
        session.act(session.connection.give_up("waited too long", is_fault=True))

        assert (["deferred"], SessionLost("waited too long", is_fault=True)) == (outcomes(transaction), lost(session))
        assert is_unusable(session)

    @pytest.mark.guards("CLI-2", "CLI-4")
    @pytest.mark.parametrize("line", ["hello", "150 what", "354 go", "250-a\r\n550 b"])
    def test_come_with_what_can_be_no_answer(self, session, line):
        transaction = session.begin("ann@x")
        session.hear("250 ok", line)

        assert (["deferred"], True) == (outcomes(transaction), lost(session).is_fault)
        assert is_unusable(session)

    def test_come_with_2yz_to_data(self, session):
        transaction = session.begin("ann@x")
        session.hear("250 ok", "250 ok", "250 ok")

        assert "the reply to DATA can't be 250 ok" == lost(session).why
        assert ["deferred"] == outcomes(transaction)

    @pytest.mark.guards("CLI-5", "RP-10")
    @pytest.mark.parametrize(
        ("octets", "is_fault"),
        [
            (b"250 ok\r\n", True),
            (b"2", True),
            (b"\r\n", True),
            (b"421 4.3.2 bye\r\n", False),
            (b"4", False),
            (b"421-4.3.2 bye\r\n42", False),
        ],
    )
    def test_come_with_what_nobody_asked_for(self, session, octets, is_fault):
        session.receive(octets)

        assert is_fault == lost(session).is_fault
        assert is_unusable(session)

    @pytest.mark.guards("CLI-5")
    def test_come_with_a_reply_in_front_of_its_command(self, slow):
        transaction = slow.begin("ann@x")
        slow.hear("250 ok", "250 ok")

        assert (["deferred"], True) == (outcomes(transaction), lost(slow).is_fault)

    def test_ask_for_no_content_any_more(self, session):
        """
        Whoever acts on one event after the other would send it to nobody.
        """
        transaction = session.begin("ann@x", content=None)

        assert [RecipientResolved, TransactionEnded, SessionLost] == [
            type(event) for event in session.hear("250 ok", "250 ok", "354 go", "250 what")
        ]
        assert ["deferred"] == outcomes(transaction)

    @pytest.mark.guards("SD-5")
    @pytest.mark.parametrize("heard", range(4))
    def test_come_with_421_to_any_command(self, session, heard):
        transaction = session.begin("ann@x", "bob@x")
        session.hear(*["250 ok"] * heard, "421 4.3.2 bye")

        assert all(result.is_deferred for result in transaction.results)
        assert SessionLost("the server ended the session: 421 4.3.2 bye", is_fault=False) == lost(session)
        assert is_unusable(session)

    @pytest.mark.guards("CLI-6")
    def test_come_after_421_when_the_other_recipients_are_answered_too(self, session):
        transaction = session.begin("ann@x", "bob@x", "cyd@x")
        session.hear("250 ok", "250 ok", "250 ok", "250 ok", "354 go")
        session.connection.noop()
        session.said()
        session.hear("421 4.3.2 bye")

        assert (False, True) == (session.connection.is_over, session.connection.is_ending)
        with pytest.raises(LocalProtocolError, match="after 421"):
            session.connection.quit()
        session.hear("250 ok", "421 4.3.2 bye")
        assert ["deferred 421", "delivered 250", "deferred 421"] == outcomes(transaction)
        assert ([], True) == (session.said(), is_unusable(session))

    @pytest.mark.guards("CLI-6")
    def test_come_after_421_when_no_other_recipient_is_answered(self, session):
        transaction = session.begin("ann@x", "bob@x")
        session.hear("250 ok", "250 ok", "250 ok", "354 go")
        session.hear("421 4.3.2 bye")
        session.close()

        assert ["deferred 421", "deferred"] == outcomes(transaction)

    @pytest.mark.guards("CLI-6")
    def test_come_with_421_for_those_whose_message_was_to_follow(self, session):
        first = session.begin("ann@x")
        session.hear("250 ok", "250 ok", "354 go")
        second = session.begin("bob@x")
        session.said()
        session.hear("421 4.3.2 bye")

        assert (["deferred 421"], ["deferred"]) == (outcomes(first), outcomes(second))
        assert is_unusable(session)

    @pytest.mark.guards("T28")
    @pytest.mark.parametrize("keywords", [USUAL, CHUNKING])
    def test_of_a_content_that_can_not_be_had_leave_it_without_its_end(self, keywords):
        """
        A client that sent the dot after a failed read made its server take a part for the whole.
        """
        session = ClientSession.greeted(*keywords)
        transaction = session.begin("ann@x", "nobody@x", content=None)
        session.hear("250 ok", "250 ok", "550 no", *(["354 go"] if keywords is USUAL else []))
        session.connection.send_content(b"half of i", is_last=False)
        session.act(session.connection.abandon(Deferred("4.3.0"), "the file is gone"))
        sent = session.connection.data_to_send()

        assert (["deferred", "failed 550"], "the file is gone") == (outcomes(transaction), lost(session).why)
        assert sent.endswith(b"half of i")
        assert b"LAST" not in sent
        assert is_unusable(session)

    def test_of_a_content_that_can_not_be_had_may_come_before_it_is_wanted(self, session):
        transaction = session.begin("ann@x", content=None)
        session.act(session.connection.abandon(Failed("5.6.0"), "no message at all"))

        assert (["failed"], Point.CLIENT) == (outcomes(transaction), transaction.results[0].point)

    def test_defer_those_whose_content_the_server_may_have_taken(self, session):
        transaction = session.begin("ann@x")
        session.hear("250 ok", "250 ok", "354 go")
        session.act(session.connection.abandon(Failed("5.6.0"), "too late"))

        assert ["deferred"] == outcomes(transaction)

    def test_come_without_a_transaction_too(self, session):
        session.act(session.connection.abandon(Failed("5.6.0"), "stopped"))

        assert SessionLost("stopped", is_fault=False) == lost(session)

    def test_keep_nothing_of_what_a_server_goes_on_to_say(self):
        connection = ClientConnection("mx.example")
        connection.receive_eof()
        for _ in range(100):
            assert [] == connection.receive_data(b"x" * 1000)

        assert b"" == connection._parser.beginning
