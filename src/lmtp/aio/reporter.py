# SPDX-License-Identifier: Apache-2.0
"""
What a session tells the observer: its own events, made of the engine's and of what only the session knows.

Called by connection.py at the moment something happens; decides nothing.
"""

from collections.abc import Mapping, Sequence

from lmtp.aio.session import Session, Transaction
from lmtp.aio.tls import TlsFacts
from lmtp.observe import events as observed
from lmtp.observe.observer import Observer
from lmtp.protocol import events
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

    def arrival_failed(self, detail: str) -> None:
        """
        There was no session.
        """
        session = self._session
        self._observe(observed.ArrivalFailed(session_id=session.session_id, peer=session.peer, detail=detail))

    def tls_started(self, facts: TlsFacts) -> None:
        """
        TLS is up.
        """
        session = self._session
        self._observe(
            observed.TlsStarted(
                session_id=session.session_id,
                peer=session.peer,
                version=facts.version,
                cipher=facts.cipher,
                certificate=" ".join(facts.client_names) if facts.is_verified else "",
            )
        )

    def authentication_ended(self, event: events.AuthenticationEnded) -> None:
        """
        The client has proved who it is, or has not.
        """
        session = self._session
        who = {"session_id": session.session_id, "peer": session.peer, "mechanism": event.mechanism}
        if event.identity:
            self._observe(observed.Authenticated(**who, identity=event.identity))
        else:
            self._observe(observed.AuthenticationFailed(**who, reply=event.reply, detail=event.detail))

    def client_replaced(self) -> None:
        """
        A proxy has said whom it stands for.
        """
        session = self._session
        self._observe(observed.ClientReplaced(session_id=session.session_id, proxy=session.proxy, peer=session.peer))

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

    def command_refused(self, event: events.CommandRefused) -> None:
        """
        The client said something it may not.
        """
        command = event.line.decode("ascii", "backslashreplace")
        self._observe(observed.CommandRefused(session_id=self._session.session_id, command=command, reply=event.reply))

    def transaction_refused(self, event: events.TransactionRefused) -> None:
        """
        A MAIL was not granted.
        """
        self._observe(
            observed.TransactionRefused(
                session_id=self._session.session_id, reverse_path=str(event.reverse_path), reply=event.reply
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
                identity=self._session.identity,
                origin=_origin(transaction.forwarded),
                trace=transaction.envelope.parameters.traceparent or self._session.trace_id,
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


def _origin(forwarded: Mapping[str, str | None]) -> str:
    """
    Return what XFORWARD said in the form ``name[address] id``.
    """
    if not forwarded:
        return ""
    name, address = forwarded.get("NAME") or "unknown", forwarded.get("ADDR") or "unknown"
    return f"{name}[{address}] {forwarded.get('IDENT') or ''}".rstrip()
