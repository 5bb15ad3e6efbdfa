# SPDX-License-Identifier: Apache-2.0
"""
The register of requirements: what standards, formats and the mistakes of others ask of a server.

Read from tests/requirements/*.toml: a title, and a table for each requirement, under its id. Not here: which tests
cover them (markers.py), what that amounts to (coverage.py). Raises RegisterError for a file that can't be used.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
"""The project's root folder."""
REGISTER: Final = ROOT / "tests/requirements"
"""Where the register is."""
LEVELS: Final = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "FACT", "CONV", "REC", "TRAP")
"""
The levels there are: five of RFC 2119; facts of a standard; conventions no standard has; recommendations of our own;
and what other servers got wrong.
"""


class RegisterError(ValueError):
    """
    A file of the register can't be used; the message has its name and the requirement.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """
    One thing that is asked of a server.
    """

    id: str
    """What tests call it."""
    level: str
    """How much it is asked: one of `LEVELS`."""
    clause: str
    """Who asks it, with the section."""
    says: str
    """What is asked, in a sentence of our own; of a trap, the mistake."""
    reason: str = ""
    """Why no test covers it; empty when one must."""


@dataclass(frozen=True, slots=True)
class Section:
    """
    The requirements of one standard.
    """

    name: str
    """The file's name without its suffix."""
    title: str
    """What it is called in a table."""
    requirements: tuple[Requirement, ...]
    """In the order of the file."""


def load(folder: Path = REGISTER) -> list[Section]:
    """
    Read the register, its files in the order of their names.

    Raises:
        RegisterError: a file is not as it should be, or two have the same id.
    """
    sections = [_section(path) for path in sorted(folder.glob("*.toml"))]
    seen: dict[str, str] = {}
    for section in sections:
        for requirement in section.requirements:
            if requirement.id in seen:
                raise RegisterError(f"{section.name}: {requirement.id} is in {seen[requirement.id]} already")
            seen[requirement.id] = section.name
    return sections


def _section(path: Path) -> Section:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
        title = tables.pop("title")
        return Section(path.stem, title, tuple(_requirement(name, table) for name, table in tables.items()))
    except (tomllib.TOMLDecodeError, KeyError, RegisterError) as error:
        raise RegisterError(f"{path.name}: {error}") from error


def _requirement(name: str, table: Mapping[str, Any]) -> Requirement:
    try:
        requirement = Requirement(id=name, **table)
    except TypeError as error:
        raise RegisterError(f"{name}: {error}") from error
    if requirement.level not in LEVELS:
        raise RegisterError(f"{name}: {requirement.level!r} is none of {', '.join(LEVELS)}")
    return requirement
