# SPDX-License-Identifier: Apache-2.0
"""
The writer: concurrent deliveries become groups, and each copy gets exactly one outcome.
"""

import asyncio
import threading

import pytest

from lmtp.protocol.address import Mailbox
from lmtp.protocol.errors import PermanentError
from lmtp.protocol.outcome import Deferred, Delivered, Failed
from lmtp.stores.base import Copy
from lmtp.stores.maildir import Maildir, MaildirOptions
from lmtp.stores.writer import MAX_COPIES, MAX_OCTETS, GroupWriter
from lmtp.testing.stores import ANN, MemoryContent, copy_for


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Notebook:
    """
    An observer that remembers.
    """

    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)


class FakeStore:
    """
    Keeps nothing, remembers its groups, waits at a gate before each commit, fails on demand.
    """

    def __init__(self):
        self.groups = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.errors = {}
        self.commit_error = None

    def check(self, mailbox):
        if error := self.errors.get(mailbox.local_part):
            raise error

    def stage(self, copy):
        if error := self.errors.get(copy.mailbox.local_part):
            raise error
        return copy

    def commit(self, staged):
        self.groups.append([copy.mailbox.local_part for copy in staged])
        self.begun.release()
        assert self.gate.wait(60)
        if self.commit_error:
            raise self.commit_error
        return [Delivered(copy.mailbox.local_part) for copy in staged]


class Outcomes(dict):
    """
    What was settled, by index; a second outcome for one index is an error.
    """

    def settle(self, index, outcome):
        assert index not in self
        self[index] = outcome


@pytest.fixture
def store():
    return FakeStore()


@pytest.fixture
def notebook():
    return Notebook()


@pytest.fixture
async def writer(store, notebook):
    writer = GroupWriter(store, notebook, threads=1)
    yield writer
    store.gate.set()
    await writer.close()


def copies(count, octets=b"x"):
    return [Copy(Mailbox(str(number), "example.org"), b"", MemoryContent(octets)) for number in range(count)]


def begun(store):
    return asyncio.to_thread(store.begun.acquire, timeout=60)


class TestOutcomes:
    """
    One for each copy, whatever the store does.
    """

    async def test_each_copy_gets_its_own(self, writer):
        outcomes = Outcomes()
        await writer.write(copies(100), outcomes.settle)

        assert {number: Delivered(str(number)) for number in range(100)} == outcomes

    async def test_no_copies_need_no_thread(self, writer, store):
        await writer.write([], Outcomes().settle)

        assert [] == store.groups

    async def test_are_told_on_the_loop(self, writer):
        threads = set()
        await writer.write(copies(3), lambda index, outcome: threads.add(threading.get_ident()))

        assert {threading.get_ident()} == threads

    async def test_error_of_the_system_defers_that_copy_alone(self, writer, store):
        store.errors["1"] = OSError(28, "full")
        outcomes = Outcomes()
        await writer.write(copies(3), outcomes.settle)

        assert ["2.0.0", "4.3.1", "2.0.0"] == [outcomes[index].status for index in range(3)]

    async def test_driver_s_own_verdict_is_kept(self, writer, store):
        store.errors["0"] = PermanentError("5.1.3", "too long")
        outcomes = Outcomes()
        await writer.write(copies(1), outcomes.settle)

        assert Failed("5.1.3", detail="too long") == outcomes[0]

    async def test_driver_s_bug_defers_that_copy_and_leaves_a_traceback(self, writer, store):
        store.errors["1"] = KeyError("oops")
        outcomes = Outcomes()
        await writer.write(copies(3), outcomes.settle)

        assert [Delivered, Deferred, Delivered] == [type(outcomes[index]) for index in range(3)]
        assert "Traceback" in outcomes[1].detail
        assert "KeyError: 'oops'" in outcomes[1].detail

    async def test_bug_in_commit_defers_the_group(self, writer, store):
        store.commit_error = RuntimeError("oops")
        outcomes = Outcomes()
        await writer.write(copies(2), outcomes.settle)

        assert {"4.3.0"} == {outcome.status for outcome in outcomes.values()}

    async def test_store_that_forgets_an_outcome_defers_the_group(self, writer, store, monkeypatch):
        monkeypatch.setattr(store, "commit", lambda staged: [Delivered()])
        outcomes = Outcomes()
        await writer.write(copies(2), outcomes.settle)

        assert {"4.3.0"} == {outcome.status for outcome in outcomes.values()}

    async def test_error_of_the_caller_is_raised_after_all_were_told(self, writer):
        told = []

        def settle(index, outcome):
            told.append(index)
            if index != 1:
                raise LookupError(index)

        with pytest.raises(LookupError, match=r"0"):
            await writer.write(copies(3), settle)
        assert [0, 1, 2] == told


class TestChecking:
    """
    What the store says of a mailbox before any copy is there.
    """

    async def test_is_the_store_s_own_verdict(self, writer, store):
        store.errors["1"] = PermanentError("5.1.3", "too long")
        writer.check(Mailbox("0", "example.org"))

        with pytest.raises(PermanentError, match=r"too long"):
            writer.check(Mailbox("1", "example.org"))
        assert [] == store.groups


class TestGroups:
    """
    Who waits together is committed together, in the order of arrival, within bounds.
    """

    async def test_lone_copy_does_not_wait_for_company(self, writer, store):
        await writer.write(copies(1), Outcomes().settle)

        assert [["0"]] == store.groups

    async def test_who_waits_while_the_disk_is_busy_goes_together(self, writer, store):
        store.gate.clear()
        first = asyncio.create_task(writer.write([copy_for(ANN)], Outcomes().settle))
        await begun(store)
        others = [asyncio.create_task(writer.write(copies(2), Outcomes().settle)) for _ in range(3)]
        await asyncio.sleep(0)
        store.gate.set()
        await asyncio.gather(first, *others)

        assert [["ann"], ["0", "1"] * 3] == store.groups

    async def test_large_transaction_is_cut_so_that_replies_flow(self, writer, store):
        await writer.write(copies(MAX_COPIES * 2 + 1), Outcomes().settle)

        assert [MAX_COPIES, MAX_COPIES, 1] == [len(group) for group in store.groups]

    async def test_large_messages_go_alone(self, writer, store):
        large = MemoryContent(bytes(MAX_OCTETS))
        await writer.write(
            [*copies(2), *(Copy(Mailbox(name, ""), b"", large) for name in "ab"), *copies(2)], Outcomes().settle
        )

        assert [["0", "1"], ["a"], ["b"], ["0", "1"]] == store.groups

    async def test_first_come_first_served(self, writer, store):
        writes = [writer.write([copy], Outcomes().settle) for copy in copies(50)]
        await asyncio.gather(*writes)

        assert [str(number) for number in range(50)] == [name for group in store.groups for name in group]

    @pytest.mark.parametrize("arrival", ["one transaction", "two transactions"])
    async def test_what_is_more_than_a_group_wakes_the_next_thread(self, store, notebook, arrival):
        store.gate.clear()
        writer = GroupWriter(store, notebook, threads=2)
        units = [copies(MAX_COPIES + 1)] if arrival == "one transaction" else [copies(MAX_COPIES), copies(1)]
        writes = [asyncio.create_task(writer.write(unit, Outcomes().settle)) for unit in units]
        await begun(store)
        await begun(store)
        store.gate.set()
        await asyncio.gather(*writes)
        await writer.close()

        assert [1, MAX_COPIES] == sorted(map(len, store.groups))


class TestCancelling:
    """
    Nothing is lost and nothing doubled.
    """

    @pytest.fixture
    async def blocked(self, writer, store):
        """
        A write of which one group is in the middle of its commit and one copy still waits.
        """
        store.gate.clear()
        outcomes = Outcomes()
        task = asyncio.create_task(writer.write(copies(MAX_COPIES + 1), outcomes.settle))
        await begun(store)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return outcomes

    async def test_what_was_begun_is_completed_and_the_rest_is_not_written(self, blocked, writer, store):
        store.gate.set()
        await writer.write([copy_for(ANN)], Outcomes().settle)

        assert [MAX_COPIES, 1] == [len(group) for group in store.groups]
        assert ["ann"] == store.groups[1]

    async def test_late_outcomes_go_to_the_observer(self, blocked, writer, store, notebook):
        store.gate.set()
        await writer.close()

        assert {} == blocked
        assert MAX_COPIES == len(notebook.events)
        assert {"late delivery"} == {event.subject for event in notebook.events}
        assert "0@example.org" in notebook.events[0].detail

    async def test_write_that_had_begun_wholly_has_nothing_to_withdraw(self, writer, store, notebook):
        store.gate.clear()
        task = asyncio.create_task(writer.write(copies(1), Outcomes().settle))
        await begun(store)
        task.cancel()
        await asyncio.wait([task])
        store.gate.set()
        await writer.close()

        assert 1 == len(notebook.events)


class TestClosing:
    """
    What was taken is completed.
    """

    async def test_waits_for_what_was_taken(self, writer, store):
        store.gate.clear()
        outcomes = Outcomes()
        write = asyncio.create_task(writer.write(copies(40), outcomes.settle))
        await begun(store)
        close = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
        store.gate.set()
        await close

        assert 40 == len(outcomes)
        await write

    async def test_ends_the_threads(self, writer):
        await writer.close()

        assert [] == [thread for thread in writer._threads if thread.is_alive()]

    async def test_nothing_more_is_taken(self, writer):
        await writer.close()

        with pytest.raises(RuntimeError, match=r"closed"):
            await writer.write(copies(1), Outcomes().settle)


class TestWithMaildir:
    """
    The real driver.
    """

    async def test_many_transactions_at_once_all_arrive_once(self, tmp_path, notebook):
        writer = GroupWriter(Maildir(MaildirOptions(root=str(tmp_path))), notebook)
        places = []
        await asyncio.gather(
            *(writer.write(copies(5), lambda index, outcome: places.append(outcome.where)) for _ in range(20))
        )
        await writer.close()

        assert sorted(places) == sorted(str(path) for path in tmp_path.glob("*/*/new/*"))
        assert 100 == len(set(places))
