# SPDX-License-Identifier: Apache-2.0
"""
What the manual says about the log: each event, its level and its keys, as the exporter has them.

Events are made with something in every field, so that no key is left out.
"""

import types
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final, get_args, get_type_hints

from lmtp.config.choices import LogLevel
from lmtp.observe.events import Event
from lmtp.protocol.outcome import Deferred, Delivered, Failed
from lmtp.protocol.reply import SHUTTING_DOWN, Reply
from lmtp.telemetry.logs import event_name, keys_of, level_of
from scripts.docs.markdown import code, first_paragraph, table
from scripts.docs.source import described

FIRST_KEYS: Final = ("time", "level", "event")
"""What every line begins with."""

_SAMPLES: Final[dict[Any, object]] = {
    str: "text",
    int: 1,
    float: 1.0,
    tuple[str, ...]: ("<ann@example.org>",),
    Reply: SHUTTING_DOWN,
    BaseException: OSError("a reason"),
    Delivered: Delivered(where="a place"),
    Deferred: Deferred(detail="a reason"),
    Failed: Failed(detail="a reason"),
}
"""A value for each type a field may have."""


def samples() -> Iterator[list[Event]]:
    """
    Yield the events, each class as the list of its cases: one for each outcome it may tell of.
    """
    for event in get_args(Event):
        hints = get_type_hints(event)
        values = [_cases(hints[field.name]) for field in fields(event)]
        count = max(map(len, values))
        names = [field.name for field in fields(event)]
        yield [
            event(**{name: case[min(i, len(case) - 1)] for name, case in zip(names, values, strict=True)})
            for i in range(count)
        ]


def _cases(hint: Any) -> list[object]:  # noqa: ANN401 - a type, or a union of some
    return [_SAMPLES[each] for each in get_args(hint)] if isinstance(hint, types.UnionType) else [_SAMPLES[hint]]


def keys_in(cases: list[Event]) -> list[str]:
    """
    Return the keys the lines of an event may have, in their order.
    """
    return list(dict.fromkeys(key for case in cases for key in keys_of(case)))


def events() -> str:
    """
    Return the table of events.
    """
    rows = [
        (code(event_name(cases[0])), _levels(cases), first_paragraph(cases[0]), ", ".join(map(code, keys_in(cases))))
        for cases in samples()
    ]
    return table(("Event", "Level", "What happened", "Keys"), rows)


def _levels(cases: list[Event]) -> str:
    by_level: dict[str, list[str]] = {}
    for case in cases:
        by_level.setdefault(level_of(case).value, []).append(str(keys_of(case).get("outcome", "")))
    if len(by_level) == 1:
        return next(iter(by_level))
    return "; ".join(f"{level} when {' or '.join(outcomes)}" for level, outcomes in by_level.items())


def levels() -> str:
    """
    Return the table of levels, from the least.
    """
    helps = described("lmtp.config.choices", "LogLevel")
    return table(("Level", "What has it"), [(code(level.value), helps[level.name]) for level in LogLevel])
