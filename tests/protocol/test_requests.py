# SPDX-License-Identifier: Apache-2.0
"""
Commands as a client writes them, and what it can't ask of a server (RFC 5321 §4.1.1).
"""

import datetime as dt

import pytest
from hypothesis import given

from lmtp.protocol import requests
from lmtp.protocol.address import ForwardPath, Mailbox, ReversePath
from lmtp.protocol.commands import Rcpt
from lmtp.protocol.dialect import LMTP
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.extensions import EXTENSIONS, Offer
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.offered import Offered
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import (
    Body,
    ByMode,
    DeliverBy,
    MailParameters,
    Notify,
    OriginalRecipient,
    RcptParameters,
    Return,
    ValidSince,
    WhenUnsure,
)
from lmtp.protocol.parser import vocabulary
from lmtp.testing.strategies import envelopes, international

EVERYTHING = Offered("x", {row.keyword: () for row in EXTENSIONS} | {"AUTH": ("PLAIN",), "XTRACEPARENT": ()})
NOTHING = Offered()
MOMENT = dt.datetime(2026, 8, 22, 10, 0, 0, 5, dt.UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FORWARD_PATH = ForwardPath.parse(b"<ann@example>")

PARSER, _ = vocabulary(
    LMTP,
    Limits(),
    Leniency.NONE,
    Offer(extensions=frozenset(row.keyword for row in EXTENSIONS), mechanisms=("PLAIN",)),
)


def offering(*keywords):
    return Offered("x", dict.fromkeys(keywords, ()))


def envelope(sender="sam@example", recipient="ann@example", **parameters):
    return OutgoingEnvelope.parse(sender, recipient, parameters=MailParameters(**parameters))


def mail(offered=EVERYTHING, size_bytes=None, **settings):
    return requests.mail(envelope(**settings), size_bytes, offered).decode()


def rcpt(offered=EVERYTHING, **parameters):
    return requests.rcpt(Rcpt(FORWARD_PATH, RcptParameters(**parameters)), offered).decode()


def why_not(offered, size_bytes=None, **settings):
    obstacle = requests.obstacle(envelope(**settings), size_bytes, offered)
    return obstacle and obstacle.status


class TestMail:
    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({}, ""),
            ({"size_bytes": 12}, " SIZE=12"),
            ({"size_bytes": 0}, " SIZE=0"),
            ({"body": Body.SEVEN_BIT}, " BODY=7BIT"),
            ({"body": Body.EIGHT_BIT}, " BODY=8BITMIME"),
            ({"body": Body.BINARY}, " BODY=BINARYMIME"),
            ({"is_internationalized": True}, " SMTPUTF8"),
            ({"returned": Return.HEADERS}, " RET=HDRS"),
            ({"envelope_id": "a+b = c"}, " ENVID=a+2Bb+20+3D+20c"),
            ({"submitter": ReversePath()}, " AUTH=<>"),
            ({"submitter": ReversePath.parse(b"<a+b@example>")}, " AUTH=a+2Bb@example"),
            ({"deliver_by": DeliverBy(120, ByMode.RETURN, wants_trace=True)}, " BY=120;RT"),
            ({"deliver_by": DeliverBy(-5, ByMode.NOTIFY, wants_trace=False)}, " BY=-5;N"),
            ({"priority": -3}, " MT-PRIORITY=-3"),
            ({"priority": 0}, " MT-PRIORITY=0"),
            ({"requires_tls": True}, " REQUIRETLS"),
            ({"traceparent": TRACEPARENT}, f" XTRACEPARENT={TRACEPARENT}"),
        ],
    )
    @pytest.mark.guards("GR-11")
    def test_has_a_parameter_where_its_extension_is_offered_and_nowhere_else(self, settings, expected):
        assert f"MAIL FROM:<sam@example>{expected}\r\n" == mail(**settings)
        assert "MAIL FROM:<sam@example>\r\n" == mail(NOTHING, **settings)

    @pytest.mark.guards("T44")
    def test_of_nobody_is_said_as_two_brackets(self):
        assert "MAIL FROM:<>\r\n" == mail(sender="")

    def test_says_the_size_that_is_known_before_one_that_was_declared(self):
        assert "MAIL FROM:<sam@example> SIZE=7\r\n" == requests.mail(envelope(size_bytes=12), 7, EVERYTHING).decode()

    @pytest.mark.guards("U8-4")
    @pytest.mark.parametrize(("sender", "recipient"), [("säm@example", "ann@example"), ("sam@example", "änn@example")])
    def test_says_smtputf8_when_an_address_needs_it(self, sender, recipient):
        assert f"MAIL FROM:<{sender}> SMTPUTF8\r\n" == mail(sender=sender, recipient=recipient)

    def test_says_binarymime_to_a_server_that_has_no_8bitmime(self):
        """
        A binary content that is not declared is a broken text message.
        """
        assert "BODY=BINARYMIME" in mail(offering("BINARYMIME", "CHUNKING"), body=Body.BINARY)

    @given(said=envelopes())
    def test_is_read_by_a_server_as_it_was_meant(self, said):
        reverse_path, forward_paths = said
        whole = OutgoingEnvelope(reverse_path, tuple(Rcpt(path) for path in forward_paths))
        line = requests.mail(whole, 5, EVERYTHING)

        assert (reverse_path, 5) == ((command := PARSER.parse(line[:-2])).reverse_path, command.parameters.size_bytes)
        for recipient in whole.recipients:
            assert recipient == PARSER.parse(requests.rcpt(recipient, EVERYTHING)[:-2])


class TestRcpt:
    @pytest.mark.guards("GR-11", "XR-2", "T51")
    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({}, ""),
            ({"notify": Notify.NEVER}, " NOTIFY=NEVER"),
            ({"notify": Notify.SUCCESS | Notify.DELAY}, " NOTIFY=SUCCESS,DELAY"),
            ({"original_recipient": OriginalRecipient("rfc822", "Bob+x@example")}, " ORCPT=rfc822;Bob+2Bx@example"),
            (
                {"original_recipient": OriginalRecipient("utf-8", "jörg+\\ x@example")},
                " ORCPT=utf-8;j\\x{F6}rg\\x{2B}\\x{5C}\\x{20}x@example",
            ),
            ({"valid_since": ValidSince(MOMENT, WhenUnsure.CONTINUE)}, " RRVS=2026-08-22T10:00:00+00:00;C"),
            ({"ignores_quota": True}, " IGNOREQUOTA"),
        ],
    )
    def test_has_a_parameter_where_its_extension_is_offered_and_nowhere_else(self, settings, expected):
        """
        A proxy that passed parameters on which the server had never listed was refused for it.
        """
        assert f"RCPT TO:<ann@example>{expected}\r\n" == rcpt(**settings)
        assert "RCPT TO:<ann@example>\r\n" == rcpt(NOTHING, **settings)

    @pytest.mark.guards("T43", "GR-3")
    def test_keeps_the_case_of_its_path(self):
        recipient = Rcpt(ForwardPath.parse(b"<Ann.B@Example>"))

        assert b"RCPT TO:<Ann.B@Example>\r\n" == requests.rcpt(recipient, NOTHING)

    @given(path=international(envelopes().map(lambda said: said[1][0])))
    def test_may_be_in_utf8(self, path):
        assert f"RCPT TO:{path}\r\n".encode() == requests.rcpt(Rcpt(path), EVERYTHING)


class TestLines:
    @pytest.mark.parametrize("text", ["ann\r\nDATA", "a\nb", "a\0b", "a\x7f", "\ud800"])
    def test_stay_one_line_whatever_is_in_an_address(self, text):
        """
        An address that was made without being read may have anything in it.
        """
        mailbox = Mailbox(text, "example")

        with pytest.raises(LocalProtocolError):
            requests.rcpt(Rcpt(ForwardPath(mailbox)), EVERYTHING)
        with pytest.raises(LocalProtocolError):
            requests.mail(OutgoingEnvelope(ReversePath(mailbox), ()), None, EVERYTHING)

    @pytest.mark.guards("U8-9")
    def test_that_greet_are_ascii(self):
        assert b"LHLO mx.example\r\n" == requests.greet("LHLO", "mx.example")
        with pytest.raises(LocalProtocolError, match="not ASCII"):
            requests.greet("LHLO", "bücher.example")

    def test_of_chunks_have_their_size(self):
        assert b"BDAT 0 LAST\r\n" == requests.chunk(0, is_last=True)
        assert b"BDAT 1000\r\n" == requests.chunk(1000, is_last=False)

    @pytest.mark.guards("U8-2", "U8-6")
    def test_of_vrfy_are_utf8_where_that_is_offered(self):
        assert b"VRFY ann\r\n" == requests.verify("ann", EVERYTHING)
        assert "VRFY jörg SMTPUTF8\r\n".encode() == requests.verify("jörg", EVERYTHING)
        with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
            requests.verify("jörg", NOTHING)


class TestAuth:
    @pytest.mark.guards("AU-1")
    @pytest.mark.parametrize(("response", "expected"), [(None, ""), (b"", " ="), (b"\0ann\0", " AGFubgA=")])
    def test_has_the_initial_response_in_base64(self, response, expected):
        assert f"AUTH PLAIN{expected}\r\n".encode() == requests.auth("PLAIN", response)

    @pytest.mark.guards("AU-8")
    def test_has_no_initial_response_that_is_too_long(self):
        fits = (requests.MAX_LINE - len("AUTH PLAIN \r\n")) // 4 * 3

        assert requests.MAX_LINE >= len(requests.auth("PLAIN", b"x" * fits))
        with pytest.raises(LocalProtocolError, match="too long"):
            requests.auth("PLAIN", b"x" * (fits + 1))

    def test_names_no_mechanism_that_is_not_ascii(self):
        with pytest.raises(LocalProtocolError):
            requests.auth("PLÄIN", None)


class TestAttributes:
    def test_are_those_the_server_lists_with_the_address_last(self):
        said = {"ADDR": "192.0.2.7", "NAME": "mx.example", "LOGIN": None, "HELO": "a b", "X": "y"}

        assert [b"XCLIENT NAME=mx.example LOGIN=[UNAVAILABLE] HELO=a+20b ADDR=192.0.2.7\r\n"] == list(
            requests.attributes("XCLIENT", said, ("addr", "name", "LOGIN", "HELO", "PORT"))
        )
        assert [] == list(requests.attributes("XCLIENT", said, ()))

    @pytest.mark.guards("XC-2", "T52")
    def test_that_are_long_take_several_commands(self):
        """
        A command of more than 512 octets is refused by servers that hold to it.
        """
        said = {"ADDR": "192.0.2.7", "NAME": "n" * 255, "HELO": "h" * 255, "IDENT": "i" * 200}
        lines = list(requests.attributes("XFORWARD", said, tuple(said)))

        assert 2 == len(lines)
        assert all(len(line) <= requests.MAX_LINE for line in lines)
        assert [b"NAME", b"HELO", b"IDENT", b"ADDR"] == [
            word.partition(b"=")[0] for line in lines for word in line.split()[1:]
        ]

    @pytest.mark.guards("XC-2")
    @pytest.mark.parametrize("value", ["", "x" * 256, "=" * 255])
    def test_that_can_not_be_said_are_not_known(self, value):
        assert [b"XFORWARD HELO=[UNAVAILABLE]\r\n"] == list(requests.attributes("XFORWARD", {"HELO": value}, ("HELO",)))


class TestObstacles:
    def test_are_none_for_plain_mail(self):
        assert why_not(NOTHING, size_bytes=10**9) is None
        assert requests.recipient_obstacle(Rcpt(FORWARD_PATH), NOTHING) is None

    @pytest.mark.guards("U8-6", "8B-3", "CH-13", "RT-3", "DB-4")
    @pytest.mark.parametrize(
        ("settings", "keywords", "status"),
        [
            ({"is_internationalized": True}, ["SMTPUTF8"], "5.6.7"),
            ({"sender": "säm@example"}, ["SMTPUTF8"], "5.6.7"),
            ({"body": Body.EIGHT_BIT}, ["8BITMIME"], "5.6.3"),
            ({"body": Body.BINARY}, ["BINARYMIME", "CHUNKING"], "5.6.3"),
            ({"requires_tls": True}, ["REQUIRETLS"], "5.7.30"),
            ({"deliver_by": DeliverBy(60, ByMode.RETURN, wants_trace=False)}, ["DELIVERBY"], "5.3.3"),
        ],
    )
    def test_are_what_a_message_can_not_do_without(self, settings, keywords, status):
        assert status == why_not(NOTHING, **settings)
        assert why_not(offering(*keywords), **settings) is None
        for missing in keywords:
            assert status == why_not(offering(*set(keywords) - {missing}), **settings)

    def test_are_not_what_it_can_do_without(self):
        by = DeliverBy(60, ByMode.NOTIFY, wants_trace=False)

        assert why_not(NOTHING, deliver_by=by, returned=Return.FULL, priority=9, body=Body.SEVEN_BIT) is None
        assert why_not(NOTHING, sender="", requires_tls=True) is None  # a report (RFC 8689 §4.2.1)

    @pytest.mark.guards("SI-9")
    @pytest.mark.parametrize(("line", "status"), [("10", "5.3.4"), ("11", None), ("0", None), ("", None)])
    def test_are_sizes_above_what_the_server_takes(self, line, status):
        assert status == why_not(Offered("x", {"SIZE": tuple(line.split())}), size_bytes=11)
        assert why_not(Offered("x", {"SIZE": ("10",)})) is None

    @pytest.mark.guards("U8-6")
    def test_of_a_recipient_are_its_own(self):
        recipient = Rcpt(ForwardPath.parse("<jörg@example>".encode()))

        assert "5.6.7" == requests.recipient_obstacle(recipient, NOTHING).status
        assert requests.recipient_obstacle(recipient, offering("SMTPUTF8")) is None

    @pytest.mark.guards("RV-3")
    @pytest.mark.parametrize(("unsure", "status"), [(WhenUnsure.REFUSE, "5.7.19"), (WhenUnsure.CONTINUE, None)])
    def test_of_a_recipient_are_owners_nobody_will_check(self, unsure, status):
        recipient = Rcpt(FORWARD_PATH, RcptParameters(valid_since=ValidSince(MOMENT, unsure)))
        found = requests.recipient_obstacle(recipient, NOTHING)

        assert status == (found and found.status)
        assert requests.recipient_obstacle(recipient, offering("RRVS")) is None
