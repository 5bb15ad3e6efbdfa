# SPDX-License-Identifier: Apache-2.0
"""
Our client and our server, with a network between them that cuts octets anywhere: results are what the server decided.

Any envelopes, one behind the other in one session: the same recipient twice, refused at RCPT or after the content,
addresses in UTF-8; with and without PIPELINING and CHUNKING. RFC 2033 §4.2 and §4.3.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lmtp.protocol import events
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.client_events import ContentWanted, RecipientResolved, TransactionEnded
from lmtp.protocol.commands import Rcpt
from lmtp.protocol.dialect import LMTP, SMTP
from lmtp.protocol.extensions import Offer
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.server import ServerConnection
from lmtp.protocol.stuffing import LineEnds
from lmtp.testing.strategies import chunkings, contents, envelopes, international

FATES = [
    (Accepted(), Delivered()),
    (Accepted(), Delivered()),
    (Accepted(), Deferred("4.2.2")),
    (Accepted(), Failed("5.7.1", "two\nlines")),
    (Failed("5.1.1"), None),
    (Deferred("4.2.1"), None),
]
"""What a server says at RCPT, and what becomes of those it has accepted."""
ENVELOPES = envelopes() | envelopes().flatmap(
    lambda said: st.tuples(
        international(st.just(said[0])), st.tuples(*(international(st.just(path)) for path in said[1])).map(list)
    )
)
PIECES = contents().flatmap(chunkings) | contents().map(lambda text: text.replace(b"\r\n", b"\n")).flatmap(chunkings)
SIZES = st.sampled_from([1, 2, 7, 50, 10_000, 10_000])
"""How many octets a network carries at once."""


class Network(RuleBasedStateMachine):
    """
    What may happen between a client and a server.
    """

    @initialize(
        keywords=st.sets(st.sampled_from(["PIPELINING", "CHUNKING", "SMTPUTF8"])),
        dialect=st.sampled_from([LMTP, LMTP, SMTP]),
    )
    def open(self, keywords, dialect):
        offer = Offer(extensions=frozenset(keywords | {"ENHANCEDSTATUSCODES", "8BITMIME", "SIZE"}))
        self.server = ServerConnection("store.example", offer=offer, dialect=dialect)
        self.client = ClientConnection("mx.example", dialect=dialect)
        self.client.greet()
        self.dialect = dialect
        self.takes_utf8 = "SMTPUTF8" in keywords
        self.to_client = self.to_server = b""
        self.pieces, self.fates, self.outcomes, self.transactions = {}, [], {}, []
        self.happened = []
        self.received, self.content = [], b""
        self.serve()
        while not self.client.can_begin:
            self.carry_to_client(10_000)
            self.carry_to_server(10_000)

    # The client.

    @precondition(lambda self: self.client.can_begin)
    @rule(said=ENVELOPES, pieces=PIECES, data=st.data())
    def begin(self, said, pieces, data):
        reverse_path, forward_paths = said
        envelope = OutgoingEnvelope(reverse_path, tuple(Rcpt(path) for path in forward_paths))
        fates = data.draw(st.lists(st.sampled_from(FATES), min_size=len(forward_paths), max_size=len(forward_paths)))
        transaction = self.client.begin(envelope, sum(map(len, pieces)))
        self.transactions.append((transaction, fates))
        self.pieces[transaction] = pieces
        self.fates += [fates[index] for index in transaction.undecided]
        self.send()

    @precondition(lambda self: self.client.has_greeted)
    @rule(command=st.sampled_from(["noop", "reset"]))
    def say(self, command):
        getattr(self.client, command)()
        self.send()

    def send(self):
        self.to_server += self.client.data_to_send()

    @rule(count=SIZES)
    def carry_to_client(self, count):
        octets, self.to_client = self.to_client[:count], self.to_client[count:]
        happened = self.client.receive_data(octets)
        for event in happened:
            if isinstance(event, ContentWanted):
                self.send_content(event.transaction)
        self.happened += happened
        self.send()

    def send_content(self, transaction):
        *pieces, last = self.pieces[transaction]
        for piece in pieces:
            self.client.send_content(piece, is_last=False)
        self.client.send_content(last, is_last=True)

    # The server.

    @rule(count=SIZES)
    def carry_to_server(self, count):
        octets, self.to_server = self.to_server[:count], self.to_server[count:]
        self.server.receive_data(octets)
        self.serve()

    def serve(self):
        while happened := self.server.next_events():
            for event in happened:
                self.act(event)
        self.to_client += self.server.data_to_send()

    def act(self, event):
        match event:
            case events.RecipientOffered(recipient):
                verdict, self.outcomes[recipient] = self.fates.pop(0)
                self.server.decide(recipient, verdict)
            case events.ContentStarted():
                self.content = b""
            case events.ContentReceived(octets):
                self.content += octets
            case events.ContentCompleted(envelope):
                self.received.append(self.content)
                for recipient in envelope.recipients:
                    recipient.settle(self.outcomes[recipient])

    # What must hold.

    @invariant()
    def session_goes_on(self):
        assert not self.client.is_over
        assert not self.client.is_ending

    def teardown(self):
        if not hasattr(self, "client"):
            return
        while self.to_client or self.to_server:
            self.carry_to_client(10_000)
            self.carry_to_server(10_000)

        assert self.client.is_idle
        expected = []
        for transaction, fates in self.transactions:
            self.check(transaction, fates)
            if transaction.content_is_sent:
                line_ends = LineEnds()
                sent = b"".join(line_ends.encode(piece) for piece in self.pieces[transaction])
                expected.append(sent + line_ends.finish())
        assert expected == self.received

    def check(self, transaction, fates):
        assert transaction.is_over
        envelope = transaction.envelope
        sender = envelope.reverse_path.mailbox
        for_all = not (self.takes_utf8 or sender is None or sender.is_ascii)
        for result, (verdict, outcome) in zip(transaction.results, fates, strict=True):
            if for_all or not (self.takes_utf8 or result.forward_path.mailbox.is_ascii):
                assert (Failed, "5.6.7") == (type(result.outcome), result.outcome.status)
                continue
            if isinstance(verdict, Accepted) and self.dialect is SMTP:
                assert result.reply is transaction.results[transaction.accepted[0]].reply
                continue
            decided = outcome if isinstance(verdict, Accepted) else verdict
            assert (type(decided), decided.status) == (type(result.outcome), result.outcome.status)
            if result.forward_path.mailbox.is_ascii:
                assert result.reply.text.startswith(f"{result.forward_path} ")
        resolved = [event for event in self.happened if isinstance(event, RecipientResolved)]
        told = [event.index for event in resolved if event.transaction is transaction]
        assert len(told) == len(set(told))
        assert (1 if told else 0) == self.happened.count(TransactionEnded(transaction))


TestNetwork = Network.TestCase
TestNetwork.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
