# SPDX-License-Identifier: Apache-2.0
"""
The handler's work: whatever it does, each recipient gets a verdict and an outcome.
"""

import asyncio

import pytest

import lmtp
from lmtp.aio.deadlines import Deadlines
from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Session, Transaction
from lmtp.aio.work import Work
from lmtp.observe import events as observed
from lmtp.protocol.address import ForwardPath, ReversePath
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.ledger import Slot
from lmtp.protocol.parameters import MailParameters

TROUBLE = lmtp.Deferred("4.3.0")
DEADLINES = Deadlines(verify_seconds=60, delivery_seconds=120)


class Content:
    """
    A content that knows whether somebody still needs it.
    """

    is_released = False

    def release(self):
        self.is_released = True


class Desk:
    """
    Where the work is given out, and where its results come in.
    """

    def __init__(self, handler, verifier, recorder):
        self.verdicts = {}
        self.calls = []
        session = Session("s1", "unix", "unix", "", "store.example", "LMTP")
        envelope = Envelope(ReversePath.parse(b"<>"), MailParameters())
        self.transaction = Transaction(session, "s1-1", envelope, Content())
        self.work = Work(
            handler,
            verifier,
            deadlines=DEADLINES,
            report=Reporter(session, recorder),
            decide=self.decide,
            decided=lambda: self.calls.append("decided"),
            delivered=lambda: self.calls.append("delivered"),
        )

    def decide(self, recipient, verdict):
        if not isinstance(verdict, lmtp.Accepted | lmtp.Deferred | lmtp.Failed):
            raise lmtp.LocalProtocolError(f"{verdict!r} is no verdict")
        recipient.verdict = verdict
        self.verdicts[recipient.forward_path.mailbox.local_part] = verdict

    def offer(self, *names):
        for name in names:
            recipient = Recipient(ForwardPath.parse(f"<{name}@example.org>".encode()), Slot(), settle)
            self.transaction.envelope.offered.append(recipient)
            self.work.verify(recipient, self.transaction)

    async def deliver(self):
        self.work.deliver(self.transaction)
        await self.finish()
        return [recipient.outcome for recipient in self.transaction.recipients]

    async def finish(self):
        while self.work.is_verifying or self.work.is_delivering:
            await asyncio.sleep(0)


def settle(recipient, outcome):
    recipient.outcome = outcome


class Handler:
    """
    A handler, and a verifier, that does what a test says.
    """

    def __init__(self, deliver=None, verify=None):
        self._deliver = deliver
        self._verify = verify

    async def deliver(self, transaction):
        await self._deliver(transaction)

    def verify(self, recipient, transaction):
        return self._verify(recipient)


@pytest.fixture
def desk(recorder):
    """
    Give work to somebody who does it in the way that is given.
    """

    def make(deliver=None, verify=None):
        handler = Handler(deliver, verify)
        return Desk(handler, handler if verify else None, recorder)

    return make


def faults(recorder):
    return [(event.doing, type(event.error)) for event in recorder.of(observed.HandlerFailed)]


async def somebody_cancelled():
    """
    What a handler gets that awaits a task of its own which another one cancelled.
    """
    task = asyncio.ensure_future(asyncio.Event().wait())
    task.cancel()
    await task


async def never():
    await asyncio.Event().wait()


class TestVerdict:
    async def test_is_that_anybody_is_welcome_where_nobody_is_asked(self, desk):
        desk = desk()
        desk.offer("ann")

        assert {"ann": lmtp.Accepted()} == desk.verdicts
        assert [] == desk.calls, "nobody has waited for it"

    async def test_of_a_verifier_that_knows_at_once_is_not_waited_for(self, desk):
        desk = desk(verify=lambda _: lmtp.Failed("5.1.1"))
        desk.offer("ann")

        assert {"ann": lmtp.Failed("5.1.1")} == desk.verdicts
        assert not desk.work.is_verifying

    async def test_of_one_that_must_look_is_told_when_it_is_there(self, desk):
        async def verify(recipient):
            await asyncio.sleep(0)
            return lmtp.Accepted(recipient.forward_path.mailbox.local_part)

        desk = desk(verify=verify)
        desk.offer("ann", "bob")

        assert desk.work.is_verifying

        await desk.finish()

        assert {"ann": lmtp.Accepted("ann"), "bob": lmtp.Accepted("bob")} == desk.verdicts
        assert ["decided", "decided"] == desk.calls

    @pytest.mark.parametrize(
        ("error", "fault"),
        [
            (lmtp.TransientError("4.4.3", "the directory is down"), []),
            (ZeroDivisionError(), [("verifying <ann@example.org>", ZeroDivisionError)]),
        ],
    )
    async def test_is_temporary_when_the_verifier_raises_at_once(self, desk, recorder, error, fault):
        def verify(_recipient):
            raise error

        desk = desk(verify=verify)
        desk.offer("ann")

        assert isinstance(desk.verdicts["ann"], lmtp.Deferred)
        assert fault == faults(recorder)

    async def test_is_temporary_when_the_verifier_says_nonsense(self, desk, recorder):
        desk = desk(verify=lambda _: "certainly")
        desk.offer("ann")

        assert {"ann": TROUBLE} == desk.verdicts
        assert [("verifying <ann@example.org>", lmtp.LocalProtocolError)] == faults(recorder)

    async def test_is_temporary_when_the_verifier_awaits_what_somebody_cancelled(self, desk, recorder):
        desk = desk(verify=lambda _: somebody_cancelled())
        desk.offer("ann")
        await desk.finish()

        assert {"ann": TROUBLE} == desk.verdicts
        assert [("verifying <ann@example.org>", asyncio.CancelledError)] == faults(recorder)

    async def test_is_temporary_when_the_verifier_takes_too_long(self, desk, recorder, clock):
        desk = desk(verify=lambda _: never())
        desk.offer("ann")
        await clock.advance(0)
        await clock.advance(DEADLINES.verify_seconds + 1)
        await desk.finish()

        assert {"ann": TROUBLE} == desk.verdicts
        assert [("verifying <ann@example.org>", TimeoutError)] == faults(recorder)

    @pytest.mark.parametrize("cancel", [Work.cancel, Work.cancel_verifications])
    async def test_nobody_waits_for_any_more_is_none(self, desk, recorder, cancel):
        desk = desk(verify=lambda _: never())
        desk.offer("ann", "bob")
        await asyncio.sleep(0)
        cancel(desk.work)
        await desk.finish()

        assert {} == desk.verdicts
        assert [] == faults(recorder)


class TestDelivery:
    @pytest.fixture
    def to_two(self, desk):
        def make(deliver):
            made = desk(deliver)
            made.offer("ann", "bob")
            return made

        return make

    async def test_ends_with_what_the_handler_says_of_each(self, to_two, recorder):
        async def deliver(transaction):
            for recipient, outcome in zip(transaction.recipients, outcomes, strict=True):
                recipient.settle(outcome)

        outcomes = [lmtp.Delivered("here"), lmtp.Failed("5.2.1")]
        desk = to_two(deliver)

        assert outcomes == await desk.deliver()
        assert desk.transaction.content.is_released
        assert ["delivered"] == desk.calls
        assert [] == faults(recorder)

    async def test_defers_whom_the_handler_forgot(self, to_two, recorder):
        async def deliver(transaction):
            transaction.recipients[1].settle(lmtp.Delivered())

        assert [TROUBLE, lmtp.Delivered()] == await to_two(deliver).deliver()
        [failed] = recorder.of(observed.HandlerFailed)
        assert "the handler left 1 recipients without an outcome" == str(failed.error)

    @pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
    async def test_defers_those_left_when_the_handler_raises(self, to_two, recorder, error):
        async def deliver(transaction):
            transaction.recipients[0].settle(lmtp.Delivered())
            raise error

        desk = to_two(deliver)

        assert [lmtp.Delivered(), TROUBLE] == await desk.deliver()
        assert desk.transaction.content.is_released
        assert [("delivering", error)] == faults(recorder)

    async def test_defers_those_left_when_the_handler_takes_too_long(self, to_two, recorder, clock):
        desk = to_two(lambda _: never())
        delivering = asyncio.ensure_future(desk.deliver())
        await clock.advance(0)
        await clock.advance(DEADLINES.delivery_seconds + 1)

        assert [TROUBLE, TROUBLE] == await delivering
        assert [("delivering", TimeoutError)] == faults(recorder)

    async def test_goes_on_when_only_verdicts_are_given_up(self, to_two):
        may_end = asyncio.Event()

        async def deliver(transaction):
            await may_end.wait()
            for recipient in transaction.recipients:
                recipient.settle(lmtp.Delivered())

        desk = to_two(deliver)
        delivering = asyncio.ensure_future(desk.deliver())
        await asyncio.sleep(0)
        desk.work.cancel_verifications()
        may_end.set()

        assert [lmtp.Delivered(), lmtp.Delivered()] == await delivering

    async def test_that_is_given_up_defers_those_left_and_is_nobodys_fault(self, to_two, recorder):
        desk = to_two(lambda _: never())
        delivering = asyncio.ensure_future(desk.deliver())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        desk.work.cancel()

        assert [TROUBLE, TROUBLE] == await delivering
        assert desk.transaction.content.is_released
        assert [] == faults(recorder)

    async def test_that_is_given_up_before_it_began_has_come_to_its_end_too(self, to_two):
        desk = to_two(lambda _: never())
        desk.work.deliver(desk.transaction)
        desk.work.cancel()
        await desk.finish()

        assert ["delivered"] == desk.calls
