# SPDX-License-Identifier: Apache-2.0
"""
What commands print for people: plain into a pipe, in colour on a terminal unless ``NO_COLOR`` is set.

The only module that knows rich. Nothing of what is printed is taken for markup, and no line is ever broken.
"""

from rich.console import Console
from rich.text import Text


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
