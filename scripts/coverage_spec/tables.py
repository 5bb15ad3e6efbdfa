# SPDX-License-Identifier: Apache-2.0
"""
The requirements and their tests as text for a terminal, as JSON, and as the list in docs/standards.md.
"""

import json
from collections.abc import Iterable, Iterator

from scripts.coverage_spec.coverage import Chapter, State, chapters
from scripts.coverage_spec.markers import collect
from scripts.coverage_spec.register import load
from scripts.docs.markdown import code, table


def as_text(found: Iterable[Chapter]) -> str:
    """
    Return a line for each requirement, its further tests below it, under the titles of the sections.
    """
    lines: list[str] = []
    for chapter in found:
        rows = [
            (row.requirement.id, row.requirement.clause, row.state.value, row.tests or (row.requirement.reason,))
            for row in chapter.rows
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines += ["", chapter.title]
        for *cells, tests in rows:
            head = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            lines += [f"  {head}  {tests[0]}".rstrip(), *(f"  {'':{len(head)}}  {test}" for test in tests[1:])]
    return "\n".join(lines[1:])


def summary(found: Iterable[Chapter]) -> str:
    """
    Return how many requirements of each section are in each state, and of all together.
    """
    counts = {chapter.title: [chapter.count(state) for state in State] for chapter in found}
    counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)]
    rows = [["", *(state.value for state in State)], *([title, *map(str, row)] for title, row in counts.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for name, *cells in rows
    )


def as_json(found: Iterable[Chapter], problems: list[str]) -> str:
    """
    Return all of it for a machine: requirements in a list, and what must not be in another.
    """
    return json.dumps({"requirements": list(_records(found)), "problems": problems}, indent=2, ensure_ascii=False)


def _records(found: Iterable[Chapter]) -> Iterator[dict[str, object]]:
    for chapter in found:
        for row in chapter.rows:
            requirement = row.requirement
            yield {
                "id": requirement.id,
                "section": chapter.name,
                "level": requirement.level,
                "clause": requirement.clause,
                "says": requirement.says,
                "state": row.state.name.lower(),
                "tests": row.tests,
                "reason": requirement.reason,
            }


def not_covered() -> str:
    """
    Return the requirements that no test covers, with the reasons, for the manual.
    """
    rows = [row for chapter in chapters(load(), collect()) for row in chapter.rows if row.state is State.REASON]
    return table(
        ("Id", "Asked by", "What is asked", "Why no test covers it"),
        [(code(each.id), each.clause, each.says, each.reason) for each in (row.requirement for row in rows)],
    )
