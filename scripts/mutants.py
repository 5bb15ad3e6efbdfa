# SPDX-License-Identifier: Apache-2.0
"""
Say which mutants of the engine no test has noticed; ends with status 1 when one of them has no written reason.

Run by `make mutants`, as ``python -m scripts.mutants [PATTERN]…`` where mutmut has run. A reason stands in
tests/protocol/survivors.toml: a regular expression for the changed line and, below it, for what became of it.
A reason that no survivor needs is as bad, for it may let another one live.
"""

import fnmatch
import re
import signal
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mutmut.__main__ import collect_source_file_mutation_data
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

REASONS: Final = Path("tests/protocol/survivors.toml")
NOTICED: Final = {1, -signal.SIGXCPU}
"""How pytest ends for a mutant that a test notices: with a failure, or, when it would never end, by mutmut's signal."""


def mutants(patterns: list[str]) -> Iterator[tuple[str, int | None]]:
    """
    Yield the name of each mutant the patterns name, and how pytest ended for it.
    """
    found, _ = collect_source_file_mutation_data(mutant_names=())
    for _, name, exit_code in found:
        if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            yield name, exit_code


def change(name: str) -> str:
    """
    Return the line that was changed and what became of it, without their indentation.
    """
    lines = get_diff_for_mutant(name).splitlines()[2:]
    return "\n".join(line[1:].strip() for sign in "-+" for line in lines if line.startswith(sign))


def explains(row: dict[str, str], survivor: tuple[str, str]) -> bool:
    """
    Say whether a row of the reasons is about a survivor: its name, and its change.
    """
    name, text = survivor
    return name.startswith(row["where"]) and re.fullmatch(row["change"], text) is not None


def main() -> int:
    """
    Print the survivors that have no reason, the reasons that no survivor needs, and how many of all there are.
    """
    rows = tomllib.loads(REASONS.read_text("utf-8"))["survivor"]
    seen = dict(mutants(sys.argv[1:]))
    survivors = [(name, change(name)) for name, exit_code in seen.items() if exit_code not in NOTICED]
    unexplained = [survivor for survivor in survivors if not any(explains(row, survivor) for row in rows)]
    for name, text in unexplained:
        print(f"{name} ({status_by_exit_code[seen[name]]})\n{text}\n")
    unneeded = [row for row in rows if not sys.argv[1:] and not any(explains(row, each) for each in survivors)]
    for row in unneeded:
        print(f"Nothing survives because {row['because']}: {row['change']}\n")
    print(f"{len(seen)} mutants, {len(survivors)} survive, {len(unexplained)} of them for no reason")
    return 1 if unexplained or unneeded else 0


if __name__ == "__main__":
    sys.exit(main())
