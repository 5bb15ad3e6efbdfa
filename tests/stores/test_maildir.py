# SPDX-License-Identifier: Apache-2.0
"""
Maildir: names, octets on disk, folders and their modes, every error of the system.
"""

import errno
import os
import re
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.address import Mailbox
from lmtp.protocol.errors import PermanentError
from lmtp.protocol.outcome import Deferred, Delivered
from lmtp.stores.base import Copy
from lmtp.stores.fsync import KernelQueue
from lmtp.stores.maildir import Maildir, MaildirOptions, StagedFile, UnixLines
from lmtp.stores.paths import PathTemplate
from lmtp.testing.stores import ANN, BEN, HEAD, MESSAGE, MemoryContent, StoreSuite, copy_for

NAME = re.compile(r"(\d+)\.M(\d+)P(\d+)Q(\d+)R([0-9a-f]{8})\.([^,]+),S=(\d+),W=(\d+)")
LF_MESSAGE = (HEAD + MESSAGE).replace(b"\r\n", b"\n")


def folder_of(place: Path, mailbox: Mailbox) -> Path:
    return place / PathTemplate().render(mailbox)


def maildir(place: Path, *, fsync_all=None, **options) -> Maildir:
    return Maildir(
        MaildirOptions(root=str(place), **options),
        clock=lambda: 1_700_000_000.25,
        host="mx.example.org",
        fsync_all=fsync_all,
    )


def kernel_queue() -> KernelQueue:
    try:
        return KernelQueue()
    except OSError as error:
        pytest.skip(f"this system has no queue for us: {error}")


def files_in(place: Path, folder: str) -> list[Path]:
    return [path for path in place.rglob("*") if path.parent.name == folder]


def deliver(store: Maildir, *copies: Copy) -> list[Delivered | Deferred]:
    return store.commit([store.stage(copy) for copy in copies])


def with_crlf(octets: bytes) -> bytes:
    """
    What a reader shows: a CR before each LF that has none.
    """
    return re.sub(rb"(?<!\r)\n", b"\r\n", octets)


@pytest.mark.guards("LMTP-4.2-5", "MD-1", "MD-3")
class TestContract(StoreSuite[StagedFile]):
    """
    What every store must do.
    """

    def make_store(self, place):
        return Maildir(MaildirOptions(root=str(place)))

    def messages(self, place, mailbox):
        new = folder_of(place, mailbox) / "new"
        return [with_crlf(path.read_bytes()) for path in sorted(new.glob("*"))]

    def left_overs(self, place):
        return [str(path) for path in files_in(place, "tmp") + files_in(place, "cur")]

    def break_mailbox(self, place, mailbox):
        new = folder_of(place, mailbox) / "new"
        for path in new.iterdir():
            path.unlink()
        new.rmdir()
        new.write_bytes(b"")


class TestNames:
    """
    A name is unique, and says the size a reader will find (T64).
    """

    @pytest.mark.guards("MD-2", "MD-3", "MD-6", "MD-9")
    def test_has_time_process_counter_random_host_and_sizes(self, tmp_path):
        [outcome] = deliver(maildir(tmp_path), copy_for(ANN))

        match = NAME.fullmatch(Path(outcome.where).name)
        assert ("1700000000", "250000", str(os.getpid()), "0") == match.groups()[:4]
        assert ("mx.example.org", str(len(LF_MESSAGE)), str(len(HEAD + MESSAGE))) == match.groups()[5:]

    @pytest.mark.guards("MD-2", "MD-3")
    def test_counter_tells_messages_of_one_moment_apart(self, tmp_path):
        outcomes = deliver(maildir(tmp_path), *[copy_for(ANN)] * 3)

        assert ["0", "1", "2"] == [NAME.fullmatch(Path(outcome.where).name)[4] for outcome in outcomes]

    @pytest.mark.guards("MD-2")
    @pytest.mark.parametrize(
        ("host", "written"),
        [("a/b:c,d", r"a\057b\072c\054d"), ("", "localhost"), ("x" * 300, "x" * 64), ("é", r"\303\251")],
    )
    def test_host_has_nothing_that_means_something_in_a_name(self, tmp_path, host, written):
        store = Maildir(MaildirOptions(root=str(tmp_path)), host=host)
        [outcome] = deliver(store, copy_for(ANN))

        assert written == NAME.fullmatch(Path(outcome.where).name)[6]

    @pytest.mark.guards("T64", "MD-6")
    @pytest.mark.parametrize(
        "octets",
        [b"", b"a\r\nb\r\n", b"bare\nlf\r\n", b"bare\rcr\r\n", b"two\r\r\ncrs\r\n", b"\r", b"a\r\r\r\n\n"],
        ids=repr,
    )
    def test_sizes_are_those_of_the_file_and_of_what_a_reader_shows(self, tmp_path, octets):
        [outcome] = deliver(maildir(tmp_path), copy_for(ANN, octets))

        stored = Path(outcome.where).read_bytes()
        match = NAME.fullmatch(Path(outcome.where).name)
        assert (len(stored), len(with_crlf(stored))) == (int(match[7]), int(match[8]))


class TestLines:
    """
    LF on disk, and the octets that were sent for whoever reads.
    """

    @given(st.lists(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"xyz"]), max_size=6).map(b"".join)))
    def test_cuts_make_no_difference_and_sizes_are_true(self, pieces):
        lines = UnixLines()
        stored = b"".join(map(lines.convert, pieces)) + lines.finish()

        whole = UnixLines()
        assert whole.convert(b"".join(pieces)) + whole.finish() == stored
        assert (len(stored), len(with_crlf(stored))) == (lines.size_bytes, lines.crlf_size_bytes)

    @pytest.mark.guards("MD-7")
    @given(st.lists(st.sampled_from([b"\r", b"\r\n", b"a", b"xyz"]), max_size=20).map(b"".join))
    def test_readers_get_back_what_was_sent(self, octets):
        lines = UnixLines()

        assert octets == with_crlf(lines.convert(octets) + lines.finish())

    def test_no_more_than_two_octets_ever_wait(self):
        lines = UnixLines()

        assert 9_998 == len(lines.convert(b"\r" * 10_000))

    @pytest.mark.guards("MD-8")
    def test_from_lines_are_neither_added_nor_quoted(self, tmp_path):
        [outcome] = deliver(maildir(tmp_path), copy_for(ANN, b"\r\nFrom me\r\n>From you\r\n", b"A: b\r\n"))

        assert b"A: b\n\nFrom me\n>From you\n" == Path(outcome.where).read_bytes()


class TestFiles:
    """
    What readers see is finished, and belongs to one recipient.
    """

    @pytest.mark.guards("MD-1", "MD-10")
    def test_is_complete_before_it_is_seen_and_not_touched_again(self, tmp_path):
        store = maildir(tmp_path)
        staged = store.stage(copy_for(ANN))
        [file] = files_in(tmp_path, "tmp")
        before = file.stat()
        [outcome] = store.commit([staged])
        after = Path(outcome.where).stat()

        assert "new" == Path(outcome.where).parent.name
        assert (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)

    @pytest.mark.guards("MD-12")
    def test_is_no_link_to_another_recipients(self, tmp_path):
        outcomes = deliver(maildir(tmp_path), copy_for(ANN), copy_for(ANN), copy_for(BEN))

        assert [1, 1, 1] == [Path(outcome.where).stat().st_nlink for outcome in outcomes]


class TestFolders:
    """
    Made at the first delivery, with the right modes, and made again when somebody removed them.
    """

    @pytest.fixture(params=[0o000, 0o077, 0o022], ids=oct)
    def umask(self, request):
        before = os.umask(request.param)
        yield
        os.umask(before)

    @pytest.mark.guards("MD-11")
    @pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o600, 0o700), (0o660, 0o2770)])
    def test_modes_are_as_asked_whatever_the_umask(self, tmp_path, umask, file_mode, folder_mode):
        place = tmp_path / "var" / "mail"
        [outcome] = deliver(maildir(place, file_mode=file_mode, folder_mode=folder_mode), copy_for(ANN))

        assert file_mode == stat.S_IMODE(Path(outcome.where).stat().st_mode)
        made = [place.parent, place, *(path for path in place.rglob("*") if path.is_dir())]
        assert 7 == len(made)
        assert {folder_mode} == {stat.S_IMODE(path.stat().st_mode) for path in made}

    @pytest.mark.guards("MD-11")
    def test_modes_are_the_owner_s_alone_unless_asked(self, tmp_path, umask):
        [outcome] = deliver(maildir(tmp_path / "mail"), copy_for(ANN))

        assert 0o600 == stat.S_IMODE(Path(outcome.where).stat().st_mode)
        assert {0o700} == {
            stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "mail").rglob("*") if path.is_dir()
        }

    def test_maildir_is_complete(self, tmp_path):
        deliver(maildir(tmp_path), copy_for(ANN))

        assert {"tmp", "new", "cur"} == {path.name for path in folder_of(tmp_path, ANN).iterdir()}

    @pytest.mark.parametrize("removed", ["tmp", ".", ".."])
    def test_what_somebody_removed_is_made_again(self, tmp_path, removed):
        store = maildir(tmp_path)
        [outcome] = deliver(store, copy_for(ANN))
        Path(outcome.where).unlink()
        self._remove((folder_of(tmp_path, ANN) / removed).resolve())

        assert [Delivered] == [type(outcome) for outcome in deliver(store, copy_for(ANN))]

    def test_new_that_goes_after_staging_defers_once(self, tmp_path):
        store = maildir(tmp_path)
        staged = store.stage(copy_for(ANN))
        self._remove(folder_of(tmp_path, ANN))

        assert [Deferred] == [type(outcome) for outcome in store.commit([staged])]
        assert [Delivered] == [type(outcome) for outcome in deliver(store, copy_for(ANN))]

    @pytest.mark.guards("MD-11")
    @pytest.mark.parametrize("link", ["example.org", "example.org/ann", "example.org/ann/tmp"])
    def test_symbolic_link_below_the_root_is_refused(self, tmp_path, link):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        place = tmp_path / "mail"
        (place / link).parent.mkdir(parents=True, exist_ok=True)
        (place / link).symlink_to(elsewhere)

        with pytest.raises(OSError, match=r"symbolic link") as caught:
            maildir(place).stage(copy_for(ANN))
        assert errno.ELOOP == caught.value.errno
        assert [] == list(elsewhere.iterdir())

    def test_root_may_be_a_symbolic_link(self, tmp_path):
        (tmp_path / "disk2").mkdir()
        (tmp_path / "mail").symlink_to("disk2")

        assert [Delivered] == [type(outcome) for outcome in deliver(maildir(tmp_path / "mail"), copy_for(ANN))]

    def test_forgetting_under_pressure_loses_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr("lmtp.stores.durable.MAX_REMEMBERED", 2)
        store = maildir(tmp_path)

        outcomes = [deliver(store, copy_for(mailbox)) for mailbox in (ANN, BEN, ANN, BEN)]
        assert [[Delivered]] * 4 == [[type(outcome) for outcome in group] for group in outcomes]

    def test_known_maildir_costs_no_call_for_its_folders(self, tmp_path, monkeypatch):
        store = maildir(tmp_path)
        deliver(store, copy_for(ANN))
        for name in ("mkdir", "lstat", "stat", "chmod"):
            monkeypatch.delattr(os, name)
        outcomes = deliver(store, copy_for(ANN))
        monkeypatch.undo()

        assert [Delivered] == [type(outcome) for outcome in outcomes]

    @staticmethod
    def _remove(folder: Path) -> None:
        subprocess.run(["rm", "-r", folder], check=True)


class TestErrors:
    """
    Any error of the system: a transient outcome for that recipient alone, and nothing in tmp.
    """

    @pytest.mark.parametrize(
        "blocked", ["example.org", "example.org/ann", "example.org/ann/tmp", "example.org/ann/cur"]
    )
    def test_file_where_a_folder_belongs_is_an_error(self, tmp_path, blocked):
        (tmp_path / blocked).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / blocked).write_bytes(b"")

        with pytest.raises(NotADirectoryError):
            maildir(tmp_path).stage(copy_for(ANN))

    def test_file_where_the_root_belongs_is_an_error(self, tmp_path):
        (tmp_path / "mail").write_bytes(b"")

        with pytest.raises(NotADirectoryError):
            maildir(tmp_path / "mail").stage(copy_for(ANN))

    def test_mailbox_that_no_file_name_holds_fails_for_good(self, tmp_path):
        with pytest.raises(PermanentError):
            maildir(tmp_path).stage(copy_for(Mailbox("a" * 300, "example.org")))

    @pytest.mark.guards("MD-5", "T47")
    @pytest.mark.parametrize(
        ("number", "status"),
        [(errno.ENOSPC, "4.3.1"), (errno.EDQUOT, "4.2.2"), (errno.EIO, "4.3.0"), (errno.EROFS, "4.2.0")],
    )
    def test_status_says_what_was_wrong(self, tmp_path, monkeypatch, number, status):
        def rename(source, target):
            raise OSError(number, os.strerror(number))

        store = maildir(tmp_path)
        staged = store.stage(copy_for(ANN))
        monkeypatch.setattr(os, "rename", rename)

        assert [status] == [outcome.status for outcome in store.commit([staged])]
        assert [] == files_in(tmp_path, "tmp")

    @pytest.mark.guards("MD-4")
    def test_short_writes_are_completed(self, tmp_path, monkeypatch):
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, octets: write(descriptor, octets[:7]))
        [outcome] = deliver(maildir(tmp_path), copy_for(ANN))

        assert LF_MESSAGE == Path(outcome.where).read_bytes()

    def test_file_size_limit_of_the_process_defers(self, tmp_path):
        code = """if True:
            import resource, sys
            from lmtp.stores.base import deferred_for
            from lmtp.stores.maildir import Maildir, MaildirOptions
            from lmtp.testing.stores import ANN, copy_for

            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            try:
                Maildir(MaildirOptions(root=sys.argv[1])).stage(copy_for(ANN, bytes(5000)))
            except OSError as error:
                print(deferred_for(error).status)
        """
        done = subprocess.run([sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True)

        assert "4.2.2\n" == done.stdout
        assert [] == files_in(tmp_path, "tmp")

    def test_too_many_open_files_defer(self, tmp_path):
        store = maildir(tmp_path)
        deliver(store, copy_for(ANN))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            with pytest.raises(OSError, match=r"Too many open files"):
                store.stage(copy_for(ANN))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    @pytest.mark.guards("LMTP-4.2-7", "MD-4", "MD-5")
    @pytest.mark.parametrize("call", ["open", "write", "fsync", "close", "rename", "mkdir", "chmod"])
    def test_failure_of_any_one_system_call_leaves_whole_messages_and_nothing_else(self, tmp_path, monkeypatch, call):
        failures = 0
        for nth in range(1, 100):
            place = tmp_path / str(nth)
            countdown = self._fail_at(monkeypatch, call, nth)
            store = maildir(place)
            outcomes = self._deliver_or_defer(store, [copy_for(ANN), copy_for(BEN), copy_for(ANN)])
            monkeypatch.undo()
            delivered = {outcome.where for outcome in outcomes if isinstance(outcome, Delivered)}
            assert {LF_MESSAGE} >= {Path(path).read_bytes() for path in delivered}
            assert delivered == {str(path) for path in files_in(place, "new")}
            assert [] == files_in(place, "tmp")
            if countdown[0] > 0:
                break
            failures += 1
            assert len(delivered) < 3
        assert failures > 0
        assert 3 == len(delivered)

    def test_fsyncs_not_known_to_be_done_defer_and_leave_nothing(self, tmp_path, monkeypatch):
        queue = kernel_queue()
        store = maildir(tmp_path, fsync_all=queue.fsync_all)
        deliver(store, copy_for(ANN), copy_for(BEN))
        known = set(files_in(tmp_path, "new"))
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        self._forbid_getevents(queue, monkeypatch)

        assert ["4.3.0"] * 2 == [outcome.status for outcome in deliver(store, copy_for(ANN), copy_for(BEN))]
        assert known == set(files_in(tmp_path, "new"))
        assert [] == files_in(tmp_path, "tmp")
        assert descriptors == len(list(Path("/proc/self/fd").iterdir()))
        assert [Delivered] * 2 == [type(outcome) for outcome in deliver(store, copy_for(ANN), copy_for(BEN))]

    def test_check_refuses_what_no_file_name_holds(self, tmp_path):
        store = maildir(tmp_path)
        store.check(Mailbox("a" * 255, "example.org"))

        with pytest.raises(PermanentError) as caught:
            store.check(Mailbox("a" * 256, "example.org"))
        assert "5.1.3" == caught.value.status

    @staticmethod
    def _forbid_getevents(queue: KernelQueue, monkeypatch) -> None:
        def call(number, *arguments):
            if number == queue._calls.getevents:
                raise PermissionError(errno.EPERM, "a sandbox")
            return real(number, *arguments)

        real = queue._call
        monkeypatch.setattr(queue, "_call", call)

    @staticmethod
    def _fail_at(monkeypatch, call: str, nth: int) -> list[int]:
        real = getattr(os, call)
        countdown = [nth]

        def failing(*args, **kwargs):
            countdown[0] -= 1
            if countdown[0] == 0:
                if call == "close":
                    real(*args)
                raise OSError(errno.EIO, "injected")
            return real(*args, **kwargs)

        monkeypatch.setattr(os, call, failing)
        return countdown

    @staticmethod
    def _deliver_or_defer(store: Maildir, copies: list[Copy]) -> list[Delivered | Deferred]:
        staged, outcomes = [], []
        for copy in copies:
            try:
                staged.append(store.stage(copy))
            except OSError:
                outcomes.append(Deferred())
        return outcomes + store.commit(staged)


class TestMemory:
    """
    The size of a message is the disk's affair.
    """

    def test_large_content_is_never_whole_in_memory(self, tmp_path, monkeypatch):
        written = []
        write = os.write
        monkeypatch.setattr(
            os, "write", lambda descriptor, octets: written.append(len(octets)) or write(descriptor, octets)
        )
        deliver(maildir(tmp_path), Copy(ANN, HEAD, MemoryContent(b"line\r\n" * 500_000)))

        assert max(written) <= 256 * 1024 + len(HEAD)
