# SPDX-License-Identifier: Apache-2.0
"""
How a content goes out piece by piece, and what a client says of it in MAIL.

Not here: sockets and loops; whoever carries the pieces is a `Feeder`, and a coroutine whose feeder never waits runs to
its end in one go. Called by both fronts of the client. Raises what reading the content does.
RFC 5321 §4.5.3.2.5, RFC 6152 §3.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final, Protocol

from lmtp.aio.contents import PIECE_BYTES, Measure
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.offered import Offered
from lmtp.protocol.outcome import Failed, Refusal
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import Body

IN_ONE_PIECE: Final = 4 * PIECE_BYTES
"""Octets of a content up to which it is sent at once; bigger ones wait for the server to keep up."""

_EIGHT_BIT: Final = Failed("5.6.3", detail="the content has octets above 127, and the server does not offer 8BITMIME")


class Feeder(Protocol):
    """
    Whoever carries a content to the server.
    """

    def feed(self, octets: bytes, *, is_last: bool) -> None:
        """
        Send a piece of the content of the message whose turn it is.
        """
        ...

    async def has_room(self) -> None:
        """
        Return when the server has taken enough of what was sent. Raises TimeoutError when it takes nothing.
        """
        ...

    async def chunks_taken(self, transaction: ClientTransaction) -> None:
        """
        Return when every chunk that was sent has been answered, or the transaction is over.
        """
        ...

    def abandon(self, outcome: Refusal, why: str) -> None:
        """
        End the session because a content can't be sent to its end; its recipients have that outcome.
        """
        ...

    def give_up(self, why: str) -> None:
        """
        End the session: all that is undecided is deferred.
        """
        ...

    def abort(self) -> None:
        """
        Cut the connection.
        """
        ...


def with_body(envelope: OutgoingEnvelope, measure: Measure, offered: Offered) -> OutgoingEnvelope:
    """
    Say BODY=8BITMIME where it is true, or may be and the caller has said nothing.
    """
    body = envelope.parameters.body
    may_be = measure.is_seven_bit is None and body is None and "8BITMIME" in offered
    if body is Body.BINARY or not (measure.is_seven_bit is False or may_be):
        return envelope
    return replace(envelope, parameters=replace(envelope.parameters, body=Body.EIGHT_BIT))


async def feed_pieces(
    feeder: Feeder, transaction: ClientTransaction, pieces: AsyncIterator[bytes], *, is_only_seven_bit: bool
) -> None:
    """
    Send a content whose transaction wants it; whatever goes wrong, the server never sees the end of a part.

    Args:
        feeder: Who carries it.
        transaction: Whose content it is.
        pieces: The content.
        is_only_seven_bit: The server takes no octets above 127, and nobody has looked whether there are any.
    """
    try:
        await _feed_all(feeder, transaction, pieces, is_only_seven_bit=is_only_seven_bit)
    except BaseException as error:
        feeder.give_up(f"the content can't be read: {error}")
        raise


async def _feed_all(
    feeder: Feeder, transaction: ClientTransaction, pieces: AsyncIterator[bytes], *, is_only_seven_bit: bool
) -> None:
    held = b""
    async for piece in pieces:
        for octets in _cut_up(piece):
            if is_only_seven_bit and not octets.isascii():
                feeder.abandon(_EIGHT_BIT, "the content can't be sent there")
            if transaction.is_over:
                return
            if held:
                feeder.feed(held, is_last=False)
                await _have_room(feeder)
            held = octets
    await feeder.chunks_taken(transaction)
    if not transaction.is_over:
        feeder.feed(held, is_last=True)


async def _have_room(feeder: Feeder) -> None:
    try:
        await feeder.has_room()
    except TimeoutError:
        feeder.give_up("the server takes no more of the content")
        feeder.abort()


def _cut_up(piece: bytes) -> list[bytes]:
    return [piece[start : start + PIECE_BYTES] for start in range(0, len(piece), PIECE_BYTES)]
