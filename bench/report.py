# SPDX-License-Identifier: Apache-2.0
"""
Figures of a run as a table for the terminal, and as the page ``docs/explanation/benchmark.md``.

Ratios are taken pair by pair, each round's two servers against each other, and then their median: rates of
different minutes are not comparable. Pure: values in, text out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.contest import LOADS, MAILBOXES, OURS, SIZE_BYTES, THEIRS, Load, Measured


@dataclass(frozen=True, slots=True)
class Spread:
    """
    What several rounds gave.
    """

    least: float
    """The smallest."""
    middle: float
    """The median."""
    most: float
    """The largest."""

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """
        Take it of at least one value.
        """
        ordered = sorted(values)
        return cls(ordered[0], median(ordered), ordered[-1])


@dataclass(frozen=True, slots=True)
class Row:
    """
    One kind of load.
    """

    load: Load
    """Which."""
    ours: Sequence[Measured]
    """Our server's figures, a round each."""
    theirs: Sequence[Measured]
    """The other's, in the same order."""

    @property
    def ratio(self) -> Spread:
        """
        How many times the other's rate ours is.
        """
        return Spread.of(a.per_second / b.per_second for a, b in zip(self.ours, self.theirs, strict=True))


def rows_of(figures: Sequence[Measured]) -> list[Row]:
    """
    Sort the figures of a whole run by kind of load.
    """

    def of(server: str, load: Load) -> list[Measured]:
        chosen = [figure for figure in figures if figure.server == server and figure.load == load]
        return sorted(chosen, key=lambda figure: figure.number)

    return [Row(load, of(OURS, load), of(THEIRS, load)) for load in LOADS]


_COLUMNS = (
    "recipients", "sessions", f"{OURS}, msg/s", f"{THEIRS}, msg/s", "ratio (least to most)",
    "p50 ms", "p99 ms", "CPU ms/msg", "memory MiB",
)  # fmt: skip


def _cells(row: Row) -> list[str]:
    def both(values: Sequence[tuple[float, float]], digits: int) -> str:
        ours, theirs = (median(column) for column in zip(*values, strict=True))
        return f"{ours:.{digits}f} / {theirs:.{digits}f}"

    pairs = list(zip(row.ours, row.theirs, strict=True))
    return [
        str(row.load.recipients),
        str(row.load.sessions),
        f"{median(figure.per_second for figure in row.ours):.0f}",
        f"{median(figure.per_second for figure in row.theirs):.0f}",
        f"{row.ratio.middle:.1f} ({row.ratio.least:.1f} to {row.ratio.most:.1f})",
        both([(ours.p50_ms, theirs.p50_ms) for ours, theirs in pairs], 1),
        both([(ours.p99_ms, theirs.p99_ms) for ours, theirs in pairs], 1),
        both([(ours.cpu_ms, theirs.cpu_ms) for ours, theirs in pairs], 2),
        both([(ours.memory_mib, theirs.memory_mib) for ours, theirs in pairs], 0),
    ]


def table(figures: Sequence[Measured]) -> str:
    """
    Return the table, as Markdown that reads well on a terminal too.
    """
    lines = [list(_COLUMNS), *map(_cells, rows_of(figures))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [" | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = "|".join("-" * (width + 1) + ":" for width in widths)
    return "\n".join([f"| {texts[0]} |", f"|{rule}|", *(f"| {text} |" for text in texts[1:])])


def page(figures: Sequence[Measured], machine: Sequence[str], seconds: float) -> str:
    """
    Return the page of the documentation.

    Args:
        figures: Those of a whole run.
        machine: What it ran on, an item each.
        seconds: How long each load lasted.
    """
    rounds = max(figure.number for figure in figures)
    return f"""\
# How fast it is

`{OURS}` against the LMTP server of {THEIRS}, both out of the box: one process of ours, {THEIRS}'s default of
when to fsync, users in a file, Maildir, a log in a file.
Messages have {SIZE_BYTES} octets and go to {MAILBOXES} mailboxes over a Unix socket.
MAIL, RCPT and DATA are sent in one piece, as Postfix does.

Absolute numbers hold for one machine only: take the ratios.
Each is the median of {rounds} rounds of {seconds:g} seconds, taken pair by pair, the least and the most in brackets.
Where there are two figures, the first is ours.
Differences below 25 % mean nothing.

{table(figures)}

- p50, p99: milliseconds from MAIL to the last reply that half, or ninety-nine of a hundred, messages did not exceed.
- CPU: processor time of all processes of the server, per message.
- Memory: of all processes of the server, shared pages counted once.

The machine: {"; ".join(machine)}.

Where the time goes: eight sessions wait for the same two steps of a group, the fsync of the files and that of the
folders, and then for the interpreter's lock, as parsing, staging and replying share one processor.
At 32 sessions and with many recipients a group is larger and the disk's share per message smaller.
Two processes over the same Maildirs, each with half of eight sessions, stored 1.3 times as many messages as one
(median of 7 alternating rounds of 2 seconds on the same machine, in a run of its own).

`make bench` measures again.
Every round has fresh folders and no file is removed, not even at the end.
For some minutes ext4 creates files up to ten times slower where many were removed, and that would be what is measured.
"""
