# SPDX-License-Identifier: Apache-2.0
"""
A content on its way: in memory while it is small and there is room, else in a file nobody can find.
"""

import gc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.aio.spool import CHUNK_BYTES, MemoryBudget, Spool


def spool(*pieces, budget=None, threshold=100, folder=None):
    content = Spool(budget or MemoryBudget(1000), threshold, folder)
    for piece in pieces:
        content.write(piece)
    return content


class TestContent:
    @given(st.lists(st.binary(max_size=60)), st.integers(0, 200), st.integers(0, 400))
    def test_is_what_was_written_from_any_offset(self, pieces, start, budget):
        content = spool(*pieces, budget=MemoryBudget(budget))
        written = b"".join(pieces)

        assert len(written) == content.size_bytes
        assert written[start:] == b"".join(content.chunks(start))
        assert written == content.read()

    def test_comes_in_pieces_of_a_bounded_size(self):
        content = spool(b"x" * (3 * CHUNK_BYTES + 1))

        assert [CHUNK_BYTES] * 3 + [1] == [len(piece) for piece in content.chunks()]


class TestPlace:
    def test_is_memory_up_to_the_threshold(self):
        assert spool(b"x" * 100).is_in_memory
        assert not spool(b"x" * 101).is_in_memory

    def test_is_a_file_when_all_sessions_together_have_too_much(self):
        budget = MemoryBudget(150)
        first, second = spool(b"x" * 100, budget=budget), spool(b"x" * 100, budget=budget)

        assert first.is_in_memory
        assert not second.is_in_memory

    def test_memory_is_there_for_others_after_the_release(self):
        budget = MemoryBudget(150)
        first = spool(b"x" * 100, budget=budget)
        first.release()
        first.release()

        assert spool(b"x" * 100, budget=budget).is_in_memory
        assert b"x" * 100 == first.read()

    def test_memory_is_there_for_others_after_the_move_to_a_file(self):
        budget = MemoryBudget(100)
        moved = spool(b"x" * 60, b"x" * 60, budget=budget)

        assert not moved.is_in_memory
        assert spool(b"x" * 100, budget=budget).is_in_memory

    def test_file_has_no_name(self, tmp_path):
        content = spool(b"x" * 1000, folder=str(tmp_path))

        assert [] == list(tmp_path.iterdir())
        assert b"x" * 1000 == content.read()

    def test_file_is_closed_with_its_last_reader(self, tmp_path):
        def open_files():
            return len(list(Path("/proc/self/fd").iterdir()))

        gc.collect()  # what other tests have left to it must not be closed between the two counts
        before = open_files()
        content = spool(b"x" * (CHUNK_BYTES + 1), folder=str(tmp_path))
        reader = content.chunks()
        next(reader)
        del content

        assert b"x" == next(reader)

        del reader
        gc.collect()

        assert before == open_files()

    def test_file_that_can_not_be_made_is_an_os_error(self, tmp_path):
        with pytest.raises(OSError, match="missing"):
            spool(b"x" * 1000, folder=str(tmp_path / "missing"))
