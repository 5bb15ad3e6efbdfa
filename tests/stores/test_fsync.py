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

    @pytest.mark.parametrize(("name", "value"), [("machine", "pdp11"), ("system", "Plan9")])
    def test_is_only_for_machines_it_knows(self, monkeypatch, name, value):
        monkeypatch.setattr(platform, name, lambda: value)

        with pytest.raises(OSError, match=r"not implemented"):
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
