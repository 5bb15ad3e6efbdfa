# SPDX-License-Identifier: Apache-2.0
"""
The seam between deliveries, on the event loop, and a store, on threads: concurrent commits become groups.

Today a group is staged and committed by one of a few long-lived threads. A write-ahead journal can take its place
inside, one fsync for all who wait, and no caller will notice. Not here: what is written (delivery/) and how (the
drivers). A driver's faults become outcomes; only misuse raises. RFC 2033 §4.2.
"""

import asyncio
import contextlib
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic

from lmtp.observe.events import Warned
from lmtp.observe.observer import Observer
from lmtp.protocol.address import Mailbox
from lmtp.protocol.errors import DeliveryError
from lmtp.protocol.outcome import Deferred, Outcome, refusal_for
from lmtp.stores.base import Copy, StagedT, Store, deferred_for

THREADS: Final = 2
"""
One writes while the other waits for the disk. Side by side the fsyncs of a group are the kernel's business (fsync.py),
so more would only fight for the interpreter's lock. One thread, and four, stored a tenth fewer messages a second.
"""
MAX_COPIES: Final = 32
"""
Copies of one group, each an open file: the first replies of a transaction with a thousand recipients must not wait
for the last.
"""
MAX_OCTETS: Final = 1024 * 1024
"""Octets of one group, unless one copy alone has more: a small message must not wait for a large one's fsync."""
QUIET_TURNS: Final = 2
"""
Turns of the loop without a further transaction after which those that came are handed to the threads. Messages arrive
in crowds, for replies leave in crowds. A thread that begins with the first of a crowd has a group of one, makes the
rest wait for it, and fights for the interpreter's lock with the loop that parses them: eight sessions stored
a fourteenth fewer messages a second. A message that comes alone waits some 20 us.
"""


class _Unit:
    """
    The copies of one transaction, on their way.
    """

    __slots__ = ("begun", "copies", "done", "error", "settled", "unsettled")

    def __init__(
        self,
        copies: Sequence[Copy],
        settled: Callable[[int, Outcome], None],
        done: asyncio.Future[None],
    ) -> None:
        self.copies = copies
        self.settled = settled
        self.done = done
        self.begun = 0
        self.unsettled = len(copies)
        self.error: Exception | None = None


_Job = tuple[_Unit, int]
"""A copy: its unit and its place in it."""


class GroupWriter(Generic[StagedT]):
    """
    Writes copies to a store from threads of its own. Made on the event loop it reports to; `close` ends it.

    First come, first served. Transactions that come close together are gathered on the loop, and a thread that is free
    takes all that waits, up to the bounds of a group: a lone copy is written at once and a crowd together, which stored
    a fifth more messages a second for eight sessions, and no fewer for more, than dividing it among the free threads.
    Each group reports back in one call to the loop.

    Args:
        store: The driver; its methods are called from several threads at once.
        observer: Told, on the loop, of copies that were stored after nobody waited for them any more.
        threads: How many threads.
    """

    def __init__(self, store: Store[StagedT], observer: Observer, *, threads: int = THREADS) -> None:
        self._store = store
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._gathered: list[_Unit] = []
        self._quiet_turns = 0
        self._waiting: deque[_Unit] = deque()
        self._is_closing = False
        self._work = threading.Condition()
        # Daemons, so that an interpreter that must stop at once does not wait for a disk that hangs. What was
        # reported is durable by then; the rest is as after a crash.
        self._threads = [
            threading.Thread(target=self._serve, name=f"store-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def check(self, mailbox: Mailbox) -> None:
        """
        Ask the store, on the event loop and without blocking it, whether it has room for such a name.

        Raises:
            PermanentError: no copy for this mailbox can ever be stored (5.1.3).
        """
        self._store.check(mailbox)

    async def write(self, copies: Sequence[Copy], settled: Callable[[int, Outcome], None]) -> None:
        """
        Store the copies of one transaction; return when each has its outcome.

        When this is cancelled, copies that no thread has begun are never written. Those begun are completed, as
        a thread can't be stopped; their outcomes are told to the observer, not to ``settled``, because the
        transaction is over.

        Args:
            copies: What to store.
            settled: Called on the loop, once for each copy, in any order, with the copy's index and its outcome.

        Raises:
            RuntimeError: the writer has been closed.
            Exception: whatever ``settled`` raised first; it was called for all the same.
        """
        unit = _Unit(copies, settled, self._loop.create_future())
        if copies:
            self._put(unit)
            try:
                await unit.done
            except asyncio.CancelledError:
                self._withdraw(unit)
                raise

    async def close(self) -> None:
        """
        Take nothing more, complete what has been taken, and end the threads. To be awaited before the loop ends.
        """
        self._hand_over()
        with self._work:
            self._is_closing = True
            self._work.notify_all()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _put(self, unit: _Unit) -> None:
        if self._is_closing:
            raise RuntimeError("the writer has been closed")
        if not self._gathered:
            self._loop.call_soon(self._gather)
        self._gathered.append(unit)
        self._quiet_turns = 0

    def _gather(self) -> None:
        """
        Wait while more comes, but not once a group is full.
        """
        self._quiet_turns += 1
        if self._quiet_turns <= QUIET_TURNS and sum(len(unit.copies) for unit in self._gathered) < MAX_COPIES:
            self._loop.call_soon(self._gather)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        with self._work:
            self._waiting.extend(self._gathered)
            self._work.notify()
        self._gathered.clear()

    def _withdraw(self, unit: _Unit) -> None:
        for units in (self._gathered, self._waiting):
            with self._work:
                if unit in units:
                    units.remove(unit)

    def _serve(self) -> None:
        while group := self._take():
            outcomes = self._store_group(group)
            # The loop has ended when the process was told to stop at once: there is nobody left to be told.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._report, group, outcomes)

    def _take(self) -> list[_Job]:
        """
        Wait for work and return a group of it; nothing when the writer is closed and empty.
        """
        with self._work:
            while not self._waiting:
                if self._is_closing:
                    return []
                self._work.wait()
            group = self._next_group()
            if self._waiting:
                self._work.notify()
            return group

    def _next_group(self) -> list[_Job]:
        group: list[_Job] = []
        octets = 0
        while self._waiting and len(group) < MAX_COPIES:
            unit = self._waiting[0]
            octets += unit.copies[unit.begun].content.size_bytes
            if group and octets > MAX_OCTETS:
                break
            group.append((unit, unit.begun))
            unit.begun += 1
            if unit.begun == len(unit.copies):
                self._waiting.popleft()
        return group

    def _store_group(self, group: list[_Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        staged: list[StagedT] = []
        places: list[int] = []
        for place, (unit, index) in enumerate(group):
            try:
                staged.append(self._store.stage(unit.copies[index]))
            except Exception as error:  # noqa: BLE001 - a driver's bug must not leave a recipient without a reply
                outcomes.append(_outcome_of(error))
            else:
                places.append(place)
                outcomes.append(Deferred())
        for place, outcome in zip(places, self._commit(staged), strict=True):
            outcomes[place] = outcome
        return outcomes

    def _commit(self, staged: list[StagedT]) -> list[Outcome]:
        if not staged:
            return []
        try:
            outcomes = self._store.commit(staged)
            if len(outcomes) != len(staged):
                raise ValueError(f"{len(outcomes)} outcomes for {len(staged)} copies")  # noqa: TRY301 - a bug like others
        except Exception as error:  # noqa: BLE001 - as above; what is visible now is unknown, so the client tries again
            return [_outcome_of(error)] * len(staged)
        return outcomes

    def _report(self, group: list[_Job], outcomes: list[Outcome]) -> None:
        for (unit, index), outcome in zip(group, outcomes, strict=True):
            if unit.done.cancelled():
                self._report_late(unit.copies[index], outcome)
                continue
            try:
                unit.settled(index, outcome)
            except Exception as error:  # noqa: BLE001 - raised from `write`, after the others have their outcomes
                unit.error = unit.error or error
            unit.unsettled -= 1
            if unit.unsettled == 0:
                _finish(unit)

    def _report_late(self, copy: Copy, outcome: Outcome) -> None:
        detail = f"{copy.mailbox}: {outcome} came after the transaction was over; expect the message again"
        self._observer.observe(Warned(subject="late delivery", detail=detail))


def _finish(unit: _Unit) -> None:
    if unit.error is None:
        unit.done.set_result(None)
    else:
        unit.done.set_exception(unit.error)


def _outcome_of(error: Exception) -> Outcome:
    match error:
        case OSError():
            return deferred_for(error)
        case DeliveryError():
            return refusal_for(error)
        case _:
            return Deferred("4.3.0", detail="".join(traceback.format_exception(error)))
