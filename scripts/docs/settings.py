# SPDX-License-Identifier: Apache-2.0
"""
What the manual says about what can be set: the keys of ``lmtp.toml`` and the options of the command line.
"""

import enum
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import click

from lmtp.cli.app import app
from lmtp.cli.send_status import STATUSES
from lmtp.config.keys import Key, describe
from lmtp.config.schema import Settings
from lmtp.config.units import SIZES, TIMES
from scripts.docs.markdown import code, table


class Unset(enum.Enum):
    """
    What stands where nothing does.
    """

    DEFAULT = "must be given"
    """A key without a default."""


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command of the command line.
    """

    name: str
    """As it is typed: ``lmtp serve``."""
    click: click.Command
    """What runs it."""


def keys_by_table() -> dict[str, list[Key]]:
    """
    Return the keys of the settings file by the table they stand in; those before any table under nothing.
    """
    tables: dict[str, list[Key]] = {}
    for key in describe(Settings):
        tables.setdefault(key.name.rpartition(".")[0], []).append(key)
    return tables


def default_of(key: Key) -> str:
    """
    Return a key's default as one would write it, or that there is none.
    """
    return code(key.default) or Unset.DEFAULT.value


def settings() -> str:
    """
    Return a section for each table of the settings file.
    """
    return "\n\n".join(_section(name, keys) for name, keys in keys_by_table().items())


def _section(name: str, keys: list[Key]) -> str:
    title = f"## `[{name}]`" if name else "## Before any table"
    rows = [(code(key.name.rpartition(".")[2]), key.words, default_of(key), key.help) for key in keys]
    return f"{title}\n\n" + table(("Key", "Takes", "Default", "What it is for"), rows)


def units() -> str:
    """
    Return the units of sizes and times.
    """
    rows = [
        ("a size", ", ".join(map(code, SIZES)), "octets"),
        ("a time", ", ".join(map(code, TIMES)), "seconds"),
    ]
    return table(("Value", "Units", "Without a unit"), rows)


def commands(command: click.Command = app, name: str = "lmtp") -> Iterator[Command]:
    """
    Yield a command and all below it, in the order in which help lists them.
    """
    yield Command(name, command)
    if isinstance(command, click.Group):
        for inner in sorted(command.commands):
            yield from commands(command.commands[inner], f"{name} {inner}")


def help_of(command: Command) -> str:
    """
    Return what help says of a command.
    """
    # Python leaves the indentation in docstrings until 3.13, which takes it out.
    return inspect.cleandoc(command.click.help or "")


def options_of(command: Command) -> list[tuple[str, str]]:
    """
    Return the options of a command as they are typed, with their help.
    """
    context = click.Context(command.click, info_name=command.name, **app.context_settings)
    records = (option.get_help_record(context) for option in command.click.get_params(context))
    return [record for record in records if record is not None]


def command_line() -> str:
    """
    Return a section for each command, with its options.
    """
    return "\n\n".join(_command_section(command) for command in commands())


def send_statuses() -> str:
    """
    Return the statuses with which ``lmtp send`` ends.
    """
    return table(("Status", "Meaning"), [(str(number), text) for number, text in STATUSES])


def _command_section(command: Command) -> str:
    rows = [(code(name), text) for name, text in options_of(command)]
    return f"## `{command.name}`\n\n{help_of(command)}\n\n" + table(("Option", "What it does"), rows)
