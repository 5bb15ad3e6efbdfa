# SPDX-License-Identifier: Apache-2.0
"""
What the register and the markers amount to: requirements that are covered, that need not be, and that are missing.

Pure. Not here: where both come from (register.py, markers.py) and how it is printed (tables.py).
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scripts.coverage_spec.register import Requirement, Section


class State(enum.Enum):
    """
    What is known of a requirement.
    """

    COVERED = "covered"
    """A test carries its id."""
    REASON = "reason"
    """The register says why none does."""
    MISSING = "MISSING"
    """None does, and nobody says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """
    A requirement and the tests that cover it.
    """

    requirement: Requirement
    """What is asked."""
    tests: tuple[str, ...]
    """Who says that it is done."""

    @property
    def state(self) -> State:
        """
        What that amounts to.
        """
        if self.tests:
            return State.COVERED
        return State.REASON if self.requirement.reason else State.MISSING


@dataclass(frozen=True, slots=True)
class Chapter:
    """
    The rows of one section of the register.
    """

    name: str
    """The section's name."""
    title: str
    """The section's title."""
    rows: tuple[Row, ...]
    """In the order of the register."""

    def count(self, state: State) -> int:
        """
        Return how many rows are in a state.
        """
        return sum(row.state is state for row in self.rows)


def chapters(sections: Iterable[Section], tests: Mapping[str, list[str]]) -> list[Chapter]:
    """
    Lay tests beside the requirements they name.
    """
    return [
        Chapter(
            section.name,
            section.title,
            tuple(Row(each, tuple(tests.get(each.id, ()))) for each in section.requirements),
        )
        for section in sections
    ]


def problems(found: Iterable[Chapter], tests: Mapping[str, list[str]]) -> Iterator[str]:
    """
    Yield what must not be, a line each: a test missing, a reason for what is covered, an id nobody knows.
    """
    rows = [row for chapter in found for row in chapter.rows]
    for row in rows:
        if row.state is State.MISSING:
            yield f"{row.requirement.id}: no test carries it"
        if row.tests and row.requirement.reason:
            yield f"{row.requirement.id}: the register has a reason why no test covers it, and {row.tests[0]} does"
    known = {row.requirement.id for row in rows}
    for name in sorted(tests.keys() - known):
        yield f"{name}: {tests[name][0]} names it, and the register does not"
