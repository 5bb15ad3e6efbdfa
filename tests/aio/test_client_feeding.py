# SPDX-License-Identifier: Apache-2.0
"""
A content goes out piece by piece, and whatever goes wrong the server never takes a part for all.
"""

import pytest

import lmtp
from lmtp.aio.client_feeding import feed_pieces, with_body
from lmtp.aio.contents import PIECE_BYTES, UNKNOWN, Measure
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.dialect import Replies
from lmtp.protocol.offered import Offered
from lmtp.protocol.parameters import Body
from lmtp.protocol.results import Point

ENVELOPE = lmtp.OutgoingEnvelope.parse("ann@example.org", "bob@example.org")
EIGHT_BIT = Offered(keywords={"8BITMIME": ()})


class Feeder:
    """
    Takes what it is fed, until it is told not to.
    """

    def __init__(self):
        self.transaction = ClientTransaction(ENVELOPE, Replies.PER_RECIPIENT, lambda _event: None)
        self.fed = []
        self.said = []
        self.trouble = None
        self.ends_with_chunks = False

    def feed(self, octets, *, is_last):
        self.fed.append((octets, is_last))

    async def has_room(self):
        if self.trouble:
            raise self.trouble

    async def chunks_taken(self, transaction):
        assert transaction is self.transaction
        if self.ends_with_chunks:
            self.give_up("the server wants no more")

    def abandon(self, outcome, why):
        self.said.append(why)
        self.transaction.give_up(outcome, Point.CLIENT)

    def give_up(self, why):
        self.said.append(why)
        self.transaction.give_up(lmtp.Deferred("4.4.2"), Point.CONTENT)

    def abort(self):
        self.said.append("cut")

    async def take(self, *pieces, is_only_seven_bit=False):
        async def one_by_one():
            for piece in pieces:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece

        await feed_pieces(self, self.transaction, one_by_one(), is_only_seven_bit=is_only_seven_bit)

    @property
    def outcome(self):
        [result] = self.transaction.results
        return result.outcome


@pytest.fixture
def feeder():
    return Feeder()


class TestContent:
    async def test_goes_out_in_pieces_the_last_of_which_is_known_as_that(self, feeder):
        await feeder.take(b"a" * (PIECE_BYTES + 1), b"", b"b")

        assert [(b"a" * PIECE_BYTES, False), (b"a", False), (b"b", True)] == feeder.fed

    async def test_may_be_nothing(self, feeder):
        await feeder.take()

        assert [(b"", True)] == feeder.fed

    async def test_goes_no_further_when_the_server_takes_nothing(self, feeder):
        feeder.trouble = TimeoutError()
        await feeder.take(b"a", b"b", b"c")

        assert [(b"a", False)] == feeder.fed
        assert ["the server takes no more of the content", "cut"] == feeder.said

    @pytest.mark.parametrize("error", [OSError("gone"), TimeoutError("gone")])
    async def test_that_cannot_be_read_is_not_sent_to_its_end(self, feeder, error):
        with pytest.raises(type(error)):
            await feeder.take(b"a", b"b", error)

        assert [(b"a", False)] == feeder.fed
        assert ["the content can't be read: gone"] == feeder.said

    async def test_is_not_ended_when_its_chunks_were_refused(self, feeder):
        feeder.ends_with_chunks = True
        await feeder.take(b"a", b"b")

        assert [(b"a", False)] == feeder.fed

    async def test_that_turns_out_to_be_what_the_server_cannot_take_fails(self, feeder):
        await feeder.take(b"a", b"b", b"\xff", is_only_seven_bit=True)

        assert [(b"a", False)] == feeder.fed
        assert ("5.6.3", ["the content can't be sent there"]) == (feeder.outcome.status, feeder.said)


class TestBody:
    @pytest.mark.parametrize(
        ("measure", "offered", "body"),
        [
            (Measure(3, is_seven_bit=True), EIGHT_BIT, None),
            (Measure(3, is_seven_bit=False), EIGHT_BIT, Body.EIGHT_BIT),
            (Measure(3, is_seven_bit=False), Offered(), Body.EIGHT_BIT),
            (UNKNOWN, EIGHT_BIT, Body.EIGHT_BIT),
            (UNKNOWN, Offered(), None),
        ],
    )
    def test_is_said_where_it_is_true_or_may_be(self, measure, offered, body):
        assert body is with_body(ENVELOPE, measure, offered).parameters.body

    def test_that_the_caller_has_named_stands(self):
        parameters = lmtp.MailParameters(body=Body.BINARY)
        envelope = lmtp.OutgoingEnvelope.parse("", "bob@example.org", parameters=parameters)

        assert envelope is with_body(envelope, Measure(3, is_seven_bit=False), EIGHT_BIT)
