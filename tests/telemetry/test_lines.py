# SPDX-License-Identifier: Apache-2.0
"""
Lines on a thread: in order, never waited for, and counted when they are lost.
"""

import errno
import os

import pytest

from lmtp.telemetry.lines import LineWriter


@pytest.fixture
def pipe():
    """
    A pipe as (reading end, writing end); a test may close either.
    """
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def fill(fd):
    """
    Write until the pipe takes no more; how many octets that were.
    """
    os.set_blocking(fd, False)
    written = 0
    try:
        while True:
            written += os.write(fd, b"x" * 4096)
    except BlockingIOError:
        return written
    finally:
        os.set_blocking(fd, True)


def read_all(fd):
    octets = b""
    while chunk := os.read(fd, 65536):
        octets += chunk
    return octets.decode().splitlines()


def lost_line(count):
    return f"{count} lost"


class TestLineWriter:
    def test_writes_lines_in_order(self, pipe):
        reader, fd = pipe
        writer = LineWriter(fd, lost_line)
        for number in range(500):
            writer.write(f"line {number}")
        writer.close()
        os.close(fd)

        assert [f"line {number}" for number in range(500)] == read_all(reader)

    def test_a_reader_who_has_stopped_costs_lines_and_no_waiting(self, pipe):
        reader, fd = pipe
        filled = fill(fd)
        writer = LineWriter(fd, lost_line, max_lines=10)
        for number in range(1000):
            writer.write(f"line {number}")
        os.read(reader, filled)
        writer.close()
        os.close(fd)
        *written, last = read_all(reader)

        assert [f"line {number}" for number in range(len(written))] == written
        assert f"{1000 - len(written)} lost" == last

    def test_a_reader_who_never_comes_back_does_not_hold_up_the_end(self, pipe):
        _, fd = pipe
        fill(fd)
        writer = LineWriter(fd, lost_line)
        writer.write("line")
        writer.close(timeout_seconds=0.01)

        assert writer._thread.is_alive()

    def test_a_closed_reading_end_is_no_error(self, pipe):
        reader, fd = pipe
        os.close(reader)
        writer = LineWriter(fd, lost_line)
        writer.write("line")
        writer.close()

        assert not writer._thread.is_alive()

    def test_a_closed_descriptor_is_no_error(self, pipe):
        _, fd = pipe
        os.close(fd)
        writer = LineWriter(fd, lost_line)
        writer.write("line")
        writer.close()

        assert not writer._thread.is_alive()

    def test_what_failed_is_told_when_the_descriptor_heals(self, pipe, monkeypatch):
        reader, fd = pipe
        write = os.write
        full = [OSError(errno.ENOSPC, "No space left on device")]

        def write_to_disk(target, octets):
            if full:
                raise full.pop()
            return write(target, octets)

        monkeypatch.setattr(os, "write", write_to_disk)
        writer = LineWriter(fd, lost_line)
        writer._write_batch(["a", "b"])
        writer._write_batch(["c"])
        writer.close()
        os.close(fd)

        assert ["c", "2 lost"] == read_all(reader)

    def test_a_descriptor_that_others_made_non_blocking_loses_nothing(self, pipe, monkeypatch):
        reader, fd = pipe
        write = os.write
        refusals = [BlockingIOError(), BlockingIOError()]

        def write_or_refuse(target, octets):
            if refusals:
                raise refusals.pop()
            return write(target, octets[:7])

        monkeypatch.setattr(os, "write", write_or_refuse)
        writer = LineWriter(fd, lost_line)
        writer.write("a line that takes several writes")
        writer.close()
        os.close(fd)

        assert ["a line that takes several writes"] == read_all(reader)

    def test_text_that_is_no_unicode_is_spelled_out(self, pipe):
        reader, fd = pipe
        writer = LineWriter(fd, lost_line)
        writer.write("J\udcf6rg")
        writer.close()
        os.close(fd)

        assert ["J\\udcf6rg"] == read_all(reader)
