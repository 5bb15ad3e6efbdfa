# SPDX-License-Identifier: Apache-2.0
"""
The delivery agent: who is let in, what each copy says, and that no copy speaks of anybody else.
"""

import asyncio
from collections.abc import Awaitable

import pytest

import lmtp
from lmtp.aio.session import Session, Transaction
from lmtp.aio.spool import MemoryBudget, Spool
from lmtp.aio.tls import TlsFacts
from lmtp.delivery.agent import DeliveryAgent, DeliveryOptions
from lmtp.directory.base import Account
from lmtp.protocol import events
from lmtp.protocol.extensions import STANDARD, Offer

CLOCK = 1_700_000_000.0


class Directory:
    """
    Two accounts; whoever is asked for with detail is one of them.
    """

    def find(self, mailbox):
        name = mailbox.local_part.partition("+")[0].lower()
        return Account(lmtp.Mailbox(name, "store.example")) if name in ("ann", "bob", "postmaster") else None


class Writer:
    """
    A store that keeps copies in memory and settles them as it is told.
    """

    def __init__(self, *outcomes):
        self.outcomes = outcomes
        self.copies = []
        self.refuses_bob = False

    def check(self, mailbox):
        if mailbox.local_part == "bob" and self.refuses_bob:
            raise lmtp.PermanentError("5.1.3", "no room for such a name")

    async def write(self, copies, settled):
        self.copies.extend(copies)
        for index in reversed(range(len(copies))):
            settled(index, self.outcomes[index] if self.outcomes else lmtp.Delivered(f"copy {index}"))

    @property
    def octets(self):
        return [copy.head + b"".join(copy.content.chunks(copy.body_start)) for copy in self.copies]


def transact(
    agent,
    content,
    *forward_paths,
    reverse_path="<sender@example.org>",
    peer_address="192.0.2.7",
    extensions=STANDARD,
    **facts,
):
    """
    Take a message through the engine to the agent; return its recipients.
    """
    engine = lmtp.ServerConnection("store.example", offer=Offer(extensions=extensions))
    session = Session("s1", "unix:/lmtp", "peer", peer_address, "store.example", "LMTP", "client.example", **facts)
    spool = Spool(MemoryBudget(10**6), 10**6, None)
    commands = ["LHLO client.example", f"MAIL FROM:{reverse_path}", *(f"RCPT TO:{path}" for path in forward_paths)]
    engine.receive_data("".join(f"{command}\r\n" for command in [*commands, "DATA"]).encode() + content + b"\r\n.\r\n")

    async def run():
        while happened := engine.next_events():
            for event in happened:
                match event:
                    case events.TransactionOpened(envelope):
                        transaction = Transaction(session, "s1-1", envelope, spool)
                    case events.RecipientOffered(recipient):
                        verdict = agent.verify(recipient, transaction)
                        engine.decide(recipient, await verdict if isinstance(verdict, Awaitable) else verdict)
                    case events.ContentReceived(octets):
                        spool.write(octets)
                    case events.ContentCompleted():
                        await agent.deliver(transaction)
        return transaction

    transaction = asyncio.run(run())
    return transaction.envelope.offered


@pytest.fixture
def writer():
    return Writer()


@pytest.fixture
def agent(writer):
    return DeliveryAgent(Directory(), writer, clock=lambda: CLOCK)


class Slow:
    """
    A directory that has to wait, and knows since when its accounts have had their owners.
    """

    def __init__(self, **fields):
        self._fields = fields

    async def find(self, mailbox):
        await asyncio.sleep(0)
        return Account(mailbox, self._fields) if mailbox.local_part != "nobody" else None


class TestOwners:
    """
    RFC 7293: a mailbox must have belonged to the same owner ever since.
    """

    RRVS = STANDARD | {"RRVS"}

    def verdict(self, writer, path, **fields):
        [recipient] = transact(DeliveryAgent(Slow(**fields), writer), b"hello", path, extensions=self.RRVS)
        return recipient.verdict

    @pytest.mark.guards("RV-2")
    @pytest.mark.parametrize(
        ("created", "status"),
        [
            ("2014-04-03T23:01:00Z", None),
            ("2014-04-04T01:01:00+02:00", None),
            ("2014-04-03T23:01:01Z", "5.7.17"),
            ("once upon a time", "5.7.19"),
        ],
    )
    def test_that_came_later_do_not_get_the_message(self, writer, created, status):
        verdict = self.verdict(writer, "<ann@x.example> RRVS=2014-04-03T23:01:00Z", created=created)

        assert status == (None if isinstance(verdict, lmtp.Accepted) else verdict.status)

    @pytest.mark.guards("RV-2")
    def test_nobody_knows_of_are_refused(self, writer):
        assert "5.7.19" == self.verdict(writer, "<ann@x.example> RRVS=2014-04-03T23:01:00Z").status

    @pytest.mark.guards("RV-2")
    def test_of_postmaster_are_not_asked_for(self, writer):
        path = "<postmaster@x.example> RRVS=2014-04-03T23:01:00Z"

        assert isinstance(self.verdict(writer, path), lmtp.Accepted)

    def test_are_not_asked_for_unless_the_client_does(self, writer):
        assert isinstance(self.verdict(writer, "<ann@x.example>"), lmtp.Accepted)
        assert lmtp.Failed("5.1.1") == self.verdict(writer, "<nobody@x.example>")


class TestKeyword:
    """
    RFC 3848, RFC 6531 §4.3: how the message came, in the Received field.
    """

    @pytest.mark.guards("U8-10", "TR-6")
    @pytest.mark.parametrize(
        ("reverse_path", "facts", "keyword"),
        [
            ("<>", {}, b"LMTP"),
            ("<>", {"tls": TlsFacts(version="TLSv1.3", cipher="AES")}, b"LMTPS"),
            ("<>", {"identity": "ann", "is_authenticated": True}, b"LMTPA"),
            ("<>", {"identity": "ann"}, b"LMTP"),
            ("<jörg@example.org> SMTPUTF8", {}, b"UTF8LMTP"),
        ],
    )
    def test_says_it(self, agent, writer, reverse_path, facts, keyword):
        transact(agent, b"hello", "<ann@store.example>", reverse_path=reverse_path, **facts)

        words = writer.octets[0].split()

        assert keyword == words[words.index(b"with") + 1]

    def test_of_utf8_comes_with_utf8_addresses(self, agent, writer):
        transact(agent, b"hello", "<ann@store.example>", reverse_path="<jörg@example.org> SMTPUTF8")

        assert writer.octets[0].startswith("Return-Path: <jörg@example.org>\r\n".encode())


class TestVerification:
    def test_known_recipient_is_accepted_with_its_account(self, agent):
        [recipient] = transact(agent, b"hello", "<Ann+lists@store.example>")

        assert lmtp.Mailbox("ann", "store.example") == recipient.account.mailbox

    @pytest.mark.guards("T48")
    def test_unknown_recipient_is_refused_for_good(self, agent):
        _ann, nobody = transact(agent, b"hello", "<ann@store.example>", "<nobody@store.example>")

        assert lmtp.Failed("5.1.1") == nobody.verdict

    @pytest.mark.guards("T48")
    def test_recipient_nothing_can_be_stored_for_is_refused_before_the_content_comes(self, agent, writer):
        writer.refuses_bob = True

        with pytest.raises(lmtp.PermanentError):
            transact(agent, b"hello", "<bob@store.example>")


class TestCopies:
    """
    RFC 5321 §4.4, §7.2: each recipient's copy is its own.
    """

    def test_go_to_the_accounts_mailbox_whatever_the_client_wrote(self, agent, writer):
        transact(agent, b"hello", "<ANN+x@store.example>", "<bob@store.example>")

        assert ["ann@store.example", "bob@store.example"] == [str(copy.mailbox) for copy in writer.copies]

    @pytest.mark.guards("TR-1", "TR-2", "TR-8", "TR-10", "TR-15")
    def test_begin_with_the_trace_fields_in_their_order(self, agent, writer):
        transact(agent, b"Subject: hello\r\n\r\nhello", "<ann+x@store.example>")
        names = [line.partition(b":")[0] for line in writer.octets[0].split(b"\r\n") if line[:1] != b" "]

        assert [b"Return-Path", b"Delivered-To", b"Received", b"Subject"] == names[:4]
        assert b"Return-Path: <sender@example.org>\r\nDelivered-To: ann+x@store.example\r\n" in writer.octets[0]
        assert b"with LMTP id s1-1" in writer.octets[0].replace(b"\r\n ", b" ")
        assert b"from client.example ([192.0.2.7]) by store.example" in writer.octets[0].replace(b"\r\n ", b" ")

    @pytest.mark.guards("TR-1")
    def test_end_with_the_content_as_it_came(self, agent, writer):
        content = b"Subject: hello\r\nX-Odd : folded\r\n\tonce\r\n\r\nhello"
        transact(agent, content, "<ann@store.example>")

        assert writer.octets[0].endswith(b"\r\n" + content + b"\r\n")

    @pytest.mark.guards("TR-3")
    @pytest.mark.guards("T59")
    def test_never_name_another_recipient(self, agent, writer):
        transact(agent, b"hello", "<ann@store.example>", "<bob@store.example>")

        assert b"bob" not in writer.octets[0]
        assert b"ann" not in writer.octets[1]

    @pytest.mark.guards("T61", "TR-8", "TR-9")
    def test_have_one_return_path_and_it_is_ours(self, agent, writer):
        transact(agent, b"Return-Path: <old@example.org>\r\nSubject: x\r\n\r\nhello", "<ann@store.example>")

        assert 1 == writer.octets[0].count(b"Return-Path:")
        assert writer.octets[0].startswith(b"Return-Path: <sender@example.org>\r\n")

    @pytest.mark.guards("AD-1", "TR-8")
    def test_of_a_bounce_have_the_null_reverse_path(self, agent, writer):
        transact(agent, b"hello", "<ann@store.example>", reverse_path="<>")

        assert writer.octets[0].startswith(b"Return-Path: <>\r\n")

    @pytest.mark.guards("TR-2")
    def test_from_a_local_socket_name_no_address(self, agent, writer):
        transact(agent, b"hello", "<ann@store.example>", peer_address="")

        assert b"from client.example (localhost) by" in writer.octets[0].replace(b"\r\n ", b" ")

    def test_for_a_bare_postmaster_say_where(self, agent, writer):
        transact(agent, b"hello", "<Postmaster>")

        assert b"Delivered-To: Postmaster@store.example\r\n" in writer.octets[0]

    @pytest.mark.guards("LMTP-4.2-5")
    def test_are_made_for_each_of_two_equal_recipients(self, agent, writer):
        transact(agent, b"hello", "<ann@store.example>", "<ann@store.example>")

        assert 2 == len(writer.copies)


class TestOutcomes:
    @pytest.mark.guards("LMTP-5-9")
    def test_are_those_of_the_store_each_for_its_recipient(self):
        writer = Writer(lmtp.Delivered("first"), lmtp.Deferred("4.2.2"))
        agent = DeliveryAgent(Directory(), writer)
        ann, bob = transact(agent, b"hello", "<ann@store.example>", "<bob@store.example>")

        assert lmtp.Delivered("first") == ann.outcome
        assert lmtp.Deferred("4.2.2") == bob.outcome

    @pytest.mark.guards("TR-12", "TR-13", "LMTP-4.2-8")
    def test_message_that_runs_in_circles_fails_for_everybody(self, writer):
        agent = DeliveryAgent(Directory(), writer, DeliveryOptions(max_hops=3))
        content = b"Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n" * 3 + b"\r\nhello"
        recipients = transact(agent, content, "<ann@store.example>", "<bob@store.example>")

        assert [lmtp.Failed("5.4.6")] * 2 == [recipient.outcome for recipient in recipients]
        assert [] == writer.copies
