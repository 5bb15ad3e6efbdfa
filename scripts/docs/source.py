# SPDX-License-Identifier: Apache-2.0
"""
What stands in a source file beside the code: the docstring lines below fields, enum members and constants.

Reads text, imports nothing. Raises OSError for a file that is not there.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[2] / "src/lmtp"
"""Where the sources are."""


@cache
def module(name: str) -> ast.Module:
    """
    Return a module's tree by its dotted name.
    """
    return ast.parse(_text(name))


def written_as(name: str, statement: ast.stmt) -> str:
    """
    Return a statement of a module as it stands there.
    """
    return ast.get_source_segment(_text(name), statement) or ""


def _text(name: str) -> str:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def name_of(statement: ast.stmt) -> str | None:
    """
    Return the name an assignment, a class or a function defines; None when it defines none, or several.
    """
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case _:
            return None


def docstring_below(statement: ast.stmt) -> str | None:
    """
    Return the text of a statement that is nothing but a docstring.
    """
    match statement:
        case ast.Expr(value=ast.Constant(value=str() as text)):
            return " ".join(text.split())
        case _:
            return None


def assigned(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign, str]]:
    """
    Yield the names a body assigns, with the statement and the docstring line below it, which may be empty.
    """
    for statement, following in pairwise([*body, ast.Pass()]):
        name = name_of(statement)
        if name and isinstance(statement, ast.Assign | ast.AnnAssign):
            yield name, statement, docstring_below(following) or ""


def described(dotted: str, name: str) -> dict[str, str]:
    """
    Return the docstring lines of a class' fields or members.

    Args:
        dotted: The module.
        name: The class.
    """
    (body,) = [each.body for each in module(dotted).body if isinstance(each, ast.ClassDef) and each.name == name]
    return {field: text for field, _, text in assigned(body)}
