# SPDX-License-Identifier: Apache-2.0
"""
From ``lmtp.toml`` and the command line to checked settings, or to everything that is wrong with them at once.

Called by cli/. Not here: what can be set (schema.py). Raises `ConfigError` alone.
"""

import codecs
import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from lmtp.config.domains import ascii_domain
from lmtp.config.keys import describe, section_at
from lmtp.config.schema import Fault, Settings, Where, validate
from lmtp.config.units import finite, parse_seconds, parse_size

COMMAND_LINE: Final = "command line"
"""The source of what no file said."""

_PLACE: Final = re.compile(r"(?P<text>.*) \(at (?P<place>line \d+, column \d+|end of document)\)", re.DOTALL)

Table = dict[str, Any]
"""A table of TOML."""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing that is wrong.
    """

    source: str
    """The file, or `COMMAND_LINE`."""
    key: str
    """The key, as in ``listen[1]`` or ``limits.recipients``; or the place in the file; or nothing."""
    text: str
    """What was expected."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.key, self.text) if part)


class ConfigError(Exception):
    """
    The settings can't be used; its text has a line for each problem.

    Args:
        problems: All that is wrong.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def load_settings(path: Path | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    """
    Return the settings of a file, and what the command line puts in their place.

    Args:
        path: The file; None when there is none and the defaults will do.
        overrides: Values by dotted key, as in ``{"users.path": "users"}``.

    Raises:
        ConfigError: something is wrong with them.
    """
    overrides = overrides or {}
    data = _read(path) if path else {}
    for key, value in overrides.items():
        _put(data, key, value)
    faults = [*_unknown_keys(data, Settings, ()), *_unread_texts(data, Settings, ())]
    settings = _validate(data, faults)
    if settings is None or faults:
        raise ConfigError([_problem(fault, path, overrides) for fault in faults])
    return settings


def _read(path: Path) -> Table:
    try:
        octets = path.read_bytes()
        if octets.startswith(codecs.BOM_UTF8):
            # TOML has no place for it, and "Invalid statement" explains nothing about what no editor shows.
            raise ConfigError([Problem(str(path), "octet 0", "expected UTF-8 without a byte order mark")])
        return tomllib.loads(octets.decode())
    except OSError as error:
        raise ConfigError([Problem(str(path), "", error.strerror or str(error))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), f"octet {error.start}", "expected UTF-8")]) from error
    except tomllib.TOMLDecodeError as error:
        match = _PLACE.fullmatch(str(error))
        place, text = (match["place"], match["text"]) if match else ("", str(error))
        raise ConfigError([Problem(str(path), place, text)]) from error


def _put(data: Table, key: str, value: object) -> None:
    table, _, name = key.rpartition(".")
    place = data.setdefault(table, {}) if table else data
    # Where the file has something else than a table it has a problem of its own.
    if isinstance(place, dict):
        place[name] = value


def _problem(fault: Fault, path: Path | None, overrides: Mapping[str, object]) -> Problem:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.where)
    key = "".join(parts).removeprefix(".")
    is_override = path is None or key.partition("[")[0] in overrides
    return Problem(COMMAND_LINE if is_override else str(path), key, fault.text)


def _validate(data: Table, faults: list[Fault]) -> Settings | None:
    """
    Make settings; add what is wrong to the faults.

    What can't be used is taken out and the rest is looked at again: one bad value would hide what its neighbours
    together break, such as a limit below its minimum or a public endpoint without users.
    """
    while True:
        settings, found = validate(data)
        faults += [fault for fault in found if not any(_is_about(fault, earlier) for earlier in faults)]
        if not [fault for fault in found if _take_out(data, fault.where)]:
            return settings


def _is_about(fault: Fault, earlier: Fault) -> bool:
    """
    Both concern the same key, or one the table of the other: the second is but a consequence.
    """
    return all(mine == theirs for mine, theirs in zip(fault.where, earlier.where, strict=False))


def _take_out(data: Table, where: Where) -> bool:
    """
    Remove a value, or the list it stands in; False when there is nothing to remove.
    """
    *tables, key = [part for part in where if isinstance(part, str)] or [""]
    for table in tables:
        data = data[table]
    return data.pop(key, None) is not None


def _unknown_keys(data: Table, section: type, above: Where) -> Iterator[Fault]:
    known = {field.name for field in fields(section)}
    for key, value in data.items():
        inner = section_at(section, key) if key in known else None
        if key not in known:
            yield Fault((*above, key), f"there is no such key{_suggestion(key, known)}")
        elif inner is not None and isinstance(value, dict):
            yield from _unknown_keys(value, inner, (*above, key))


def _suggestion(key: str, known: set[str]) -> str:
    elsewhere = [other.name for other in describe(Settings) if other.name.rpartition(".")[2] == key]
    likely = elsewhere or difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {likely[0]}?" if likely else ""


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "_bytes": parse_size,
    "_seconds": parse_seconds,
    "_domain": ascii_domain,
    "server_name": ascii_domain,
}
"""How text becomes what is meant, by the end of the key's name."""


def _unread_texts(data: Table, section: type, above: Where) -> Iterator[Fault]:
    """
    Put in the place of text what it means; yield, and take out, what can't be read.
    """
    for field in fields(section):
        if field.name not in data:
            continue
        value = data[field.name]
        inner = section_at(section, field.name)
        if inner is not None and isinstance(value, dict):
            yield from _unread_texts(value, inner, (*above, field.name))
            continue
        try:
            data[field.name] = _meaning(field.name, value)
        except ValueError as error:
            del data[field.name]
            yield Fault((*above, field.name), str(error))


def _meaning(name: str, value: object) -> object:
    _check_unicode(value)
    read = next((read for suffix, read in _READERS.items() if name.endswith(suffix)), None)
    if read and isinstance(value, str):
        return read(value)
    return finite(value) if isinstance(value, float) else value


def _check_unicode(value: object) -> None:
    """
    Refuse what a command line in another encoding leaves of its octets: no JSON can hold it, and no endpoint name.

    Raises:
        ValueError: there is some in the value.
    """
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError(f"expected UTF-8, not {value!r}") from None
