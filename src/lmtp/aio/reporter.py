# SPDX-License-Identifier: Apache-2.0
"""
What a session tells the observer: its own events, made of the engine's and of what only the session knows.

Called by connection.py at the moment something happens; decides nothing.
"""

from collections.abc import Sequence

from lmtp.aio.session import Session, Transaction
from lmtp.observe import events as observed
from lmtp.observe.observer import Observer
from lmtp.protocol import events
from lmtp.protocol.address import ReversePath
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.outcome import Accepted
from lmtp.protocol.reply import Reply


class Reporter:
    """
    Tells an observer of one session.
    """

    def __init__(self, session: Session, observer: Observer) -> None:
        self._session = session
        self._observe = observer.observe

    def opened(self) -> None:
        """
        The client was greeted.
        """
        session = self._session
        self._observe(
            observed.SessionOpened(session_id=session.session_id, peer=session.peer, endpoint=session.endpoint)
        )

    def turned_away(self, reply: Reply) -> None:
        """
        The client was sent away instead.
        """
        session = self._session
        self._observe(observed.SessionRefused(session_id=session.session_id, peer=session.peer, reply=reply))

    def closed(self, *, reason: str, doing: str, transactions: int, seconds: float) -> None:
        """
        The connection is gone.
        """
        self._observe(
            observed.SessionClosed(
                session_id=self._session.session_id,
                reason=reason,
                doing=doing,
                transactions=transactions,
                seconds=seconds,
            )
        )

    def command_refused(self, line: bytes, reply: Reply) -> None:
        """
        The client said something it may not.
        """
        command = line.decode("ascii", "backslashreplace")
        self._observe(observed.CommandRefused(session_id=self._session.session_id, command=command, reply=reply))

    def transaction_refused(self, reverse_path: ReversePath, reply: Reply) -> None:
        """
        A MAIL was not granted.
        """
        self._observe(
            observed.TransactionRefused(
                session_id=self._session.session_id, reverse_path=str(reverse_path), reply=reply
            )
        )

    def recipient_decided(self, transaction: Transaction, event: events.RecipientDecided) -> None:
        """
        An RCPT was answered; only a refusal is told, as an acceptance is followed by an outcome.
        """
        verdict = event.recipient.verdict
        if verdict is None or isinstance(verdict, Accepted):
            return
        self._observe(
            observed.RecipientRefused(
                session_id=self._session.session_id,
                transaction_id=transaction.transaction_id,
                reverse_path=str(transaction.reverse_path),
                forward_path=str(event.recipient.forward_path),
                verdict=verdict,
                reply=event.reply,
            )
        )

    def recipient_settled(self, transaction: Transaction, event: events.RecipientSettled, seconds: float) -> None:
        """
        An accepted recipient has its outcome.
        """
        outcome = event.recipient.outcome
        assert outcome is not None, "the engine reports it settled"  # noqa: S101
        self._observe(
            observed.RecipientSettled(
                session_id=self._session.session_id,
                transaction_id=transaction.transaction_id,
                reverse_path=str(transaction.reverse_path),
                forward_path=str(event.recipient.forward_path),
                size_bytes=transaction.envelope.size_bytes,
                outcome=outcome,
                reply=event.reply,
                seconds=seconds,
            )
        )

    def transaction_aborted(self, transaction: Transaction, reason: str) -> None:
        """
        A transaction ended before its content did.
        """
        self._observe(
            observed.TransactionAborted(
                session_id=self._session.session_id, transaction_id=transaction.transaction_id, reason=reason
            )
        )

    def replies_lost(self, transaction: Transaction, recipients: Sequence[Recipient]) -> None:
        """
        The client closed its side before these could be answered.
        """
        self._observe(
            observed.RepliesLost(
                session_id=self._session.session_id,
                transaction_id=transaction.transaction_id,
                forward_paths=tuple(str(recipient.forward_path) for recipient in recipients),
            )
        )

    def failed(self, transaction: Transaction | None, doing: str, error: BaseException) -> None:
        """
        The handler, or we, did not do what was to be done.
        """
        self._observe(
            observed.HandlerFailed(
                session_id=self._session.session_id,
                transaction_id=transaction.transaction_id if transaction else "",
                doing=doing,
                error=error,
            )
        )
