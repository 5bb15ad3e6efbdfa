# SPDX-License-Identifier: Apache-2.0
"""
What commands print for people: plain into a pipe, in colour on a terminal unless ``NO_COLOR`` is set.

The only module that knows rich. Nothing of what is printed is taken for markup, and no line is ever broken.
"""

import enum
import os
import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text


class Style(enum.Enum):
    """
    What a piece of a line is.
    """

    PLAIN = ""
    """Nothing special."""
    STRONG = "bold"
    """A headline."""
    DIM = "dim"
    """What one may overlook."""
    GOOD = "green"
    """As it should be."""
    BAD = "bold red"
    """As it should not."""
    DOUBTFUL = "yellow"
    """Neither."""


def tell(label: str, text: str) -> None:
    """
    Print a line on standard output, at once, with its label set off.
    """
    _print(Console(soft_wrap=True), Text.assemble((f"{label} ", "bold"), text))


def complain(text: str) -> None:
    """
    Print each line of a text on standard error, as what went wrong.
    """
    console = Console(stderr=True, soft_wrap=True)
    for line in text.splitlines():
        _print(console, Text.assemble(("lmtp: ", "bold red"), line))


def _print(console: Console, text: Text) -> None:
    console.print(text, highlight=False, emoji=False)
    console.file.flush()


class Screen:
    """
    Lines of several styles on standard output and, on a terminal, how far the work has come below them.

    Args:
        is_silent: Nothing is printed.
    """

    def __init__(self, *, is_silent: bool = False) -> None:
        self._console = Console(soft_wrap=True, quiet=is_silent)
        self._status = self._console.status("")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._status.stop()

    def line(self, *pieces: tuple[str, Style]) -> None:
        """
        Print a line of pieces.
        """
        _print(self._console, Text.assemble(*((text, style.value) for text, style in pieces)))

    def progress(self, text: str) -> None:
        """
        Say how far the work has come; only a terminal shows it.
        """
        self._status.update(Text(text))


class CountingScreen(Screen):
    """
    A screen with a bar of how many of something have come; who reads the lines may go, the work goes on.

    Args:
        total: How many will come; None: nobody knows.
        is_silent: Nothing is printed.
    """

    def __init__(self, total: int | None, *, is_silent: bool = False) -> None:
        super().__init__(is_silent=is_silent)
        self._console = _Tireless(soft_wrap=True, quiet=is_silent)
        text = TextColumn("{task.description}", markup=False)
        self._bar = Progress(BarColumn(), text, console=self._console, transient=True)
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:  # else it would print an empty line
            self._bar.stop()

    def progress(self, text: str) -> None:
        """
        Note that one more has come, and say how far that is; only a terminal shows it.
        """
        self._bar.update(self._task, advance=1, description=text)


class _Tireless(Console):
    """
    A console nobody may be left to read: what is printed from then on goes nowhere.
    """

    def on_broken_pipe(self) -> None:
        """
        Close the pipe, so that nothing fails on it when Python ends.
        """
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
