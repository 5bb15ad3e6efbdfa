# SPDX-License-Identifier: Apache-2.0
"""
The transactions of one session, one after the other: the content spooled as it comes in, the observer told.

Called by connection.py with the engine's events about transactions. Not here: what the handler does (work.py), and
which reply anybody gets. Never raises: a content that can't be spooled is refused.
"""

import asyncio
import errno
from collections.abc import Callable, Sequence

from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Session, Transaction
from lmtp.aio.spool import Spool
from lmtp.protocol import events
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.outcome import Deferred, Refusal


class Transactions:
    """
    What is known of the transaction that is open, and how many there were.

    Args:
        session: Where they happen.
        make_spool: Makes what a content is kept in.
        refuse: Called when a content can't be kept.
        report: Told what happens.
    """

    def __init__(
        self,
        session: Session,
        *,
        make_spool: Callable[[], Spool],
        refuse: Callable[[Envelope, Refusal], None],
        report: Reporter,
    ) -> None:
        self._session = session
        self._make_spool = make_spool
        self._refuse = refuse
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._content_ended = 0.0
        self._are_replies_lost = False
        self.current: Transaction | None = None
        """The one that is open."""
        self.count = 0
        """How many there were, with the one that is open."""

    @property
    def open(self) -> Transaction:
        """
        The one that is open; the engine has said so.
        """
        assert self.current is not None, "the engine opens a transaction first"  # noqa: S101
        return self.current

    def begin(self, event: events.TransactionOpened) -> None:
        """
        Open one; what XFORWARD said is about it alone.
        """
        self.count += 1
        transaction_id = f"{self._session.session_id}-{self.count}"
        forwarded = self._session.forwarded
        self.current = Transaction(self._session, transaction_id, event.envelope, self._make_spool(), forwarded)

    def take_content(self, event: events.ContentReceived) -> None:
        """
        Keep a piece of the content, or refuse it all.
        """
        transaction = self.open
        try:
            transaction.content.write(event.octets)
        except OSError as error:
            status = "4.3.1" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "4.3.0"
            self._refuse(transaction.envelope, Deferred(status, detail=f"can't spool the content: {error}"))

    def end_content(self) -> None:
        """
        Note when the content had come: from then on the client waits for us.
        """
        self._content_ended = self._loop.time()

    def end(self) -> None:
        """
        Let go of the one that is open.
        """
        self.open.content.release()
        self.current = None
        self._session.forwarded = {}

    def abort(self, event: events.TransactionAborted) -> None:
        """
        Let go of one whose content never came to its end.
        """
        transaction = self.open
        self.end()
        self._report.transaction_aborted(transaction, event.reason)

    # What the observer is told of them.

    def report_decision(self, event: events.RecipientDecided) -> None:
        """
        Tell what a recipient was answered at RCPT.
        """
        self._report.recipient_decided(self.open, event)

    def report_outcome(self, event: events.RecipientSettled) -> None:
        """
        Tell what became of the message for a recipient, and how long that took.
        """
        self._report.recipient_settled(self.open, event, self._loop.time() - self._content_ended)

    def report_lost_replies(self, unanswered: Sequence[Recipient]) -> None:
        """
        Name the recipients whose replies can't reach the client; not again when the connection breaks after its end.
        """
        if unanswered and not self._are_replies_lost:
            self._are_replies_lost = True
            self._report.replies_lost(self.open, unanswered)
