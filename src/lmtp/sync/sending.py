# SPDX-License-Identifier: Apache-2.0
"""
Send a message by a blocking link: as many transactions as its recipients need, each result as it comes.

Called by client.py and compat/smtplib.py. Not here: octets and sockets (link.py), in which pieces a content goes out
(aio/client_feeding.py). Raises what reading the content does. RFC 2033 §4.2, RFC 5321 §4.5.3.1.10.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from email.message import Message
from typing import BinaryIO

from lmtp.aio.client_feeding import IN_ONE_PIECE, feed_pieces, with_body
from lmtp.aio.contents import Arriving, Blocking, Measure, Octets, Repeatable, source_of
from lmtp.aio.spread import Spread
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.results import Result
from lmtp.sync.at_once import Ready, run
from lmtp.sync.link import Link, Told

Content = bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO | Message | Iterable[bytes]
"""What may be sent. A file is read from where it stands; text is refused, for nobody knows its encoding."""


def deliver(link: Link, envelope: OutgoingEnvelope, content: Content) -> Iterator[tuple[int, Result]]:
    """
    Send a message, and yield each recipient's index in the envelope and its result as soon as it is known.

    Raises:
        LocalProtocolError: another message is under way whose content the server has not got.
        OSError: the content can't be read; nothing was delivered to those who have no result.
        TypeError: the content is nothing that can be sent.
    """
    source = _source_of(link, envelope, content)
    measure = source.measure()
    envelope = with_body(envelope, measure, link.engine.offered)
    most = link.engine.offered.limit("RCPTMAX") if isinstance(source, Repeatable) else None
    known: deque[tuple[int, Result]] = deque()
    spread = Spread(len(envelope.recipients), most, lambda index, result: known.append((index, result)))
    while asked := spread.next_part():
        part = envelope if spread.is_whole else envelope.only(asked)
        can_repeat = isinstance(source, Repeatable) and link.is_usable
        for _ in _transact(link, part, source, measure, spread.take if can_repeat else spread.take_as_final):
            yield from _taken_from(known)
        spread.end_part()
        yield from _taken_from(known)


def _source_of(link: Link, envelope: OutgoingEnvelope, content: Content) -> Blocking:
    source = source_of(content, link.engine.offered, needs_utf8=not envelope.is_ascii)
    if isinstance(source, Arriving):
        raise TypeError("a blocking client can't wait for an asynchronous iterable")
    return source


def _taken_from(known: deque[tuple[int, Result]]) -> Iterator[tuple[int, Result]]:
    while known:
        yield known.popleft()


def _transact(link: Link, part: OutgoingEnvelope, source: Blocking, measure: Measure, told: Told) -> Iterator[None]:
    """
    Take part in one transaction, and pause whenever there may be results.
    """
    transaction = link.begin(part, measure.size_bytes, told)
    try:
        while not (transaction.is_over or transaction.content_is_wanted):
            link.work()
            yield
        if not transaction.is_over:
            _feed(link, transaction, source, measure)
        while not transaction.is_over:
            link.work()
            yield
    finally:
        link.withdraw(transaction)


def _feed(link: Link, transaction: ClientTransaction, source: Blocking, measure: Measure) -> None:
    if isinstance(source, Octets) and len(source.octets) <= IN_ONE_PIECE:
        link.feed(source.octets, is_last=True)
        return
    is_only_seven_bit = measure.is_seven_bit is None and "8BITMIME" not in link.engine.offered
    run(feed_pieces(link, transaction, Ready(source.pieces()), is_only_seven_bit=is_only_seven_bit))
