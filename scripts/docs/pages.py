# SPDX-License-Identifier: Apache-2.0
"""
Which files of the manual hold something that is made from the code, and what they must be.

A block of a page lies between ``<!-- begin: name -->`` and ``<!-- end: name -->``; all else is written by people.
Not here: what a block says (protocol.py, settings.py, log.py, api.py, and tables.py of scripts/coverage_spec).
Raises KeyError for a block nobody makes.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scripts.coverage_spec import tables
from scripts.docs import api, log, manpages, protocol, settings

ROOT: Final = Path(__file__).parents[2]
"""The project's root folder."""
BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "dialects": protocol.dialects,
    "phases-diagram": protocol.phases_diagram,
    "phases-table": protocol.phases_table,
    "extensions": protocol.extensions,
    "replies-to-commands": protocol.replies_to_commands,
    "replies-to-recipients": protocol.replies_to_recipients,
    "replies-to-os-errors": protocol.replies_to_os_errors,
    "settings": settings.settings,
    "units": settings.units,
    "command-line": settings.command_line,
    "send-statuses": settings.send_statuses,
    "log-events": log.events,
    "log-levels": log.levels,
    "python-api": api.names,
    "requirements-not-covered": tables.not_covered,
    "example-inbox": lambda: _example("inbox"),
    "example-tickets": lambda: _example("tickets"),
    "example-engine": lambda: _example("engine"),
}
"""What makes each block."""

_BLOCK: Final = re.compile(r"(<!-- begin: (?P<name>[a-z-]+) -->\n).*?(<!-- end: (?P=name) -->)", re.DOTALL)


def _example(name: str) -> str:
    lines = (ROOT / f"examples/{name}.py").read_text().splitlines()
    return "\n".join(["```python", *lines[1:], "```"])


def blocks_in(text: str) -> list[str]:
    """
    Return the names of the blocks of a page.
    """
    return [match["name"] for match in _BLOCK.finditer(text)]


def filled(text: str) -> str:
    """
    Return a page with its blocks as the code has them now.
    """
    return _BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match['name']]()}\n\n{match[3]}", text)


def pages() -> list[Path]:
    """
    Return all pages people read: those of docs/, and those in the root folder.
    """
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def written() -> dict[Path, str]:
    """
    Return what each file that holds something made from the code must be.
    """
    texts = {path: path.read_text() for path in pages()}
    from_blocks = {path: filled(text) for path, text in texts.items() if blocks_in(text)}
    return from_blocks | {ROOT / "docs/man" / name: text for name, text in manpages.all_pages().items()}
