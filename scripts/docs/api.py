# SPDX-License-Identifier: Apache-2.0
"""
What the manual says about the public names of the package: signatures and docstrings, read off the sources.

Sections follow the modules the names come from. Nothing is imported, so nothing depends on the Python that runs.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from scripts.docs.markdown import code, table
from scripts.docs.source import assigned, module, name_of, written_as

Function = ast.FunctionDef | ast.AsyncFunctionDef

_SECTION: Final = re.compile(r"(Args|Returns|Raises):")
_COMMENT: Final = re.compile(r"  # .*")
_ENTRY: Final = re.compile(r"    (?P<name>[\w*]+): (?P<text>.*)")


def public_names() -> dict[str, str]:
    """
    Return the names of the package, each with the module it comes from, in the order of the imports.
    """
    imports = [each for each in module("lmtp").body if isinstance(each, ast.ImportFrom)]
    return {alias.name: str(each.module) for each in imports for alias in each.names}


def names() -> str:
    """
    Return a section for each module and below it one for each name.
    """
    parts: list[str] = []
    modules = public_names()
    for dotted in dict.fromkeys(modules.values()):
        summary = prose(ast.get_docstring(module(dotted)) or "").partition("\n\n")[0]
        parts += [f"## From `{dotted}`", summary]
        parts += [part for name, home in modules.items() if home == dotted for part in _entry(dotted, name)]
    return "\n\n".join(parts)


def _entry(dotted: str, name: str) -> Iterator[str]:
    yield f"### `{name}`"
    body = module(dotted).body
    for statement in body:
        if name_of(statement) != name:
            continue
        match statement:
            case ast.ClassDef():
                yield from _class(dotted, statement)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield _signature(dotted, statement)
                yield prose(ast.get_docstring(statement) or "")
            case ast.Assign() | ast.AnnAssign():
                yield f"```python\n{written_as(dotted, statement)}\n```"
                yield {each: text for each, _, text in assigned(body)}[name]


def _class(dotted: str, tree: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(map(ast.unparse, tree.bases))
    yield f"```python\nclass {tree.name}({bases})\n```" if bases else f"```python\nclass {tree.name}\n```"
    yield prose(ast.get_docstring(tree) or "")
    if rows := list(_attributes(tree)):
        yield table(("Attribute", "Type", "Default", "What it is"), rows)
    for method in tree.body:
        if isinstance(method, Function) and _is_public(method.name) and not _is_property(method):
            yield f"#### `{tree.name}.{method.name}`"
            yield _signature(dotted, method)
            yield prose(ast.get_docstring(method) or "")


def _attributes(tree: ast.ClassDef) -> Iterator[tuple[str, str, str, str]]:
    yield from _assigned_attributes(tree.body)
    for method in tree.body:
        if isinstance(method, Function) and method.name == "__init__":
            yield from _instance_attributes(method)
        elif isinstance(method, Function) and _is_public(method.name) and _is_property(method):
            kind = ast.unparse(method.returns) if method.returns else ""
            yield code(method.name), code(kind), "", prose(ast.get_docstring(method) or "").replace("\n", " ")


def _assigned_attributes(body: list[ast.stmt]) -> Iterator[tuple[str, str, str, str]]:
    for name, statement, text in assigned(body):
        if _is_public(name) and text:
            kind = ast.unparse(statement.annotation) if isinstance(statement, ast.AnnAssign) else ""
            default = ast.unparse(statement.value) if statement.value else ""
            yield code(name), code(kind), code(default), text


def _instance_attributes(method: Function) -> Iterator[tuple[str, str, str, str]]:
    arguments = {each.arg: each.annotation for each in [*method.args.args, *method.args.kwonlyargs]}
    for statement, following in zip(method.body, [*method.body[1:], ast.Pass()], strict=True):
        match statement, following:
            case (
                ast.Assign(targets=[ast.Attribute(attr=name)]) | ast.AnnAssign(target=ast.Attribute(attr=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ) if _is_public(name):
                yield code(name), code(_kind(statement, arguments)), "", " ".join(text.split())


def _kind(statement: ast.stmt, arguments: Mapping[str, ast.expr | None]) -> str:
    """
    Return the type of an attribute as it is written, else that of the argument or the class it comes from.
    """
    match statement:
        case ast.AnnAssign(annotation=annotation):
            return ast.unparse(annotation)
        case ast.Assign(value=ast.Name(id=name)):
            annotation = arguments.get(name)
            return ast.unparse(annotation) if annotation else ""
        case ast.Assign(value=ast.Call(func=ast.Name(id=name))) if name[0].isupper():
            return name
        case _:
            return ""


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _is_property(method: Function) -> bool:
    return any(ast.unparse(each) == "property" for each in method.decorator_list)


def _signature(dotted: str, function: Function) -> str:
    """
    Return the head of a function as it stands in its source, without what linters are told there.
    """
    head = written_as(dotted, function).splitlines()[: function.body[0].lineno - function.lineno]
    lines = textwrap.dedent(" " * function.col_offset + "\n".join(head)).splitlines()
    decorators = [f"@{ast.unparse(each)}" for each in function.decorator_list]
    text = "\n".join([*decorators, *(_COMMENT.sub("", line) for line in lines)])
    return f"```python\n{text.removesuffix(':')}\n```"


def prose(docstring: str) -> str:
    """
    Return a docstring as Markdown: its sections of arguments, results and errors become lists.
    """
    lines: list[str] = []
    for line in inspect.cleandoc(docstring).splitlines():
        entry = _ENTRY.fullmatch(line)
        if _SECTION.fullmatch(line):
            lines += [f"*{line.removesuffix(':')}*", ""]
        elif entry:
            lines.append(f"- `{entry['name']}`: {entry['text']}")
        else:
            lines.append(f"  {line.strip()}" if line.startswith("     ") else line.strip())
    return "\n".join(lines)
