# SPDX-License-Identifier: Apache-2.0
"""
What a server costs: processor time and memory of a process and all it started, read from /proc.

Not here: who is measured when (run.py). A process that ends while it is looked at counts as gone.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> Iterator[int]:
    """
    Yield a process and all its descendants.
    """
    yield pid
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """
    Return the processor time of a tree so far, children that have ended and been waited for among it.
    """
    return sum(map(_ticks, tree(pid))) / _TICKS_PER_SECOND


def memory_mib(pid: int) -> float:
    """
    Return the memory of a tree now, shared pages counted once (PSS).
    """
    return sum(map(_proportional_kib, tree(pid))) / 1024


def _ticks(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))  # user, system, and the same of the children waited for
    return 0


def _proportional_kib(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
