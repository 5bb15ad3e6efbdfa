# SPDX-License-Identifier: Apache-2.0
"""
What is public is there, sorted and documented; no module and no function grows beyond what one can take in.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

import lmtp

SOURCE = Path(lmtp.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 45
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))


@cache
def tree_of(path):
    return ast.parse(path.read_text())


def is_public(name):
    return not name.startswith("_")


def is_docstring(statement):
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case _:
            return False


def undocumented_definitions(body, prefix=""):
    """
    Yield the public classes, functions and methods without a docstring; what is inside a function is nobody's.
    """
    for node in body:
        if isinstance(node, FUNCTION | ast.ClassDef) and is_public(node.name):
            name = f"{prefix}{node.name}"
            if ast.get_docstring(node) is None:
                yield name
            if isinstance(node, ast.ClassDef):
                yield from undocumented_definitions(node.body, f"{name}.")


def undocumented_attributes(tree):
    """
    Yield the public fields, members and attributes of public classes that no docstring line follows.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and is_public(node.name):
            for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
                match statement:
                    case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                        if is_public(name) and not is_docstring(following):
                            yield f"{node.name}.{name}"


class TestPublicNames:
    def test_are_sorted(self):
        constants = [name for name in lmtp.__all__ if name.isupper()]
        classes = [name for name in lmtp.__all__ if name[0].isupper() and not name.isupper()]
        functions = [name for name in lmtp.__all__ if name[0].islower()]

        assert lmtp.__all__ == [*sorted(constants), *sorted(classes), *sorted(functions)]

    def test_can_be_imported(self):
        assert all(hasattr(lmtp, name) for name in lmtp.__all__)

    def test_are_all_that_the_package_imports(self):
        imports = [node for node in tree_of(SOURCE / "__init__.py").body if type(node) is ast.ImportFrom]

        assert sorted(lmtp.__all__) == sorted(alias.name for node in imports for alias in node.names)

    @pytest.mark.parametrize("name", lmtp.__all__)
    def test_are_documented(self, name):
        value = getattr(lmtp, name)

        assert value.__doc__ or not isinstance(value, type)


@each_module
class TestModule:
    def test_opens_with_its_licence_and_what_it_is(self, path):
        text = path.read_text()

        assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
        assert ast.get_docstring(tree_of(path))

    def test_has_no_undocumented_definition(self, path):
        assert [] == list(undocumented_definitions(tree_of(path).body))

    def test_has_no_undocumented_field_or_member(self, path):
        assert [] == list(undocumented_attributes(tree_of(path)))

    def test_can_be_taken_in(self, path):
        functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, FUNCTION)]

        assert path.read_text().count("\n") < MAX_MODULE_LINES
        assert [] == [each.name for each in functions if each.end_lineno - each.lineno >= MAX_FUNCTION_LINES]
