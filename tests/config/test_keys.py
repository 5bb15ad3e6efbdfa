# SPDX-License-Identifier: Apache-2.0
"""
Keys are read off the dataclasses: names, words, defaults and help.
"""

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

from lmtp.config.keys import Key, describe, section_at, words_for


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Taste(enum.Flag):
    NONE = 0
    SWEET = enum.auto()
    SOUR = enum.auto()


@dataclass(frozen=True)
class Cup:
    """
    A table.
    """

    path: Path
    """Where it stands."""
    size_bytes: int = 2048
    """How much
    goes in."""


@dataclass(frozen=True, slots=True)
class Kitchen:
    """
    All of it.
    """

    name: str = "mine"
    """Its name."""
    count: Annotated[int, "positive"] = 3
    """How many."""
    share: float = 0.5
    """How much of it."""
    is_open: bool = True
    """Whether one may enter."""
    boil_seconds: float = 1.5
    """How long."""
    door_mode: int = 0o750
    """Who may enter."""
    colour: Colour = Colour.RED
    """How it looks."""
    taste: Annotated[Taste, "read"] = Taste.SOUR
    """How it tastes."""
    shelves: tuple[str, ...] = field(default_factory=lambda: ("top", "bottom"))
    """What is where."""
    cup: Cup = field(default_factory=lambda: Cup(Path("sink")))
    """The cup."""
    spare: Cup | None = None
    """Another one."""


SIZE = "a number of octets or text such as '50 MiB'"


class TestDescribe:
    def test_yields_every_key_with_words_default_and_help(self):
        assert [
            Key("name", "text", '"mine"', "Its name."),
            Key("count", "a whole number", "3", "How many."),
            Key("share", "a number", "0.5", "How much of it."),
            Key("is_open", "true or false", "true", "Whether one may enter."),
            Key("boil_seconds", "a number of seconds or text such as '5 min'", "1.5", "How long."),
            Key("door_mode", "permission bits such as 0o600", "0o750", "Who may enter."),
            Key("colour", "one of 'red', 'blue'", '"red"', "How it looks."),
            Key("taste", "a list of 'sweet', 'sour'", '["sour"]', "How it tastes."),
            Key("shelves", "a list of text", '["top", "bottom"]', "What is where."),
            Key("cup.path", "a path", "", "Where it stands."),
            Key("cup.size_bytes", SIZE, '"2 KiB"', "How much goes in."),
            Key("spare.path", "a path", "", "Where it stands."),
            Key("spare.size_bytes", SIZE, '"2 KiB"', "How much goes in."),
        ] == list(describe(Kitchen))


class TestSectionAt:
    @pytest.mark.parametrize(("name", "section"), [("cup", Cup), ("spare", Cup), ("name", None), ("taste", None)])
    def test_is_the_dataclass_of_a_table(self, name, section):
        assert section is section_at(Kitchen, name)

    def test_has_words_of_its_own(self):
        assert "a table" == words_for(Kitchen, "spare")
