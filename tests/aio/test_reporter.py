# SPDX-License-Identifier: Apache-2.0
"""
What the observer is told of a session: each event with the names an operator greps for.
"""

from dataclasses import replace

import pytest

import lmtp
from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Session, Transaction
from lmtp.aio.tls import TlsFacts
from lmtp.observe import events as observed
from lmtp.protocol import events, reply
from lmtp.protocol.address import ForwardPath, ReversePath
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.ledger import Slot
from lmtp.protocol.parameters import MailParameters

ANN = ForwardPath.parse(b"<ann@example.org>")
FACTS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", client_names=("mx.example.org", "mx2.x"))
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def session():
    return Session("s1", "127.0.0.1:2424", "192.0.2.1:1000", "192.0.2.1", "store.example", "LMTP")


@pytest.fixture
def report(session, recorder):
    return Reporter(session, recorder)


@pytest.fixture
def make_transaction(session):
    """
    Make a transaction of the session.
    """

    def make(**parameters):
        envelope = Envelope(ReversePath.parse(b"<mx@example.net>"), MailParameters(**parameters))
        return Transaction(session, "s1-1", envelope, content=None)

    return make


def recipient(**state):
    made = Recipient(ANN, Slot(), settle=lambda recipient, outcome: None)
    for name, value in state.items():
        setattr(made, name, value)
    return made


def settle(report, transaction):
    settled = recipient(verdict=lmtp.Accepted(), outcome=lmtp.Delivered("here"))
    report.recipient_settled(transaction, events.RecipientSettled(settled, reply.NOOP_OK), 0.5)


class TestTls:
    def test_names_a_certificate_that_was_verified(self, report, recorder):
        report.tls_started(replace(FACTS, is_verified=True))
        [started] = recorder.events

        assert ("s1", "192.0.2.1:1000", "TLSv1.3") == (started.session_id, started.peer, started.version)
        assert "mx.example.org mx2.x" == started.certificate

    def test_does_not_name_one_that_was_not(self, report, recorder):
        report.tls_started(FACTS)

        assert "" == recorder.events[0].certificate


class TestAuthentication:
    def test_that_succeeded_is_told_with_whom_it_is_for(self, report, recorder):
        report.authentication_ended(events.AuthenticationEnded("PLAIN", "ann", reply.NOOP_OK))
        [event] = recorder.of(observed.Authenticated)

        assert ("s1", "192.0.2.1:1000", "PLAIN", "ann") == (
            event.session_id,
            event.peer,
            event.mechanism,
            event.identity,
        )

    def test_that_failed_is_told_with_the_reason_that_the_client_does_not_hear(self, report, recorder):
        report.authentication_ended(events.AuthenticationEnded("PLAIN", "", reply.ACCESS_DENIED, "no such user"))
        [event] = recorder.of(observed.AuthenticationFailed)

        assert ("PLAIN", reply.ACCESS_DENIED, "no such user") == (event.mechanism, event.reply, event.detail)


class TestRecipient:
    @pytest.mark.parametrize("verdict", [None, lmtp.Accepted()])
    def test_that_was_not_refused_is_not_told_before_its_outcome(self, report, recorder, make_transaction, verdict):
        report.recipient_decided(make_transaction(), events.RecipientDecided(recipient(verdict=verdict), reply.NOOP_OK))

        assert [] == recorder.events

    def test_that_was_refused_is_told_with_what_its_client_heard(self, report, recorder, make_transaction):
        refused = recipient(verdict=lmtp.Failed("5.1.1"))
        report.recipient_decided(make_transaction(), events.RecipientDecided(refused, reply.ACCESS_DENIED))
        [event] = recorder.of(observed.RecipientRefused)

        assert ("s1", "s1-1") == (event.session_id, event.transaction_id)
        assert ("<mx@example.net>", "<ann@example.org>") == (event.reverse_path, event.forward_path)
        assert (lmtp.Failed("5.1.1"), reply.ACCESS_DENIED) == (event.verdict, event.reply)

    def test_that_is_settled_is_told_with_its_outcome(self, report, recorder, make_transaction):
        settle(report, make_transaction())
        [event] = recorder.of(observed.RecipientSettled)

        assert (lmtp.Delivered("here"), reply.NOOP_OK, 0.5) == (event.outcome, event.reply, event.seconds)
        assert ("", "", "") == (event.identity, event.origin, event.trace)

    @pytest.mark.parametrize(
        ("forwarded", "origin"),
        [
            ({"NAME": "mx.example", "ADDR": "192.0.2.9", "IDENT": "4aXq"}, "mx.example[192.0.2.9] 4aXq"),
            ({"NAME": "mx.example", "ADDR": "192.0.2.9"}, "mx.example[192.0.2.9]"),
            ({"NAME": None, "ADDR": None, "IDENT": "4aXq"}, "unknown[unknown] 4aXq"),
            ({"PROTO": "ESMTP"}, "unknown[unknown]"),
        ],
    )
    def test_of_a_content_filter_is_told_with_where_the_message_is_from(
        self, report, recorder, make_transaction, forwarded, origin
    ):
        transaction = make_transaction()
        transaction.forwarded = forwarded
        settle(report, transaction)

        assert origin == recorder.events[0].origin

    def test_is_told_with_the_trace_of_its_message_or_else_of_its_session(self, report, recorder, make_transaction):
        for transaction in (make_transaction(), make_transaction(traceparent=TRACEPARENT)):
            transaction.session.trace_id = "job 7"
            settle(report, transaction)

        assert ["job 7", TRACEPARENT] == [event.trace for event in recorder.events]


class TestFailure:
    def test_is_told_with_the_transaction_it_happened_in(self, report, recorder, make_transaction):
        error = ZeroDivisionError()
        report.failed(make_transaction(), "delivering", error)
        [event] = recorder.of(observed.HandlerFailed)

        assert ("s1", "s1-1", "delivering", error) == (
            event.session_id,
            event.transaction_id,
            event.doing,
            event.error,
        )

    def test_is_told_without_one_where_there_is_none(self, report, recorder):
        report.failed(None, "authenticating", ZeroDivisionError())

        assert "" == recorder.events[0].transaction_id


class TestCommand:
    def test_that_was_refused_is_told_in_ascii_whatever_it_was(self, report, recorder):
        report.command_refused(events.CommandRefused(b"MA\xefL \x1b[2J", reply.ACCESS_DENIED))

        assert "MA\\xefL \x1b[2J" == recorder.events[0].command
