# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: S101 - asserting is what this module is for
"""
What every store must do, as tests that any driver can run.

Subclass `StoreSuite` in a test module, say how to make your store and how to read it, and let pytest collect the
class. Not here: what a loss of power leaves, as that needs the driver's own system calls. RFC 2033 §4.2.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Generic

from lmtp.protocol.address import Mailbox
from lmtp.protocol.errors import DeliveryError, PermanentError
from lmtp.protocol.outcome import Deferred, Delivered
from lmtp.stores.base import Copy, StagedT, Store

ANN: Final = Mailbox("ann", "example.org")
BEN: Final = Mailbox("ben", "example.org")
HEAD: Final = b"Return-Path: <>\r\nDelivered-To: ann@example.org\r\n"
MESSAGE: Final = b"Subject: hello\r\n\r\nOne line.\r\n"

SHAPES: Final = (
    b"",
    b"\r\n",
    b"no line end",
    b"Subject: x\r\n\r\n.\r\n..\r\nFrom here\r\n>From there\r\n",
    "Subject: grüße\r\n\r\n日本\r\n".encode(),
    bytes(octet for octet in range(256) if octet not in b"\r\n") + b"\r\n",
    b"\r\n" * 1000,
    b"a" * 100_000 + b"\r\n",
)
"""Contents as they may come, all with CRLF line ends."""
HOSTILE: Final = (
    Mailbox("../../escaped", "example.org"),
    Mailbox("/etc/escaped", "example.org"),
    Mailbox("..", ".."),
    Mailbox(".", ""),
    Mailbox("", ""),
    Mailbox("a\0b", "example.org"),
    Mailbox("a/../../b", "[IPv6:::1]"),
)
"""Mailboxes that would like to be somewhere else."""
LENGTHS: Final = (1, 64, 85, 86, 127, 128, 240, 255, 256, 1000)
"""Of local parts: about the bounds of file names, whatever an octet becomes in one."""


class MemoryContent:
    """
    A content in memory, given out in pieces of a chosen size.
    """

    def __init__(self, octets: bytes, piece_octets: int = 256 * 1024) -> None:
        self._octets = octets
        self._piece_octets = piece_octets

    @property
    def size_bytes(self) -> int:
        """
        How many octets there are.
        """
        return len(self._octets)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """
        Yield the octets from an offset on.
        """
        for at in range(start, len(self._octets), self._piece_octets):
            yield self._octets[at : at + self._piece_octets]


class UnreadableContent(MemoryContent):
    """
    A content whose spool file breaks after the first piece.
    """

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """
        Yield one piece.

        Raises:
            OSError: after that.
        """
        yield from MemoryContent.chunks(self, start)
        raise OSError("the spool file is unreadable")


def copy_for(mailbox: Mailbox, octets: bytes = MESSAGE, head: bytes = HEAD) -> Copy:
    """
    Return a copy of a message in memory.
    """
    return Copy(mailbox, head, MemoryContent(octets))


class StoreSuite(ABC, Generic[StagedT]):
    """
    The contract of `lmtp.stores.base.Store`, one test a clause.

    ``place`` is a fresh folder, outside of which the store must leave nothing.
    """

    @abstractmethod
    def make_store(self, place: Path) -> Store[StagedT]:
        """
        Return a store that keeps everything in this folder.
        """

    @abstractmethod
    def messages(self, place: Path, mailbox: Mailbox) -> list[bytes]:
        """
        Return what a reader of this mailbox finds, with CRLF line ends.
        """

    @abstractmethod
    def left_overs(self, place: Path) -> list[str]:
        """
        Return what is in the place that is no message and was not there before: files being written, and such.
        """

    @abstractmethod
    def break_mailbox(self, place: Path, mailbox: Mailbox) -> None:
        """
        Make every later delivery to this mailbox fail with OSError, also for the superuser.
        """

    def test_staged_copy_is_invisible(self, tmp_path: Path) -> None:
        """
        Readers see nothing before the commit.
        """
        store = self.make_store(tmp_path)
        staged = store.stage(copy_for(ANN))

        assert self.messages(tmp_path, ANN) == []
        assert staged.size_bytes > 0
        staged.roll_back()

    def test_roll_back_leaves_nothing(self, tmp_path: Path) -> None:
        """
        As if it had never been staged.
        """
        store = self.make_store(tmp_path)
        store.stage(copy_for(ANN)).roll_back()

        assert self.messages(tmp_path, ANN) == []
        assert self.left_overs(tmp_path) == []

    def test_commit_makes_exactly_the_octets(self, tmp_path: Path) -> None:
        """
        Head and content, octet by octet, whatever they are.
        """
        store = self.make_store(tmp_path)
        for number, octets in enumerate(SHAPES):
            mailbox = Mailbox(f"shape{number}", "example.org")
            self._deliver(store, copy_for(mailbox, octets))

            assert self.messages(tmp_path, mailbox) == [HEAD + octets]
        assert self.left_overs(tmp_path) == []

    def test_pieces_make_no_difference(self, tmp_path: Path) -> None:
        """
        A content may be cut anywhere, also between CR and LF.
        """
        store = self.make_store(tmp_path)
        self._deliver(store, Copy(ANN, HEAD, MemoryContent(MESSAGE, piece_octets=1)))

        assert self.messages(tmp_path, ANN) == [HEAD + MESSAGE]

    def test_content_follows_from_body_start(self, tmp_path: Path) -> None:
        """
        What was edited is in the head, and not written twice.
        """
        store = self.make_store(tmp_path)
        self._deliver(store, Copy(ANN, b"X: new\r\n", MemoryContent(b"X: old\r\n\r\nbody\r\n"), body_start=8))

        assert self.messages(tmp_path, ANN) == [b"X: new\r\n\r\nbody\r\n"]

    def test_each_mailbox_gets_its_own_copy_and_no_other(self, tmp_path: Path) -> None:
        """
        Nothing of one recipient is in the copy of another.
        """
        store = self.make_store(tmp_path)
        self._deliver(store, copy_for(ANN, head=b"To: ann\r\n"), copy_for(BEN, head=b"To: ben\r\n"))

        assert self.messages(tmp_path, ANN) == [b"To: ann\r\n" + MESSAGE]
        assert self.messages(tmp_path, BEN) == [b"To: ben\r\n" + MESSAGE]

    def test_same_mailbox_twice_gets_two_messages(self, tmp_path: Path) -> None:
        """
        Two accepted recipients are two deliveries, also in one group.
        """
        store = self.make_store(tmp_path)
        self._deliver(store, copy_for(ANN), copy_for(ANN))

        assert self.messages(tmp_path, ANN) == [HEAD + MESSAGE] * 2

    def test_committing_nothing_is_nothing(self, tmp_path: Path) -> None:
        """
        An empty group has no outcomes.
        """
        assert self.make_store(tmp_path).commit([]) == []

    def test_failure_concerns_its_recipient_alone(self, tmp_path: Path) -> None:
        """
        One broken mailbox in a group: a transient outcome for it, the message for all others, nothing left over.
        """
        store = self.make_store(tmp_path)
        self._deliver(store, copy_for(BEN, b"before\r\n", b""))
        self.break_mailbox(tmp_path, BEN)
        staged, failed = [], 0
        for mailbox in (ANN, BEN, ANN):
            try:
                staged.append(store.stage(copy_for(mailbox)))
            except (OSError, DeliveryError):
                failed += 1
        outcomes = store.commit(staged)

        assert failed + sum(isinstance(outcome, Deferred) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Delivered) for outcome in outcomes) == 2
        assert self.messages(tmp_path, ANN) == [HEAD + MESSAGE] * 2
        assert self.left_overs(tmp_path) == []

    def test_unreadable_content_leaves_nothing(self, tmp_path: Path) -> None:
        """
        The content comes from a file too, which may break in the middle.
        """
        store = self.make_store(tmp_path)
        try:
            store.stage(Copy(ANN, HEAD, UnreadableContent(MESSAGE)))
        except OSError:
            pass
        else:
            raise AssertionError("staged a content that could not be read")

        assert self.messages(tmp_path, ANN) == []
        assert self.left_overs(tmp_path) == []

    def test_no_mailbox_leads_out_of_the_store(self, tmp_path: Path) -> None:
        """
        Whatever a mailbox is called, its mail is inside, and is nobody else's.
        """
        place = tmp_path / "outer" / "place"
        place.mkdir(parents=True)
        store = self.make_store(place)
        for number, mailbox in enumerate(HOSTILE):
            self._deliver(store, copy_for(mailbox, head=b"Number: %d\r\n" % number))

        for number, mailbox in enumerate(HOSTILE):
            assert self.messages(place, mailbox) == [b"Number: %d\r\n" % number + MESSAGE]
        assert [path.name for path in place.parent.iterdir()] == ["place"]
        assert [path.name for path in tmp_path.iterdir()] == ["outer"]

    def test_check_foretells_what_stage_refuses_for_good(self, tmp_path: Path) -> None:
        """
        Nobody is refused at RCPT who could have mail, nor after the message who could not; and nothing is made.
        """
        store = self.make_store(tmp_path)
        names = [character * length for character in "aü/" for length in LENGTHS]
        mailboxes = [*HOSTILE, *(Mailbox(name, "example.org") for name in names)]
        foretold = [_refusal(partial(store.check, mailbox)) for mailbox in mailboxes]

        assert list(tmp_path.iterdir()) == []
        assert {"5.1.3", None} >= set(foretold)
        assert foretold == [_refusal(partial(_stage_and_roll_back, store, mailbox)) for mailbox in mailboxes]

    def test_threads_do_not_get_in_each_other_s_way(self, tmp_path: Path) -> None:
        """
        Several threads stage and commit at once, into one mailbox that did not exist.
        """
        store = self.make_store(tmp_path)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: self._deliver(store, copy_for(ANN), copy_for(BEN)), range(24)))

        assert self.messages(tmp_path, ANN) == [HEAD + MESSAGE] * 24
        assert self.messages(tmp_path, BEN) == [HEAD + MESSAGE] * 24
        assert self.left_overs(tmp_path) == []

    def _deliver(self, store: Store[StagedT], *copies: Copy) -> None:
        outcomes = store.commit([store.stage(copy) for copy in copies])

        assert all(isinstance(outcome, Delivered) for outcome in outcomes), outcomes
        assert len(outcomes) == len(copies)


def _stage_and_roll_back(store: Store[StagedT], mailbox: Mailbox) -> None:
    store.stage(copy_for(mailbox)).roll_back()


def _refusal(attempt: Callable[[], None]) -> str | None:
    try:
        attempt()
    except PermanentError as error:
        return error.status
    return None
