# SPDX-License-Identifier: Apache-2.0
"""
Dialogues that break off, at every octet and in every way: nobody is told 250 who was not, and nobody is forgotten.

A server is recorded once for each kind of dialogue; then a client hears the recording up to an offset, and the end of
the connection, or nonsense, or 421, or a reply too many or too few. RFC 2033 §5, RFC 5321 §3.8.
"""

import re
from itertools import islice

import pytest

from lmtp.protocol import events
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.client_events import ContentWanted, RecipientResolved, SessionLost
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.extensions import Offer
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.server import ServerConnection

CONTENT = b"text\r\n"
LAST_CONTENT_REPLY = re.compile(rb"[245][0-9]{2} [245][^ ]* <[^>]*> settled\r\n")
REPLY = re.compile(rb"(?:[0-9]{3}-[^\r]*\r\n)*[0-9]{3} [^\r]*\r\n")

FATES = {
    "ann": (Accepted(), Delivered(phrase="settled")),
    "bob": (Failed("5.1.1"), None),
    "cyd": (Accepted(), Deferred("4.2.2", "settled")),
    "dan": (Accepted(), Delivered(phrase="settled")),
}
"""What a server says to whom; each is asked for in two transactions, as ann@1 and ann@2."""


class Server:
    """
    A server that decides at once.
    """

    def __init__(self, extensions):
        self.connection = ServerConnection("s", offer=Offer(extensions=frozenset(extensions)))

    def answer(self, octets):
        """
        Return what is said to that.
        """
        self.connection.receive_data(octets)
        while happened := self.connection.next_events():
            for event in happened:
                match event:
                    case events.RecipientOffered(recipient):
                        self.connection.decide(recipient, FATES[recipient.forward_path.mailbox.local_part][0])
                    case events.ContentCompleted(envelope):
                        for recipient in envelope.recipients:
                            recipient.settle(FATES[recipient.forward_path.mailbox.local_part][1])
        return self.connection.data_to_send()


class Client:
    """
    A client with two messages for the same people.
    """

    def __init__(self, names):
        self.connection = ClientConnection("c")
        self.connection.greet()
        self.envelopes = [OutgoingEnvelope.parse("", *(f"{name}@{number}" for name in names)) for number in (1, 2)]
        self.transactions = []
        self.events = []
        self.heard = b""

    def hear(self, octets):
        """
        Take octets, send contents that are wanted, begin what can be begun; return what is sent.
        """
        self.heard += octets
        self.act(self.connection.receive_data(octets))
        return self.connection.data_to_send()

    def act(self, happened):
        for event in happened:
            if isinstance(event, ContentWanted):
                self.connection.send_content(CONTENT, is_last=True)
        self.events += happened
        if self.connection.can_begin and len(self.transactions) < 2:
            self.transactions.append(self.connection.begin(self.envelopes[len(self.transactions)]))

    def check(self, *, counts_are_right=True):
        """
        Whatever has happened: one result for each, never 250 for somebody else's, and no way to go on.

        A reply too many in the middle of a group may be taken for somebody else's refusal; nothing can be done there.
        """
        self.act(self.connection.receive_eof())
        assert self.connection.is_over
        with pytest.raises(LocalProtocolError):
            self.connection.begin(self.envelopes[0])
        assert 1 == sum(isinstance(event, SessionLost) for event in self.events)
        resolved = [(event.transaction, event.index) for event in self.events if isinstance(event, RecipientResolved)]
        for transaction in self.transactions:
            assert [1] * len(transaction.results) == [
                resolved.count((transaction, index)) for index in range(len(transaction.results))
            ]
            for result in transaction.results:
                if result.is_delivered or (result.reply and counts_are_right):
                    own = f"{result.reply.code} {result.reply.status} {result.forward_path} ".encode()
                    assert re.search(re.escape(own) + rb"[^\r]*\r\n", self.heard), (own, self.heard)
                    assert str(result.forward_path) in result.reply.text
                elif counts_are_right:
                    assert result.is_deferred, result


def record(names, extensions):
    """
    Return what a server says, in pieces, in a dialogue that comes to its end.
    """
    server, client = Server(extensions), Client(names)
    pieces = [server.answer(b"")]
    while sent := client.hear(pieces[-1]):
        pieces.append(server.answer(sent))
    assert ["delivered", "failed", "deferred", "delivered"][: len(names)] == [
        type(result.outcome).__name__.lower() for result in client.transactions[1].results
    ]
    assert client.connection.is_idle
    return pieces


dialogues = pytest.mark.parametrize(
    ("names", "extensions"),
    [
        (tuple(islice(FATES, count)), ("ENHANCEDSTATUSCODES", *others))
        for count in (1, 2, 3, 4)
        for others in ((), ("PIPELINING",), ("CHUNKING",), ("PIPELINING", "CHUNKING"))
    ],
    ids="-".join,
)


@pytest.mark.slow
@dialogues
class TestDialogues:
    @pytest.mark.guards("LMTP-4.2-12", "T13", "T58")
    @pytest.mark.parametrize("rest", [b"", b"\n\n250 2.0.0 ok\r\n"], ids=["end", "nonsense"])
    def test_may_break_off_at_every_octet(self, names, extensions, rest):
        pieces = record(names, extensions)
        for number, piece in enumerate(pieces):
            for offset in range(len(piece)):
                client = Client(names)
                for before in pieces[:number]:
                    client.hear(before)
                client.hear(piece[:offset])
                client.hear(rest)
                client.check()

    @pytest.mark.guards("CLI-6", "SD-5")
    @pytest.mark.parametrize("goes_on", [False, True])
    def test_may_have_421_for_every_reply(self, names, extensions, goes_on):
        for pieces, number, replies, at in replies_of(record(names, extensions)):
            client = Client(names)
            for before in pieces[:number]:
                client.hear(before)
            client.hear(b"".join(replies[:at]))
            client.hear(b"421 4.3.2 bye\r\n" + (b"".join(replies[at + 1 :]) if goes_on else b""))
            # In whose place it comes is deferred by it, and it names nobody.
            client.heard += b"".join(f"421 4.3.2 <{name}@{n}> \r\n".encode() for name in names for n in (1, 2))
            client.check(counts_are_right=False)
            assert not any(isinstance(event, SessionLost) and event.is_fault for event in client.events)
            for transaction in client.transactions:
                assert all(result.is_deferred or result.reply.code != 421 for result in transaction.results)

    @pytest.mark.guards("CLI-4", "CLI-5", "T01")
    @pytest.mark.parametrize("surplus", [b"250 2.0.0 surplus\r\n", b"550 5.0.0 surplus\r\n", b"354 surplus\r\n"])
    def test_may_have_a_reply_too_many_behind_every_other(self, names, extensions, surplus):
        """
        But not between the replies to one content: those are told apart by nothing else.
        """
        is_followed = len(names) == 1 and "PIPELINING" in extensions and "CHUNKING" not in extensions
        for pieces, number, replies, at in replies_of(record(names, extensions)):
            is_settling = LAST_CONTENT_REPLY.fullmatch(replies[at])
            if is_settling and at + 1 < len(replies) and LAST_CONTENT_REPLY.fullmatch(replies[at + 1]):
                continue
            server_goes_on = pieces[number + 1 :]
            client = Client(names)
            for before in pieces[:number]:
                client.hear(before)
            client.hear(b"".join([*replies[: at + 1], surplus, *replies[at + 1 :]]))
            for behind in server_goes_on:
                client.hear(behind)
            client.check(counts_are_right=bool(is_settling) and not is_followed)

    @pytest.mark.guards("CLI-4", "T01", "T02", "T10", "T15")
    def test_may_have_too_few_replies_to_a_content(self, names, extensions):
        """
        A server of SMTP that answers to LHLO too: one reply for all, and then it waits for a command.
        """
        for pieces, number, replies, at in replies_of(record(names, extensions)):
            if not LAST_CONTENT_REPLY.fullmatch(replies[at]) or at == 0:
                continue
            client = Client(names)
            for before in pieces[:number]:
                client.hear(before)

            assert b"" == client.hear(b"".join(replies[:at])), "nothing may follow what is not answered"
            assert not client.connection.is_over
            client.check()


def replies_of(pieces):
    """
    Yield each place for a reply in a recording: the recording, the number of the piece, its replies, which of them.
    """
    for number, piece in enumerate(pieces):
        replies = REPLY.findall(piece)
        assert piece == b"".join(replies)
        for at in range(len(replies)):
            yield pieces, number, replies, at
