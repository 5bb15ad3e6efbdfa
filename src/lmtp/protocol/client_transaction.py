# SPDX-License-Identifier: Apache-2.0
"""
One transaction as its client sees it: which recipients were accepted, and which reply is whose.

The ledger of results: every recipient of the envelope gets exactly one, in whatever order, and the replies after the
content are booked by counting alone (RFC 2920 §3.1). Not here: octets and the other commands (client.py).
Raises nothing. RFC 2033 §4.2.
"""

from collections.abc import Callable
from typing import Final

from lmtp.protocol.client_events import ChunkTaken, ClientEvent, ContentWanted, RecipientResolved, TransactionEnded
from lmtp.protocol.dialect import Replies
from lmtp.protocol.outcome import Outcome
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, outcome_of


class ClientTransaction:
    """
    One message on its way to some recipients. Made by `ClientConnection.begin`.
    """

    def __init__(self, envelope: OutgoingEnvelope, replies: Replies, tell: Callable[[ClientEvent], None]) -> None:
        self.envelope = envelope
        """Whom the message is from and for."""
        self.results: list[Result | None] = [None] * len(envelope.recipients)
        """What is known of each recipient, in the order of the envelope."""
        self.accepted: list[int] = []
        """Which recipients RCPT has accepted, as indexes, in the order of the commands: they owe a reply each."""
        self.is_open_at_server = False
        """MAIL was accepted, and nothing has ended the transaction since."""
        self.content_is_wanted = False
        """The server waits for the content."""
        self.content_is_sent = False
        """All of it is on its way."""
        self.uses_chunks = False
        """The content goes by BDAT."""
        self.chunks_owed = 0
        """Chunks that were sent and have not been answered."""
        self.rcpts_owed = 0
        """RCPT commands that were queued and have not been answered."""
        self._answers_once = replies is Replies.PER_MESSAGE
        self._tell = tell
        self._undecided = len(self.results)

    @property
    def is_over(self) -> bool:
        """
        Every recipient has its result.
        """
        return self._undecided == 0

    @property
    def undecided(self) -> list[int]:
        """
        The recipients without a result, as indexes.
        """
        return [index for index, result in enumerate(self.results) if result is None]

    @property
    def takes_content(self) -> bool:
        """
        The server waits for more of the content.
        """
        return self.content_is_wanted and not self.is_past_content

    @property
    def is_past_content(self) -> bool:
        """
        Nothing will be sent for it any more: all of the content is on its way, or none is wanted.
        """
        return self.content_is_sent or self.is_over

    @property
    def replies_to_content(self) -> list[int]:
        """
        The recipients whose replies will follow the content, as indexes; in SMTP the first speaks for all.
        """
        return self.accepted[:1] if self._answers_once else self.accepted

    @property
    def is_answered_once(self) -> bool:
        """
        One reply is all that can follow the content, however its server counts.
        """
        return self._answers_once or len(self.results) == 1

    @property
    def notices_surplus(self) -> bool:
        """
        A reply too many in front of those to its commands would book none of them for another recipient.

        There is but one, and where 354 must come the reply to its RCPT does; a chunk has no such mark.
        """
        return len(self.results) == 1 and not self.uses_chunks

    def decide(self, index: int, outcome: Outcome) -> None:
        """
        Give a recipient its result before anything was sent for it.
        """
        self._put(index, outcome, Point.CLIENT)

    def take(self, point: Point, index: int, reply: Reply) -> None:
        """
        Take the reply to one of the commands of the transaction.
        """
        _TAKE[point](self, index, reply)

    def give_up(self, outcome: Outcome, point: Point) -> None:
        """
        Give all who have no result the same one, for no reply will come.
        """
        for index in self.undecided:
            self._resolve(index, outcome, point)

    def progress_until(self, why: str) -> str:
        """
        Say how far the replies to the content had come when something happened, for the log.
        """
        if self.is_over or not self.content_is_sent:
            return why
        expected = self.replies_to_content
        answered = sum(1 for index in expected if self.results[index] is not None)
        return f"{answered} of {len(expected)} replies came, then {why}"

    def _take_mail(self, _index: int, reply: Reply) -> None:
        self.is_open_at_server = reply.is_positive
        if not reply.is_positive:
            self._book_all(reply, Point.MAIL)

    def _take_rcpt(self, index: int, reply: Reply) -> None:
        self.rcpts_owed -= 1
        if self.is_over:
            return
        if reply.is_positive:
            self.accepted.append(index)
        else:
            self._resolve(index, outcome_of(reply, Point.RCPT), Point.RCPT, reply)
        if self.uses_chunks and self.rcpts_owed == 0 and self.accepted:
            self._want_content()

    def _take_data(self, _index: int, reply: Reply) -> None:
        if reply.code >= 400:
            self._book_all(reply, Point.DATA)
        elif not self.is_over:
            self._want_content()

    def _want_content(self) -> None:
        self.content_is_wanted = True
        self._tell(ContentWanted(self))

    def _take_chunk(self, _index: int, reply: Reply) -> None:
        self.chunks_owed -= 1
        if not reply.is_positive:
            self._book_all(reply, Point.CHUNK)
        elif not self.is_over:
            self._tell(ChunkTaken(self))

    def _take_content(self, index: int, reply: Reply) -> None:
        if self._answers_once:
            self._book_all(reply, Point.CONTENT)
        else:
            self._resolve(index, outcome_of(reply, Point.CONTENT), Point.CONTENT, reply)

    def _book_all(self, reply: Reply, point: Point) -> None:
        for index in self.undecided:
            self._resolve(index, outcome_of(reply, point), point, reply)

    def _resolve(self, index: int, outcome: Outcome, point: Point, reply: Reply | None = None) -> None:
        self._tell(RecipientResolved(self, index, self._put(index, outcome, point, reply)))
        if self.is_over:
            self._tell(TransactionEnded(self))

    def _put(self, index: int, outcome: Outcome, point: Point, reply: Reply | None = None) -> Result:
        result = Result(self.envelope.recipients[index].forward_path, outcome, point, reply)
        self.results[index] = result
        self._undecided -= 1
        return result


_TAKE: Final = {
    Point.MAIL: ClientTransaction._take_mail,  # noqa: SLF001 - a table of this module's own
    Point.RCPT: ClientTransaction._take_rcpt,  # noqa: SLF001
    Point.DATA: ClientTransaction._take_data,  # noqa: SLF001
    Point.CHUNK: ClientTransaction._take_chunk,  # noqa: SLF001
    Point.CONTENT: ClientTransaction._take_content,  # noqa: SLF001
}
"""Who takes the reply to which command."""
