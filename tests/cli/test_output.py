# SPDX-License-Identifier: Apache-2.0
"""
The screen that counts: a bar on a terminal alone, and work that outlives whoever reads.
"""

import os
import sys
from pathlib import Path

import pytest

from lmtp.cli.output import CountingScreen, Style


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")


class TestCountingScreen:
    @pytest.mark.usefixtures("terminal")
    def test_shows_a_bar_below_the_lines_on_a_terminal(self, capsys):
        with CountingScreen(2) as screen:
            screen.line(("[bold]", Style.PLAIN))
            screen.progress("1 of [2]")
            screen.progress("2 of [2]")

        out = capsys.readouterr().out
        assert "[bold]" in out
        assert "2 of [2]" in out

    def test_shows_none_elsewhere(self, capsys):
        with CountingScreen(None) as screen:
            screen.line(("text", Style.PLAIN))
            screen.progress("1 of 2")

        assert "text\n" == capsys.readouterr().out

    def test_that_is_silent_shows_nothing(self, capsys):
        with CountingScreen(1, is_silent=True) as screen:
            screen.line(("text", Style.PLAIN))
            screen.progress("1")

        assert "" == capsys.readouterr().out

    def test_goes_on_when_nobody_reads_any_more(self, monkeypatch):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            screen = CountingScreen(None)
            screen.line(("one", Style.PLAIN))
            screen.line(("two", Style.PLAIN))

            assert os.devnull == str(Path(f"/proc/self/fd/{writing}").readlink())
