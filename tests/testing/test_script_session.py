# SPDX-License-Identifier: Apache-2.0
"""
A scripted session, octets in and deeds out: what it does by itself, what a script changes, what it remembers.
"""

import pytest
from hypothesis import given

from lmtp.protocol.client import ClientConnection
from lmtp.protocol.client_events import ContentWanted
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.results import Point
from lmtp.testing.script import POINTS, Close, Say, Script, Stall, Wait
from lmtp.testing.script_session import ScriptedSession, StartTls
from lmtp.testing.strategies import messages

START = "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<ann@x>\r\nRCPT TO:<bob@x>\r\n"


def said(script, text):
    """
    Play a script to a client that says all at once, and return what was said and done, replies as their codes.
    """
    session = ScriptedSession(Script.parse(script))
    session.begin()
    return [of(deed) for deed in session.receive_data(text.encode("latin-1"))]


def of(deed):
    return deed.octets.decode("latin-1")[:3] if isinstance(deed, Say) else deed


class TestByItself:
    def test_greets(self):
        assert [Say(b"220 scripted.example LMTP\r\n")] == ScriptedSession(Script()).begin()

    def test_answers_each_recipient(self):
        assert ["250"] * 4 + ["354", "250", "250", "221", Close()] == said("", START + "DATA\r\nhi\r\n.\r\nQUIT\r\n")

    def test_answers_the_message_in_smtp(self):
        text = START.replace("LHLO", "EHLO") + "DATA\r\n.\r\n"

        assert ["250"] * 4 + ["354", "250"] == said("dialect: SMTP", text)

    def test_refuses_the_greeting_of_the_other_dialect(self):
        assert ["500"] == said("", "EHLO c.example\r\n")

    def test_lists_what_it_offers(self):
        session = ScriptedSession(Script.parse("offer: CHUNKING, SIZE 9"))

        assert [Say(b"250-scripted.example\r\n250-CHUNKING\r\n250 SIZE 9\r\n")] == session.receive_data(b"LHLO x\r\n")

    def test_wants_an_order(self):
        assert ["503", "503", "250", "503"] == said("", "RCPT TO:<a@x>\r\nDATA\r\nMAIL FROM:<>\r\nDATA\r\n")

    def test_knows_what_changes_nothing(self):
        assert ["250", "252", "250", "250", "500"] == said("", "NOOP\r\nVRFY ann\r\nXFORWARD A=b\r\nRSET\r\nWHAT\r\n")

    def test_takes_chunks(self):
        text = START + "BDAT 2\r\nhiBDAT 4 LAST\r\n\r\n.\r"

        assert ["250"] * 4 + ["250", "250", "250"] == said("", text)

    def test_waits_for_the_rest_of_a_chunk_and_of_a_response(self):
        session = ScriptedSession(Script.parse("during content at 100: close"))
        deeds = [
            session.receive_data(octets) for octets in (START.encode() + b"BDAT 4 LAST\r\n12", b"34", b"AUTH X\r\n")
        ]

        assert [4, 2, 1] == [len(each) for each in deeds]
        assert [b"1234"] == session.contents
        assert [] == session.receive_data(b"half")
        assert ["235"] == [of(deed) for deed in session.receive_data(b" a response\r\n")]

    def test_takes_no_chunks_for_nobody(self):
        assert ["250", "503", "250"] == said("", "MAIL FROM:<>\r\nBDAT 2 LAST\r\nhiNOOP\r\n")
        assert ["451", "503"] == said("during content: 451 4.3.0 No", "BDAT 2 LAST\r\nhi")

    def test_ends_where_it_does_not_know_where_a_chunk_ends(self):
        assert ["501", Close()] == said("", "BDAT much\r\nNOOP\r\n")

    def test_forgets_the_transaction_at_rset(self):
        assert ["250"] * 5 + ["503"] == said("", START + "RSET\r\nDATA\r\n")

    def test_begins_tls_where_it_is_offered(self):
        assert ["220", StartTls()] == said("offer: STARTTLS", "STARTTLS\r\nNOOP\r\n")
        assert ["502"] == said("", "STARTTLS\r\n")

    def test_lets_anybody_in(self):
        assert ["235"] == said("", "AUTH PLAIN AGEAYg==\r\n")
        assert ["334", "235", "250"] == said("", "AUTH PLAIN\r\nAGEAYg==\r\nNOOP\r\n")
        assert ["334", "501"] == said("", "AUTH PLAIN\r\n*\r\n")

    def test_begins_anew_after_xclient(self):
        assert ["250"] * 4 + ["220", "503"] == said("", START + "XCLIENT ADDR=127.0.0.1\r\nDATA\r\n")


class TestAsScripted:
    @pytest.mark.parametrize("word", POINTS)
    def test_can_stall_at_each_point(self, word):
        script = Script.parse(f"offer: STARTTLS\n{word}: stall")
        session = ScriptedSession(script)
        deeds = session.begin()
        for line in ("NOOP", "VRFY a", "AUTH PLAIN a", "XCLIENT A=b", "XFORWARD A=b", *START.splitlines(), "BDAT 0"):
            deeds += session.receive_data(f"{line}\r\n".encode())
        deeds += session.receive_data(b"DATA\r\n")
        deeds += session.receive_data(b".\r\n")
        for line in ("RSET", "STARTTLS", "QUIT"):
            deeds += session.receive_data(f"{line}\r\n".encode())

        assert 1 == deeds.count(Stall())
        assert session.is_over
        assert [] == session.receive_data(b"NOOP\r\n")

    def test_counts_recipients_by_transaction(self):
        text = "MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\n" * 2

        assert ["250", "250", "452"] * 2 == said("rcpt 2: 452 4.2.2 Full", text)

    def test_counts_the_rest_by_session(self):
        assert ["250", "421", "250"] == said("noop 2: 421 4.3.2 Busy", "NOOP\r\n" * 3)

    def test_owes_nothing_to_those_it_refused(self):
        text = START + "DATA\r\n.\r\n"

        assert ["250", "250", "550", "250", "354", "250"] == said("rcpt 1: 550 5.1.1 No", text)
        assert ["250", "250", "250", "250", "354", "250", "452"] == said("content 2: 452 4.2.2 Full", text)

    def test_can_answer_too_often_and_too_seldom(self):
        text = START + "DATA\r\n.\r\n"

        assert ["250"] * 4 + ["354"] + ["250"] * 3 == said("content: 3 replies", text)
        assert ["250"] * 4 + ["354"] == said("content: 0 replies", text)
        assert ["250", "250", "250", "250", "250"] == said("rcpt 2: 250 a; 250 b", START)

    def test_can_want_a_content_for_nobody(self):
        session = ScriptedSession(Script.parse("data: 354 Go on"))
        session.receive_data(b"DATA\r\nhi\r\n.\r\n")

        assert [b"hi\r\n"] == session.contents

    def test_can_refuse_the_sender(self):
        assert ["250", "451", "503", "503"] == said("mail: 451 4.3.0 Later", START)

    def test_can_leave_a_reply_out(self):
        assert ["250", "250", "250"] == said("rcpt 1: nothing", START)

    def test_closes_behind_quit_only_with_221(self):
        assert ["250"] == said("quit: 250 Ok", "QUIT\r\n")

    def test_stops_at_the_first_reply_that_does_not_come(self):
        text = START + "DATA\r\n.\r\nQUIT\r\n"

        assert ["250"] * 4 + ["354", Close()] == said("content 1: close", text)

    def test_waits(self):
        assert [Wait(3.0), "250"] == said("noop: 250 Ok after 3 s", "NOOP\r\n")

    def test_can_challenge_as_often_as_it_likes(self):
        assert ["334", "334", "235"] == said("auth 2: 334 YQ==", "AUTH X\r\na\r\nb\r\n")

    def test_can_interrupt_a_content(self):
        session = ScriptedSession(Script.parse("during content at 5: close"))
        session.receive_data(START.encode() + b"DATA\r\n")

        assert [] == session.receive_data(b"1234")
        assert [Close()] == session.receive_data(b"5")
        assert [] == session.contents

    def test_can_interrupt_a_chunk(self):
        session = ScriptedSession(Script.parse("transaction 1 during content at 5: 451 4.3.0 Enough"))
        session.receive_data(START.encode())

        assert ["250"] == [of(deed) for deed in session.receive_data(b"BDAT 4\r\n1234")]
        assert ["451", "250", "250"] == [of(deed) for deed in session.receive_data(b"BDAT 4 LAST\r\n5678")]


class TestRecord:
    def test_has_every_line(self):
        session = ScriptedSession(Script())
        session.receive_data(b"LHLO x\r\nAUTH PLAIN\r\nAGEAYg==\r\nNO")

        assert [b"LHLO x", b"AUTH PLAIN", b"AGEAYg=="] == session.commands
        assert b"LHLO x\r\nAUTH PLAIN\r\nAGEAYg==\r\nNO" == session.received

    @pytest.mark.parametrize("offer", ["8BITMIME, PIPELINING", "8BITMIME, CHUNKING, PIPELINING", "8BITMIME"])
    @given(content=messages())
    def test_has_contents_as_their_client_meant_them(self, offer, content):
        session = ScriptedSession(Script.parse(f"offer: {offer}"))
        client = ClientConnection("client.example")
        talk(client, session)
        client.greet()
        talk(client, session)
        transaction = client.begin(OutgoingEnvelope.parse("", "ann@x", "bob@x"))
        assert any(isinstance(event, ContentWanted) for event in talk(client, session))
        client.send_content(content, is_last=True)
        talk(client, session)

        assert [content] == session.contents
        assert [Point.CONTENT] * 2 == [result.point for result in transaction.results]


def talk(client, session):
    events = []
    octets = b"".join(deed.octets for deed in session.begin()) if client.awaits is Point.GREETING else b""
    while True:
        events += client.receive_data(octets)
        if not (said := client.data_to_send()):
            return events
        octets = b"".join(deed.octets for deed in session.receive_data(said))
