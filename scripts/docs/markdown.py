# SPDX-License-Identifier: Apache-2.0
"""
Tables and sentences in Markdown. Pure; knows nothing of what they are about.
"""

import inspect
from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    Return a table; a bar inside a cell is escaped.
    """
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """
    Return text in the type of a machine; nothing for nothing.
    """
    return f"`{text}`" if text else ""


def first_paragraph(documented: object) -> str:
    """
    Return the first paragraph of a docstring as one line.
    """
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())
