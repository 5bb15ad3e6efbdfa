# SPDX-License-Identifier: Apache-2.0
"""
The envelope a client sends (RFC 5321 §2.3.1).
"""

import pytest

from lmtp.protocol.address import AddressSyntaxError
from lmtp.protocol.events import ContentCompleted
from lmtp.protocol.outcome import Accepted, Failed
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import Body, MailParameters
from tests.protocol.session import Session


def paths(envelope):
    return [str(recipient.forward_path) for recipient in envelope.recipients]


class TestAddresses:
    def test_may_be_written_with_brackets_or_without(self):
        envelope = OutgoingEnvelope.parse(" sam@example ", "ann@example", "<bob@example>", '"a b"@example', "cyd")

        assert "<sam@example>" == str(envelope.reverse_path)
        assert ["<ann@example>", "<bob@example>", '<"a b"@example>', "<cyd>"] == paths(envelope)

    @pytest.mark.guards("T44")
    @pytest.mark.parametrize("text", ["", "<>", " "])
    def test_of_nobody_is_the_null_reverse_path(self, text):
        assert OutgoingEnvelope.parse(text, "ann@example").reverse_path.is_null

    @pytest.mark.guards("LMTP-4.2-13", "T05")
    def test_may_be_given_twice(self):
        assert ["<ann@example>"] * 2 == paths(OutgoingEnvelope.parse("", "ann@example", "ann@example"))

    @pytest.mark.guards("AD-3")
    def test_lose_their_source_routes(self):
        assert ["<ann@example>"] == paths(OutgoingEnvelope.parse("", "<@a.example,@b.example:ann@example>"))

    @pytest.mark.parametrize("text", ["", "<ann@example", "a b@example", "ann@exa mple", "ann@x\r\nDATA", "\ud800@x"])
    def test_that_are_none_are_refused(self, text):
        with pytest.raises(AddressSyntaxError):
            OutgoingEnvelope.parse("", text)

    @pytest.mark.parametrize(
        ("sender", "recipient", "expected"),
        [("", "ann@example", True), ("sam@x", "ann@x", True), ("säm@x", "ann@x", False), ("", "änn@x", False)],
    )
    def test_need_smtputf8_or_not(self, sender, recipient, expected):
        assert expected == OutgoingEnvelope.parse(sender, "bob@x", recipient).is_ascii


class TestParts:
    def test_are_of_some_recipients(self):
        envelope = OutgoingEnvelope.parse(
            "sam@x", "ann@x", "bob@x", "cyd@x", parameters=MailParameters(body=Body.BINARY)
        )
        part = envelope.only([2, 0])

        assert ["<cyd@x>", "<ann@x>"] == paths(part)
        assert (envelope.reverse_path, envelope.parameters) == (part.reverse_path, part.parameters)


class TestRelay:
    def test_takes_what_a_server_has_accepted(self):
        session = Session.greeted(waits=True)
        session.say("MAIL FROM:<sam@x> BODY=8BITMIME", "RCPT TO:<ann@x>", "RCPT TO:<bob@x>", "RCPT TO:<cyd@x>")
        for number, verdict in enumerate([Accepted(), Failed(), Accepted()]):
            session.decide(number, verdict)
        session.say("DATA", "text", ".")
        (completed,) = session.of_type(ContentCompleted)
        envelope = OutgoingEnvelope.relay(completed.envelope)

        assert (["<ann@x>", "<cyd@x>"], Body.EIGHT_BIT) == (paths(envelope), envelope.parameters.body)
