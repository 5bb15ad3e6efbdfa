# SPDX-License-Identifier: Apache-2.0
"""
Imports go one way: the contracts of pyproject.toml hold, and each third-party package has one driver.
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import lmtp

SOURCE = Path(lmtp.__file__).parent
PROJECT = Path(__file__).parents[1]
DRIVERS = {
    "click": "lmtp.cli",
    "hypothesis": "lmtp.testing.strategies",
    "idna": "lmtp.config.domains",
    "passlib": "lmtp.auth.passwords",
    "pydantic": "lmtp.config.schema",
    "pytest": "lmtp.testing.pytest_plugin",
    "rich": "lmtp.cli.output",
    "scramp": "lmtp.auth.scram",
    "structlog": "lmtp.telemetry.logs",
    "uvloop": "lmtp.service.loop",
}
"""Where each third-party package may be imported: a module, or a room."""


def imported_packages(path):
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str() as module, level=0):
                yield module.partition(".")[0]


def importers_of_third_parties():
    importers = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        module = ".".join(("lmtp", *path.relative_to(SOURCE).with_suffix("").parts))
        for package in imported_packages(path):
            if package != "lmtp" and package not in sys.stdlib_module_names:
                importers[package].add(module)
    return importers


class TestImports:
    def test_keep_the_contracts(self, monkeypatch, capsys):
        cli = pytest.importorskip("importlinter.cli", reason="import-linter is installed for one Python alone")
        monkeypatch.chdir(PROJECT)

        assert 0 == cli.lint_imports(no_logo=True), capsys.readouterr().out

    def test_of_third_parties_are_those_of_the_drivers(self):
        for package, modules in importers_of_third_parties().items():
            driver = DRIVERS[package]
            assert all(module == driver or module.startswith(f"{driver}.") for module in modules), modules

    def test_of_relative_names_are_not_used(self):
        for path in SOURCE.rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text()))
            assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level], path
