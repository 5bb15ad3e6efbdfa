# SPDX-License-Identifier: Apache-2.0
"""
What the keys of a settings file are: their names, types, defaults and help, read off the dataclasses that hold them.

Nothing is written twice: the help of a key is the docstring line of its field. Called by load.py for errors and by
what prints or checks the manual. Knows no particular schema.
"""

import ast
import enum
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from lmtp.config.units import size_text


@dataclass(frozen=True, slots=True)
class Key:
    """
    One key of a settings file.
    """

    name: str
    """Its name, dotted: ``limits.recipients``."""
    words: str
    """What it takes, in words."""
    default: str
    """What it is when nobody says, as TOML has it; empty: it must be said when its table is there."""
    help: str
    """What it is for, in a sentence."""


UNIT_WORDS: Final[Mapping[str, str]] = {
    "_bytes": "a number of octets or text such as '50 MiB'",
    "_seconds": "a number of seconds or text such as '5 min'",
    "_mode": "permission bits such as 0o600",
}
"""What a key takes whose name ends so."""

_WORDS: Final[Mapping[object, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of text",
    Path: "a path",
}


def describe(section: type, prefix: str = "") -> Iterator[Key]:
    """
    Yield all keys below a dataclass of settings, depth first, in the order of their fields.

    Args:
        section: The dataclass.
        prefix: The dotted name of the table it stands for, with a dot at its end.
    """
    for field in fields(section):
        name = f"{prefix}{field.name}"
        inner = section_at(section, field.name)
        if inner is None:
            yield Key(name, words_for(section, field.name), _default_text(field), help_of(section)[field.name])
        else:
            yield from describe(inner, f"{name}.")


def section_at(section: type, name: str) -> type | None:
    """
    Return the dataclass behind a key when the key is a table, also one that may be left out.
    """
    hint = _hints(section)[name]
    inner = next(iter(get_args(hint)), hint) if NoneType in get_args(hint) else hint
    return inner if isinstance(inner, type) and is_dataclass(inner) else None


def words_for(section: type, name: str) -> str:
    """
    Return what a key takes, in words.
    """
    if section_at(section, name) is not None:
        return "a table"
    for suffix, words in UNIT_WORDS.items():
        if name.endswith(suffix):
            return words
    hint = _hints(section)[name]
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if isinstance(plain, type) and issubclass(plain, enum.StrEnum):
        return "one of " + ", ".join(repr(str(member)) for member in plain)
    if isinstance(plain, type) and issubclass(plain, enum.Flag):
        return "a list of " + ", ".join(repr(str(member.name).lower()) for member in plain)
    return _WORDS.get(get_origin(plain) or plain, "text")


@cache
def help_of(section: Any) -> Mapping[str, str]:  # noqa: ANN401 - mypy does not take classes for hashable
    """
    Return the docstring lines of a dataclass' fields, by name, each as one line.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(section)))
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    helps: dict[str, str] = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                helps[name] = " ".join(text.split())
    return helps


@cache
def _hints(section: Any) -> Mapping[str, Any]:  # noqa: ANN401 - mypy does not take classes for hashable
    return get_type_hints(section, include_extras=True)


def _default_text(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        return _toml(field.name, field.default_factory())
    return "" if field.default is MISSING else _toml(field.name, field.default)


def _toml(name: str, value: object) -> str:
    """
    Return a default as one would write it.
    """
    match value:
        case enum.Flag():
            return _toml(name, tuple(str(member.name).lower() for member in value))
        case tuple():
            return f"[{', '.join(_toml(name, item) for item in value)}]"
        case int() if name.endswith("_mode"):
            return oct(value)
        case int() if name.endswith("_bytes"):
            return f'"{size_text(value)}"'
        case int() | float():
            return json.dumps(value)
        case _:
            return json.dumps(str(value))
