# SPDX-License-Identifier: Apache-2.0
"""
What other servers got wrong, each guarded by a test; the docstrings say which kind of server fell into it.
"""

import pytest

from lmtp.protocol import events
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.reply import SHUTTING_DOWN
from tests.protocol.session import Session, codes, statuses

MESSAGE = ("Subject: hi", "", "text", ".")


def open_content(*forward_paths, **settings):
    """
    Begin a session and go on to the 354 with these recipients.
    """
    session = Session.greeted(**settings)
    session.say("MAIL FROM:<sam@example>", *(f"RCPT TO:{path}" for path in forward_paths))
    for number, recipient in enumerate(session.offered):
        if recipient.verdict is None:
            session.decide(number, Accepted())
    assert ["354"] == codes(session.say("DATA"))
    return session


class TestCountOfReplies:
    """
    RFC 2033 §4.2: one for each accepted RCPT, in their order.
    """

    @pytest.mark.guards("T02")
    def test_every_recipient_has_a_reply_of_its_own(self):
        """
        Servers made out of SMTP ones push the handler's single status, whatever the number of recipients.
        """
        session = open_content("<ann@example>", "<bob@example>", "<cyd@example>")

        assert [
            "250 2.0.0 <ann@example> Delivered",
            "250 2.0.0 <bob@example> Delivered",
            "250 2.0.0 <cyd@example> Delivered",
        ] == session.say(*MESSAGE)

    @pytest.mark.guards("T15")
    def test_lhlo_is_more_than_another_word_for_ehlo(self):
        """
        Patches that let an SMTP server answer LHLO work with one recipient and hang the client with two.
        """
        for count in (1, 2, 5):
            session = open_content(*["<ann@example>"] * count)

            assert ["250"] * count == codes(session.say(*MESSAGE))

    @pytest.mark.guards("T01")
    def test_reply_to_the_next_command_is_the_one_after_those_to_the_content(self):
        """
        A client that reads one reply too few takes the second recipient's for that to its RSET: counts must be exact.
        """
        session = open_content("<ann@example>", "<bob@example>", outcomes={"bob@example": Deferred("4.2.2")})

        assert ["250 2.0.0", "452 4.2.2", "214 2.0.0", "250 2.1.0"] == statuses(
            session.say(*MESSAGE, "HELP", "MAIL FROM:<>")
        )

    @pytest.mark.guards("T04", "LMTP-4.2-9")
    def test_recipients_are_forgotten_after_the_last_reply(self):
        """
        A list that lives as long as the connection books the second message's replies on the first one's recipients.
        """
        session = open_content("<ann@example>", "<bob@example>")
        session.say(*MESSAGE)

        assert ["250", "250", "354"] == codes(session.say("MAIL FROM:<>", "RCPT TO:<cyd@example>", "DATA"))
        assert ["250 2.0.0 <cyd@example> Delivered"] == session.say(*MESSAGE)

    @pytest.mark.guards("T05")
    def test_two_outcomes_of_one_address_stay_two(self):
        """
        Results kept by address collapse when a client names it twice.
        """
        session = open_content("<ann@example>", "<ann@example>", waits=True)
        session.say(*MESSAGE)

        assert ["250"] == codes(session.settle(0, Delivered()))
        assert ["452"] == codes(session.settle(1, Deferred("4.2.2")))

    @pytest.mark.guards("T06")
    def test_addresses_that_differ_in_case_are_two_recipients(self):
        """
        A server that merges what looks alike to it has said 250 more often than it will answer.
        """
        session = open_content("<Ann@example>", "<ann@example>", "<ann@EXAMPLE>")

        assert [
            "250 2.0.0 <Ann@example> Delivered",
            "250 2.0.0 <ann@example> Delivered",
            "250 2.0.0 <ann@EXAMPLE> Delivered",
        ] == session.say(*MESSAGE)

    @pytest.mark.guards("T07")
    def test_no_handler_can_make_more_replies_than_there_are_recipients(self):
        """
        A server that sends whatever list its application returns is out of step for good.
        """
        session = open_content("<ann@example>", waits=True)
        session.say(*MESSAGE)
        session.settle(0, Delivered())

        with pytest.raises(LocalProtocolError):
            session.offered[0].settle(Delivered())
        assert [] == session.hear()

    @pytest.mark.guards("T07")
    def test_handler_that_settles_too_few_leaves_no_reply_out(self):
        """
        Whoever gives up on a handler abandons those it left, and each gets its reply.
        """
        session = open_content("<ann@example>", "<bob@example>", "<cyd@example>", waits=True)
        session.say(*MESSAGE)
        session.settle(2, Delivered())
        (completed,) = session.of_type(events.ContentCompleted)
        for recipient in completed.envelope.unsettled:
            recipient.abandon(Deferred())

        assert ["451", "451", "250"] == codes(session.hear())

    @pytest.mark.guards("T08")
    def test_every_250_to_rcpt_is_remembered(self):
        """
        A hook that answers 250 to a duplicate without noting it breaks the count.
        """
        session = Session.greeted()
        accepted = codes(session.say("MAIL FROM:<>", *["RCPT TO:<ann@example>"] * 7))[1:]
        session.say("DATA")

        assert accepted == codes(session.say(*MESSAGE))

    @pytest.mark.guards("T11", "LMTP-4.2-8", "LMTP-4.2-9")
    def test_message_over_the_limit_is_refused_for_each_and_the_transaction_is_over(self):
        """
        One 552 for any number of recipients, and a transaction that stays open, were seen in a big mail store.
        """
        session = open_content("<ann@example>", "<bob@example>", limits=Limits(message_bytes=65536))

        assert ["552", "552", "250"] == codes(session.say("x" * 65536, ".", "MAIL FROM:<>"))

    @pytest.mark.guards("T12")
    def test_refusal_by_policy_counts_like_any_other(self):
        """
        A server whose normal path is right may have another for refusals that answers once.
        """
        session = open_content("<ann@example>", "<bob@example>", "<cyd@example>")
        session.connection.refuse_content(session.of_type(events.ContentStarted)[0].envelope, Failed("5.7.1"))

        assert [
            "550 5.7.1 <ann@example> Refused by policy",
            "550 5.7.1 <bob@example> Refused by policy",
            "550 5.7.1 <cyd@example> Refused by policy",
        ] == session.say(*MESSAGE)

    @pytest.mark.guards("T16")
    @pytest.mark.parametrize("octets", [b"a\0b", b"a\nb", b"a\rb"])
    def test_bad_content_is_refused_for_each(self, octets):
        """
        Whatever is wrong with the whole message is every recipient's business.
        """
        session = open_content("<ann@example>", "<bob@example>")

        assert ["554", "554", "250"] == codes(session.say(octets, ".", "NOOP"))

    @pytest.mark.guards("T18", "LMTP-4.2-6")
    def test_reply_of_many_lines_is_one_reply(self):
        """
        A proxy passed a backend's lines on as replies of their own.
        """
        session = open_content(
            "<ann@example>", "<bob@example>", outcomes={"ann@example": Failed("5.7.1", "No\nmail\nfrom\nyou")}
        )

        assert [
            "550-5.7.1 <ann@example> No\n550-5.7.1 mail\n550-5.7.1 from\n550 5.7.1 you",
            "250 2.0.0 <bob@example> Delivered",
        ] == session.say(*MESSAGE)

    @pytest.mark.guards("T19")
    def test_failing_recipient_does_not_speak_for_those_behind_it(self):
        """
        Stopping at the first refusal books everybody behind it wrongly.
        """
        session = open_content(
            "<ann@example>",
            "<bob@example>",
            "<cyd@example>",
            outcomes={"ann@example": Deferred("4.2.2"), "cyd@example": Failed("5.2.1")},
        )

        assert ["452", "250", "550"] == codes(session.say(*MESSAGE))


class TestGreeting:
    @pytest.mark.guards("T03")
    def test_lists_what_lmtp_demands_and_help_names_lhlo(self):
        """
        A library's LMTP server listed no extension and its HELP offered EHLO (RFC 2033 §4.1, §5).
        """
        session = Session()
        (listed,) = session.say("LHLO mx.example")
        (offered,) = session.say("HELP")

        assert {"PIPELINING", "ENHANCEDSTATUSCODES"} <= {line[4:] for line in listed.split("\n")}
        assert "LHLO" in offered.split()
        assert not {"HELO", "EHLO"} & set(offered.split())

    @pytest.mark.guards("T32", "LMTP-4.1-8")
    def test_lists_the_extensions_again_each_time(self):
        """
        Nothing is kept from the greeting before.
        """
        session = Session()

        assert session.say("LHLO a.example") == session.say("LHLO b.example")

    @pytest.mark.guards("T45")
    def test_many_lines_are_one_reply_that_ends_where_it_says(self):
        """
        A client gave up on an answer of several lines in one segment: every line but the last has its hyphen.
        """
        session = Session()
        session.connection.receive_data(b"LHLO mx.example\r\n")
        session.connection.next_events()
        *continued, last = session.connection.data_to_send().splitlines()

        assert len(continued) > 2
        assert all(line.startswith(b"250-") for line in continued)
        assert last.startswith(b"250 ")


class TestContentAndCommands:
    """
    What is content stays content, what is a command stays a command (RFC 5321 §2.3.8, §4.1.1.4).
    """

    @pytest.mark.guards("T30")
    def test_commands_inside_a_content_are_text(self):
        """
        A malformed body leaked into the command stream: RSET on the wire, and the mail cut in half.
        """
        session = open_content("<ann@example>")

        assert ["250"] == codes(session.say("RSET", "QUIT", "..", "MAIL FROM:<>", "."))
        assert [b"RSET\r\nQUIT\r\n.\r\nMAIL FROM:<>\r\n"] == session.contents

    @pytest.mark.guards("T29")
    def test_final_dot_with_lf_only_does_not_end_the_content(self):
        """
        A client's final dot went out with LF alone: better to wait than to guess.
        """
        session = open_content("<ann@example>")

        assert [] == session.send(b"text\r\n.\n")
        assert [] == session.send(b"QUIT\r\n")
        assert ["554"] == codes(session.send(b".\r\n"))

    @pytest.mark.guards("T33", "T37", "TX-4", "TX-10")
    @pytest.mark.parametrize("leniency", [Leniency.NONE, Leniency.STRAY_LINE_ENDS])
    @pytest.mark.parametrize("false_end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r"])
    def test_nothing_is_smuggled_behind_a_false_end(self, false_end, leniency):
        """
        Receivers that took these for the end ran the rest as the commands of a second message, from a trusted host.
        """
        session = open_content("<ann@example>", leniency=leniency)
        smuggled = false_end + b"MAIL FROM:<root@example>\r\nRCPT TO:<eve@example>\r\nDATA\r\nforged"
        replies = session.send(b"text" + smuggled + b"\r\n.\r\n")

        assert ["250" if leniency else "554"] == codes(replies)
        assert 1 == len(session.of_type(events.TransactionOpened))

    @pytest.mark.guards("T37")
    def test_strictness_makes_no_exception_for_anybody(self):
        """
        Trusted networks were exempt from the check, and an LMTP server has no other peers: strict is the default.
        """
        session = open_content("<ann@example>")

        assert ["554"] == codes(session.send(b"a\n.\nb\r\n.\r\n"))

    @pytest.mark.guards("T34")
    @pytest.mark.parametrize("line_end", [b"\n", b"\n\n", b"\r\r\n", b"\r"])
    def test_command_behind_a_stray_line_end_never_runs(self, line_end):
        """
        Readers that split at LF run what a strict filter in front took for one line.
        """
        session = Session.greeted()
        session.say("MAIL FROM:<>")
        replies = session.send(b"NOOP" + line_end + b"RSET\r\n" + b"NOOP\r\n")

        assert "500" == codes(replies)[0]
        assert [] == session.of_type(events.TransactionAborted) or line_end == b"\r\r\n"
        assert "250" == codes(replies)[-1]

    @pytest.mark.guards("T35")
    def test_dots_behind_a_bare_lf_are_not_taken_away(self):
        """
        A library stuffs dots behind bare LF too; a receiver that takes them away there alters what others sent.
        """
        session = open_content("<ann@example>", leniency=Leniency.STRAY_LINE_ENDS)
        session.send(b"a\n..b\n.c\r\n.\r\n")

        assert [b"a\n..b\n.c\r\n"] == session.contents

    @pytest.mark.guards("T36")
    def test_surplus_cr_is_content(self):
        """
        A receiver that strips them makes an end of content out of CRLF.CRCRLF.
        """
        session = open_content("<ann@example>", leniency=Leniency.STRAY_LINE_ENDS)

        assert ["250"] == codes(session.send(b"a\r\r\n.\r\r\nb\r\n.\r\n"))
        assert [b"a\r\r\n\r\r\nb\r\n"] == session.contents


class TestAddresses:
    """
    RFC 5321 §4.1.2.
    """

    @pytest.mark.guards("T40")
    def test_empty_quoted_local_part_is_an_address(self):
        """
        It crashed a big mail store, before anybody was asked who lives there.
        """
        session = open_content('<""@example>')

        assert [""] == [recipient.forward_path.mailbox.local_part for recipient in session.offered]
        assert ['250 2.0.0 <""@example> Delivered'] == session.say(*MESSAGE)

    @pytest.mark.guards("T41", "AD-5")
    @pytest.mark.parametrize(
        ("path", "local_part"),
        [
            ('<"a b"@example>', "a b"),
            ('<"a>b"@example>', "a>b"),
            ('<"a@b"@example>', "a@b"),
            ('<"a\\"b"@example>', 'a"b'),
        ],
    )
    def test_quoted_local_part_may_hold_anything(self, path, local_part):
        """
        Parsers that look for the first space, ">" or "@" cut it in two.
        """
        session = open_content(path)

        assert local_part == session.offered[0].forward_path.mailbox.local_part
        assert [f"250 2.0.0 {path} Delivered"] == session.say(*MESSAGE)

    @pytest.mark.guards("T42", "T44", "AD-1")
    def test_null_sender_is_never_refused(self):
        """
        Bounces have it: a server that refuses it loses them.
        """
        session = Session.greeted()

        assert ["250 2.1.0"] == statuses(session.say("MAIL FROM:<> SIZE=100"))
        assert session.of_type(events.TransactionOpened)[0].envelope.reverse_path.is_null

    @pytest.mark.guards("T42")
    @pytest.mark.parametrize("line", ["MAIL FROM: <ann@example>", "MAIL FROM:ann@example", "MAIL FROM:"])
    def test_odd_senders_are_refused_for_their_syntax_and_the_session_goes_on(self, line):
        """
        501 tells a client what is wrong; nothing else changes.
        """
        session = Session.greeted()

        assert ["501 5.1.7", "250 2.1.0"] == statuses(session.say(line, "MAIL FROM:<ann@example>"))

    @pytest.mark.guards("T43")
    def test_addresses_keep_their_case(self):
        """
        Folding a local part sends the mail to somebody else (RFC 5321 §2.4).
        """
        session = Session.greeted()
        session.say("MAIL FROM:<Sam.O@Example.ORG>", "RCPT TO:<Ann.M@Example.NET>")

        assert "<Sam.O@Example.ORG>" == str(session.of_type(events.TransactionOpened)[0].envelope.reverse_path)
        assert "<Ann.M@Example.NET>" == str(session.offered[0].forward_path)

    @pytest.mark.guards("T63")
    def test_detail_stays_a_part_of_the_local_part(self):
        """
        What a sender wrote behind the "+" chooses no folder by itself: that is for the directory to say.
        """
        session = Session.greeted()
        session.say("MAIL FROM:<>", "RCPT TO:<ann+/etc/passwd@example>")

        assert "ann+/etc/passwd" == session.offered[0].forward_path.mailbox.local_part


class TestTime:
    """
    RFC 2033 §5: a client that waits too long sends again, and there are two of the message.
    """

    @pytest.mark.guards("T55", "LMTP-4.2-10", "DUP-2")
    def test_reply_can_be_sent_the_moment_its_recipient_is_settled(self):
        """
        Housekeeping between two replies made clients time out: nothing but the outcomes before it holds a reply.
        """
        session = open_content("<ann@example>", "<bob@example>", waits=True)
        session.say(*MESSAGE)
        session.offered[0].settle(Delivered())

        assert b"250 2.0.0 <ann@example> Delivered\r\n" == session.connection.data_to_send()

    @pytest.mark.guards("T57")
    @pytest.mark.parametrize("settled", [0, 1, 2])
    def test_message_that_was_taken_is_answered_even_when_the_server_gives_up(self, settled):
        """
        Delivered and never answered means delivered twice.
        """
        session = open_content("<ann@example>", "<bob@example>", waits=True)
        session.say(*MESSAGE)
        replies = [text for number in range(settled) for text in session.settle(number, Delivered())]
        session.connection.close(SHUTTING_DOWN)

        assert ["250"] * settled + ["451"] * (2 - settled) + ["421"] == codes(replies + session.hear())

    @pytest.mark.guards("T59")
    def test_nothing_of_one_recipient_is_found_on_another(self):
        """
        Settings of the first recipient were applied to the next.
        """
        session = Session.greeted(waits=True)
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>", "RCPT TO:<bob@example>")
        session.decide(0, Accepted({"key": "ann's"}))
        session.decide(1, Accepted())
        session.say("DATA", *MESSAGE)
        session.settle(0, Failed("5.2.1", "for ann alone"))

        assert [{"key": "ann's"}, None] == [recipient.account for recipient in session.offered]
        assert ["250 2.0.0 <bob@example> Delivered"] == session.settle(1, Delivered())

    @pytest.mark.guards("T60")
    @pytest.mark.parametrize("farewell", ["QUIT", "eof", "421"])
    def test_every_reply_can_still_be_sent_after_the_end(self, farewell):
        """
        Clients were cut off before they had all replies.
        """
        session = open_content("<ann@example>", "<bob@example>", waits=True)
        session.connection.receive_data(b"text\r\n.\r\n" + (b"QUIT\r\n" if farewell == "QUIT" else b""))
        session.connection.next_events()
        for recipient in session.offered:
            recipient.settle(Delivered())
        if farewell == "eof":
            session.connection.receive_eof()
        if farewell == "421":
            session.connection.close(SHUTTING_DOWN)
        happened = session.connection.next_events()

        assert isinstance(happened[-1], events.SessionEnded)
        assert ["250", "250"] == codes(session.hear())[:2]
