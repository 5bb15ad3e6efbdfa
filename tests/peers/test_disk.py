# SPDX-License-Identifier: Apache-2.0
"""
The judge of power losses is judged: it must see each way of breaking the promise, in strace's own words.
"""

from pathlib import Path

import pytest

from tests.peers.disk import Judge
from tests.peers.trace import steps_of

FOLDERS = (
    'mkdir("/m/example.org", 0700) = 0',
    'mkdir("/m/example.org/ann", 0700) = 0',
    'mkdir("/m/example.org/ann/tmp", 0700) = 0',
    'mkdir("/m/example.org/ann/new", 0700) = 0',
    "fsync(4</m>) = 0",
    "fsync(4</m/example.org>) = 0",
    "fsync(4</m/example.org/ann>) = 0",
)
FILE = "5</m/example.org/ann/tmp/1.S=5>"
OPEN = f'openat(AT_FDCWD</>, "/m/example.org/ann/tmp/1.S=5", O_WRONLY|O_CREAT|O_EXCL, 0600) = {FILE}'
WRITE = f'write({FILE}, "hello", 5) = 5'
SYNC_FILE = f"fsync({FILE}) = 0"
RENAME = 'rename("/m/example.org/ann/tmp/1.S=5", "/m/example.org/ann/new/1.S=5") = 0'
LINK = 'linkat(6</m/example.org/ann/tmp>, "1.S=5", 7</m/example.org/ann/new>, "1.S=5", 0) = 0'
SYNC_NEW = "fdatasync(7</m/example.org/ann/new>) = 0"
REPLY = 'write(9<socket:[1]>, "250 2.0.0 <ann@example.org> Delivered\\r\\n", 39) = 39'
SOUND = (*FOLDERS, OPEN, WRITE, SYNC_FILE, RENAME, SYNC_NEW, REPLY)


def judge(*lines):
    judged = Judge(Path("/m"))
    judged.follow(steps_of(f"100 {line}" for line in lines))
    return judged


class TestJudge:
    """
    RFC 2033 §4.2: a 250 means stable storage.
    """

    def test_finds_nothing_wrong_when_all_is_synced_first(self):
        judged = judge(*SOUND)

        assert [] == judged.broken
        assert {"ann@example.org": 1} == judged.acknowledged

    def test_takes_a_link_for_a_rename(self):
        assert [] == judge(*(LINK if line == RENAME else line for line in SOUND)).broken

    @pytest.mark.parametrize("missing", [*FOLDERS, OPEN, SYNC_FILE, RENAME, SYNC_NEW])
    def test_sees_that_one_call_is_missing(self, missing):
        assert judge(*(line for line in SOUND if line != missing)).broken

    @pytest.mark.parametrize("failed", [SYNC_FILE, RENAME, SYNC_NEW])
    def test_takes_a_failed_call_for_none(self, failed):
        failure = failed.removesuffix("= 0") + "= -1 EIO (Input/output error)"

        assert judge(*(failure if line == failed else line for line in SOUND)).broken

    def test_sees_a_name_given_before_the_octets_are_synced(self):
        late = SYNC_FILE.replace("/tmp/", "/new/")
        judged = judge(*FOLDERS, OPEN, WRITE, RENAME, late, SYNC_NEW, REPLY)

        assert ["/m/example.org/ann/new/1.S=5 got its name with 0 of 5 octets synced"] == judged.broken

    def test_sees_a_reply_sent_before_the_name_is_synced(self):
        judged = judge(*FOLDERS, OPEN, WRITE, SYNC_FILE, RENAME, REPLY, SYNC_NEW)

        assert ["ann@example.org was promised 1, 0 would survive"] == judged.broken

    def test_sees_a_second_reply_for_the_same_file(self):
        assert judge(*SOUND, REPLY).broken

    def test_sees_octets_written_where_readers_look(self):
        in_sight = 'write(5</m/example.org/ann/new/1.S=5>, "x", 1) = 1'

        assert judge(*FOLDERS, OPEN, WRITE, SYNC_FILE, RENAME, SYNC_NEW, in_sight, REPLY).broken


def by_the_kernel(path, data="0"):
    """
    Return the two calls in which the kernel syncs a path for a thread that waits.
    """
    request = f"{{aio_data={data}, aio_lio_opcode=IOCB_CMD_FSYNC, aio_fildes={path}}}"
    event = f"{{data={data}, obj=0x55637fe1b710, res=0, res2=0}}"
    return f"io_submit(0x7f2e10b8d000, 1, [{request}]) = 1", f"io_getevents(0x7f2e10b8d000, 1, 1, [{event}], NULL) = 1"


SUBMIT_FILE, AWAIT_FILE = by_the_kernel(FILE)
SUBMIT_NEW, AWAIT_NEW = by_the_kernel("7</m/example.org/ann/new>", "0x1")


class TestKernelQueue:
    """
    A sync the kernel does for a thread covers what was done before it was asked for, once it is known to have ended.
    """

    def test_counts_as_a_sync_when_it_has_ended(self):
        lines = (*FOLDERS, OPEN, WRITE, SUBMIT_FILE, AWAIT_FILE, RENAME, SUBMIT_NEW, AWAIT_NEW, REPLY)

        assert [] == judge(*lines).broken

    @pytest.mark.parametrize("missing", [SUBMIT_FILE, AWAIT_FILE, SUBMIT_NEW, AWAIT_NEW])
    def test_counts_for_nothing_when_half_of_it_is_missing(self, missing):
        lines = (*FOLDERS, OPEN, WRITE, SUBMIT_FILE, AWAIT_FILE, RENAME, SUBMIT_NEW, AWAIT_NEW, REPLY)

        assert judge(*(line for line in lines if line != missing)).broken

    def test_counts_for_nothing_when_the_disk_failed(self):
        failed = AWAIT_FILE.replace("res=0", "res=-5")

        assert judge(*FOLDERS, OPEN, WRITE, SUBMIT_FILE, failed, RENAME, SUBMIT_NEW, AWAIT_NEW, REPLY).broken

    def test_covers_nothing_done_after_it_was_asked_for(self):
        assert judge(*FOLDERS, OPEN, SUBMIT_FILE, WRITE, AWAIT_FILE, RENAME, SUBMIT_NEW, AWAIT_NEW, REPLY).broken


class TestCallsThatTakeTime:
    """
    Between its two lines a call may have happened or not: the cautious reading counts.
    """

    def test_a_sync_that_has_not_ended_covers_nothing(self):
        begun = SYNC_NEW.removesuffix(") = 0") + " <unfinished ...>"

        assert judge(*FOLDERS, OPEN, WRITE, SYNC_FILE, RENAME, begun, REPLY).broken

    def test_a_sync_covers_nothing_done_after_it_began(self):
        begun = SYNC_NEW.removesuffix(") = 0") + " <unfinished ...>"
        judged = Judge(Path("/m"))
        before = [f"100 {line}" for line in (*FOLDERS, OPEN, WRITE, SYNC_FILE)]
        after = [f"200 {begun}", f"100 {RENAME}", "200 <... fdatasync resumed>) = 0", f"100 {REPLY}"]
        judged.follow(steps_of(before + after))

        assert ["ann@example.org was promised 1, 0 would survive"] == judged.broken

    def test_a_reply_counts_from_when_its_sending_began(self):
        sending = REPLY.removesuffix(") = 39") + " <unfinished ...>"
        judged = Judge(Path("/m"))
        before = [f"100 {line}" for line in (*FOLDERS, OPEN, WRITE, SYNC_FILE, RENAME)]
        after = [f"200 {sending}", f"100 {SYNC_NEW}", "200 <... write resumed>) = 39"]
        judged.follow(steps_of(before + after))

        assert ["ann@example.org was promised 1, 0 would survive"] == judged.broken
