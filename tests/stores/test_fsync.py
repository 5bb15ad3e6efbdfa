# SPDX-License-Identifier: Apache-2.0
"""
Many fsyncs at once: each way says the same of the same descriptors.
"""

import errno
import os
import platform
import threading

import pytest

from lmtp.stores import fsync
from lmtp.stores.fsync import QUEUE_LENGTH, KernelQueue, SideBySide, fsync_each, fsync_folders


def kernel_queue():
    try:
        return KernelQueue().fsync_all
    except OSError as error:
        pytest.skip(f"this system has no queue for us: {error}")


@pytest.fixture(params=["each", "kernel", "side by side"])
def fsync_all(request):
    match request.param:
        case "each":
            return fsync_each
        case "kernel":
            return kernel_queue()
        case _:
            return SideBySide()


@pytest.fixture
def files(tmp_path):
    opened = [os.open(tmp_path / str(number), os.O_CREAT | os.O_WRONLY) for number in range(3 * QUEUE_LENGTH)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


class TestFsyncAll:
    @pytest.mark.parametrize("count", [0, 1, 2, QUEUE_LENGTH, QUEUE_LENGTH + 1, 3 * QUEUE_LENGTH])
    def test_has_a_result_for_each(self, fsync_all, files, count):
        assert [None] * count == fsync_all(files[:count])

    def test_takes_folders_too(self, fsync_all, tmp_path):
        folder = os.open(tmp_path, os.O_RDONLY)

        assert [None, None] == fsync_all([folder, folder])

        os.close(folder)

    @pytest.mark.parametrize("place", [0, 1, 4])
    def test_failure_is_that_of_its_file_alone(self, fsync_all, files, place):
        descriptors = files[:5]
        descriptors[place] = 10_000
        results = fsync_all(descriptors)

        assert errno.EBADF == results.pop(place).errno
        assert [None] * 4 == results

    def test_what_can_not_be_fsynced_says_so(self, fsync_all):
        reader, writer = os.pipe()

        assert [errno.EINVAL, errno.EINVAL] == [error.errno for error in fsync_all([writer, reader])]

        os.close(reader)
        os.close(writer)

    def test_may_be_called_from_several_threads(self, fsync_all, files):
        if isinstance(fsync_all, SideBySide):
            results = []
            threads = [
                threading.Thread(target=lambda part: results.append(fsync_all(part)), args=(files[n::4],))
                for n in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert [[None] * len(files[n::4]) for n in range(4)] == results


class TestKernelQueue:
    def test_failure_of_the_disk_is_returned(self, files, monkeypatch):
        queue = KernelQueue()

        def call(number, *arguments):
            arrived = real(number, *arguments)
            if number == queue._calls.getevents:
                queue._events[0].result = -errno.EIO
            return arrived

        real = queue._call
        monkeypatch.setattr(queue, "_call", call)

        assert [errno.EIO] == [error.errno for error in queue.fsync_all(files[:3]) if error]

    def test_signal_while_it_waits_is_no_failure(self, files, monkeypatch):
        queue = KernelQueue()
        interruptions = [InterruptedError(errno.EINTR, "injected")] * 2

        def call(number, *arguments):
            if number == queue._calls.getevents and interruptions:
                raise interruptions.pop()
            return real(number, *arguments)

        real = queue._call
        monkeypatch.setattr(queue, "_call", call)

        assert [None] * 3 == queue.fsync_all(files[:3])
        assert [] == interruptions

    def test_event_of_another_group_says_nothing_of_this_one(self, files, monkeypatch):
        queue = KernelQueue()
        queue.fsync_all(files[:3])
        stale = [0, 1, 2]

        def call(number, *arguments):
            if number == queue._calls.getevents and stale:
                queue._events[0].data, queue._events[0].result = stale.pop(), 0
                return 1
            arrived = real(number, *arguments)
            if number == queue._calls.getevents:
                queue._events[2].result = -errno.EIO
            return arrived

        real = queue._call
        monkeypatch.setattr(queue, "_call", call)

        assert [errno.EIO] == [error.errno for error in queue.fsync_all(files[3:6]) if error]
        assert [] == stale

    @pytest.mark.parametrize(("name", "value"), [("machine", "pdp11"), ("system", "Plan9")])
    def test_is_only_for_machines_it_knows(self, monkeypatch, name, value):
        monkeypatch.setattr(platform, name, lambda: value)

        with pytest.raises(OSError, match=r"not implemented"):
            KernelQueue()


class Refusing:
    """
    A kernel that forbids one call of a queue from now on, as a sandbox does that is put up late.
    """

    def __init__(self, queue, monkeypatch, name, number=errno.EPERM):
        self._forbidden = getattr(queue._calls, name)
        self._number = number
        self._real = queue._call
        self.calls = []
        monkeypatch.setattr(queue, "_call", self)

    def __call__(self, number, *arguments):
        self.calls.append(number)
        if number == self._forbidden:
            raise OSError(self._number, os.strerror(self._number))
        return self._real(number, *arguments)


class TestRefusal:
    """
    A queue that no longer works is given up, and nothing is called done that is not known to be.
    """

    def test_what_was_under_way_is_not_known_to_be_done_and_is_not_tried_again(self, files, monkeypatch):
        queue = KernelQueue()
        Refusing(queue, monkeypatch, "getevents")
        monkeypatch.setattr(
            os, "fsync", lambda descriptor: pytest.fail("a second fsync hides the failure of the first")
        )

        assert ["The fsync is not known to be done"] * 3 == [error.strerror for error in queue.fsync_all(files[:3])]

    def test_what_was_not_taken_gets_an_ordinary_fsync(self, files, monkeypatch):
        queue = KernelQueue()
        Refusing(queue, monkeypatch, "submit")

        assert [None] * 3 == queue.fsync_all(files[:3])

    @pytest.mark.parametrize("name", ["submit", "getevents"])
    def test_later_groups_are_right_and_do_without_the_queue(self, files, monkeypatch, name):
        queue = KernelQueue()
        refusing = Refusing(queue, monkeypatch, name)
        queue.fsync_all(files[:3])
        refusing.calls.clear()

        assert [None, errno.EBADF, None] == [
            error and error.errno for error in queue.fsync_all([files[3], 10_000, files[4]])
        ]
        assert [] == refusing.calls

    def test_rest_of_a_long_list_does_without_the_queue(self, files, monkeypatch):
        queue = KernelQueue()
        Refusing(queue, monkeypatch, "getevents")
        results = queue.fsync_all(files)

        assert None not in results[:QUEUE_LENGTH]
        assert [None] * (2 * QUEUE_LENGTH) == results[QUEUE_LENGTH:]

    @pytest.mark.parametrize("name", ["submit", "getevents"])
    def test_queue_is_destroyed_once_and_its_number_forgotten(self, files, monkeypatch, name):
        queue = KernelQueue()
        Refusing(queue, monkeypatch, name)
        real, destroyed = queue._syscall, []

        def syscall(number, *arguments):
            if number == queue._calls.destroy:
                destroyed.append(number)
            return real(number, *arguments)

        monkeypatch.setattr(queue, "_syscall", syscall)
        queue.fsync_all(files[:3])
        queue.__del__()

        assert [queue._calls.destroy] == destroyed

    @pytest.mark.parametrize("number", [errno.EBADF, errno.EINVAL, errno.EAGAIN], ids=errno.errorcode.get)
    def test_refusal_of_one_group_s_files_keeps_the_queue(self, files, monkeypatch, number):
        queue = KernelQueue()
        with monkeypatch.context() as patch:
            Refusing(queue, patch, "submit", number)

            assert [None] * 3 == queue.fsync_all(files[:3])
        monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("did without the queue"))

        assert [None] * 3 == queue.fsync_all(files[:3])

    @pytest.mark.parametrize("name", ["submit", "getevents"])
    def test_sandbox_that_forbids_one_call_is_found_out_when_the_queue_is_made(self, monkeypatch, name):
        def call(queue, number, *arguments):
            if number == getattr(queue._calls, name):
                raise PermissionError(errno.EPERM, "a sandbox")
            return real(queue, number, *arguments)

        real = KernelQueue._call
        monkeypatch.setattr(KernelQueue, "_call", call)

        with pytest.raises(PermissionError):
            KernelQueue()


class TestSideBySide:
    def test_does_without_where_there_is_no_queue(self, files, monkeypatch):
        def refuse(self):
            raise PermissionError(errno.EPERM, "a sandbox")

        monkeypatch.setattr(KernelQueue, "__init__", refuse)
        monkeypatch.setattr(KernelQueue, "__del__", lambda self: None)

        assert [None] * 3 == SideBySide()(files[:3])

    def test_lone_file_needs_no_queue(self, files, monkeypatch):
        monkeypatch.setattr(fsync, "_best_way", lambda: pytest.fail("asked for one"))

        assert [None] == SideBySide()(files[:1])


class TestFolders:
    def test_each_has_a_result_also_one_that_is_not_there(self, fsync_all, tmp_path):
        first, missing, second = fsync_folders([str(tmp_path), str(tmp_path / "no"), str(tmp_path)], fsync_all)

        assert [None, None] == [first, second]
        assert errno.ENOENT == missing.errno
