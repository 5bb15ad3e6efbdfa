# SPDX-License-Identifier: Apache-2.0
"""
Which tests say that they cover which requirements: the marker ``guards`` and the ``covers:`` lines of transcripts.

Python is read, not run: no test has to be collected, and no program of another project installed, to know.
Raises MarkerError for a marker that can't be read or stands where no test is, DialogueError for a bad transcript.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeGuard

from lmtp.testing.dialogues import load_dialogues
from scripts.coverage_spec.register import ROOT

TESTS: Final = ROOT / "tests"
"""Where the tests are."""

_MARKER: Final = "pytest.mark.guards"

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class MarkerError(ValueError):
    """
    A marker can't be read; the message has its file and line.
    """


def collect(folder: Path = TESTS) -> dict[str, list[str]]:
    """
    Return the tests that carry each id: Python's as pytest names them, transcripts by their file.

    Raises:
        MarkerError: a marker names an id that is no string literal, or stands on something that is no test.
        DialogueError: a transcript can't be understood.
    """
    tests: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for name, test in marked(path.read_text("utf-8"), path.relative_to(folder.parent).as_posix()):
            tests[name].append(test)
    transcripts = folder / "dialogues"
    for dialogue in load_dialogues(transcripts):
        for name in dialogue.covers:
            tests[name].append(f"{(transcripts / dialogue.name).relative_to(folder.parent).as_posix()}.txt")
    return dict(tests)


def marked(source: str, path: str) -> Iterator[tuple[str, str]]:
    """
    Yield the ids a Python file names, each with its test.

    Raises:
        MarkerError: see `collect`.
    """
    tree = ast.parse(source)
    understood: set[ast.AST] = set()
    for marker, test in _on_tests(tree, path):
        understood.add(marker)
        for argument in marker.args:
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise MarkerError(f"{path}:{argument.lineno}: an id is a string literal")
            yield argument.value, test
    for node in ast.walk(tree):
        if _is_marker(node) and node not in understood:
            raise MarkerError(f"{path}:{node.lineno}: this marker is on no test")


def _on_tests(parent: ast.Module | ast.ClassDef, path: str) -> Iterator[tuple[ast.Call, str]]:
    for child in parent.body:
        if isinstance(child, Definition) and _is_collected(child):
            name = f"{path}::{child.name}"
            yield from ((each, name) for each in child.decorator_list if _is_marker(each))
            if isinstance(child, ast.ClassDef):
                yield from _on_tests(child, name)
        elif _is_pytestmark(child):
            yield from ((each, path) for each in ast.walk(child) if _is_marker(each))


def _is_collected(definition: Definition) -> bool:
    return definition.name.startswith("Test" if isinstance(definition, ast.ClassDef) else "test_")


def _is_pytestmark(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id="pytestmark")]):
            return True
        case _:
            return False


def _is_marker(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == _MARKER
