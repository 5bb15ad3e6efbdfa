# SPDX-License-Identifier: Apache-2.0
"""
The handler's work for one connection: verdicts at RCPT and deliveries after the content, as tasks with deadlines.

Whatever the handler does (raise, hang, say nonsense, forget somebody), each recipient gets a verdict or an outcome.
Called by connection.py. Never raises.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from lmtp.aio.deadlines import Deadlines
from lmtp.aio.handler import Handler, VerifiesRecipients
from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Transaction
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.errors import DeliveryError, LocalProtocolError
from lmtp.protocol.outcome import Accepted, Deferred, Verdict, refusal_for

_FAULTS: Final = (Exception, asyncio.CancelledError)
"""Whatever a handler raises, each recipient gets its reply; also when it awaits a task that somebody cancelled."""


class Work:
    """
    What the handler does for one connection.

    Args:
        handler: Who delivers.
        verifier: Who is asked at RCPT; None: everybody is accepted.
        deadlines: How long either may take.
        report: Told of what goes wrong.
        decide: Takes the verdict on a recipient.
        decided: Called after a verdict that was waited for.
        delivered: Called when a delivery has come to its end.
    """

    def __init__(
        self,
        handler: Handler,
        verifier: VerifiesRecipients | None,
        *,
        deadlines: Deadlines,
        report: Reporter,
        decide: Callable[[Recipient, Verdict], None],
        decided: Callable[[], None],
        delivered: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._verifier = verifier
        self._deadlines = deadlines
        self._report = report
        self._decide = decide
        self._decided = decided
        self._delivered = delivered
        self._loop = asyncio.get_running_loop()
        self._verifications: set[asyncio.Task[None]] = set()
        self._deliveries: set[asyncio.Task[None]] = set()

    @property
    def is_verifying(self) -> bool:
        """
        Verdicts are waited for.
        """
        return bool(self._verifications)

    @property
    def is_delivering(self) -> bool:
        """
        A message is being delivered.
        """
        return bool(self._deliveries)

    def verify(self, recipient: Recipient, transaction: Transaction) -> None:
        """
        Get a verdict, at once if the verifier knows it.
        """
        if self._verifier is None:
            self._decide(recipient, Accepted())
            return
        with self._faults_decide(recipient, transaction):
            verdict = self._verifier.verify(recipient, transaction)
            if not isinstance(verdict, Awaitable):
                self._decide(recipient, verdict)
                return
            task = self._loop.create_task(self._await_verdict(verdict, recipient, transaction))
            self._verifications.add(task)
            task.add_done_callback(self._verifications.discard)

    def deliver(self, transaction: Transaction) -> None:
        """
        Have a message delivered.
        """
        task = self._loop.create_task(self._run_delivery(transaction))
        self._deliveries.add(task)
        task.add_done_callback(self._end_delivery)

    def cancel_verifications(self) -> None:
        """
        Nobody waits for verdicts any more.
        """
        for task in self._verifications:
            task.cancel()

    def cancel(self) -> None:
        """
        Nobody waits for anything any more.
        """
        for task in (*self._verifications, *self._deliveries):
            task.cancel()

    async def _await_verdict(self, asked: Awaitable[Verdict], recipient: Recipient, transaction: Transaction) -> None:
        with self._faults_decide(recipient, transaction):
            async with asyncio.timeout(self._deadlines.verify_seconds):
                verdict = await asked
            self._decide(recipient, verdict)
        self._decided()

    @contextlib.contextmanager
    def _faults_decide(self, recipient: Recipient, transaction: Transaction) -> Iterator[None]:
        """
        Turn whatever a verifier raises into the verdict on this recipient.
        """
        try:
            yield
        except DeliveryError as error:
            self._decide(recipient, refusal_for(error))
        except _FAULTS as error:
            _reraise_if_ours(error)
            self._report.failed(transaction, f"verifying {recipient.forward_path}", error)
            self._decide(recipient, Deferred("4.3.0"))

    async def _run_delivery(self, transaction: Transaction) -> None:
        try:
            async with asyncio.timeout(self._deadlines.delivery_seconds):
                await self._handler.deliver(transaction)
            _complain_of(transaction.envelope.unsettled)
        except _FAULTS as error:
            _reraise_if_ours(error)
            self._report.failed(transaction, "delivering", error)
        finally:
            _finish(transaction)

    def _end_delivery(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        self._delivered()


def _finish(transaction: Transaction) -> None:
    for recipient in transaction.envelope.unsettled:
        recipient.abandon(Deferred("4.3.0"))
    transaction.content.release()


def _reraise_if_ours(error: Exception | asyncio.CancelledError) -> None:
    """
    Let a cancellation through that was meant for our task.
    """
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


def _complain_of(forgotten: list[Recipient]) -> None:
    if forgotten:
        raise LocalProtocolError(f"the handler left {len(forgotten)} recipients without an outcome")
