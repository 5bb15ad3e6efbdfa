# SPDX-License-Identifier: Apache-2.0
"""
Events as log lines: one line each, for people (pretty), for grep (logfmt) or for machines (JSON).

A new event needs a level in `level_of`; its name and keys follow from the class. Whatever a peer wrote stays inside
its value: nothing starts a new line or reaches the terminal raw. Never raises, never waits (lines.py).
"""

import datetime as dt
import json
import os
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, assert_never, get_args

import structlog.dev
import structlog.processors

from lmtp.config.choices import LogFormat, LogLevel
from lmtp.observe.events import (
    ArrivalFailed,
    Authenticated,
    AuthenticationFailed,
    ClientReplaced,
    CommandRefused,
    Draining,
    Event,
    HandlerFailed,
    ListenerClosed,
    ListenerOpened,
    RecipientRefused,
    RecipientSettled,
    RepliesLost,
    SessionClosed,
    SessionOpened,
    SessionRefused,
    TlsStarted,
    TransactionAborted,
    TransactionRefused,
    Warned,
)
from lmtp.protocol.outcome import Delivered, Failed
from lmtp.telemetry.lines import LineWriter

STDERR: Final = 2
"""The file descriptor of standard error."""

Keys = dict[str, object]
"""What a line says, in the order in which it says it."""


class LogObserver:
    """
    Writes events of a level and above.

    Args:
        log_format: How a line looks.
        least: The lowest level that is written.
        fd: Where lines go; stays open.
        environ: Where ``NO_COLOR`` is looked for.
        clock: The time of a line, in seconds since 1970.
    """

    def __init__(
        self,
        log_format: LogFormat = LogFormat.AUTO,
        least: LogLevel = LogLevel.INFO,
        *,
        fd: int = STDERR,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._least = least.rank
        self._clock = clock
        self._render = _renderer(log_format, is_terminal=os.isatty(fd), environ=environ)
        self._writer = LineWriter(fd, self._lost_line)

    def observe(self, event: Event) -> None:
        """
        Write one event.
        """
        level = level_of(event)
        if level.rank >= self._least:
            self._writer.write(self._line(event, level))

    def close(self, timeout_seconds: float = 2.0) -> None:
        """
        Write what waits, unless nobody takes it for so long; the last call.
        """
        self._writer.close(timeout_seconds)

    def _line(self, event: Event, level: LogLevel) -> str:
        keys: Keys = {"time": _timestamp(self._clock()), "level": level.value, "event": event_name(event)}
        keys.update(keys_of(event))
        return self._render(keys)

    def _lost_line(self, count: int) -> str:
        lost = Warned(subject="log", detail=f"{count} lines lost: nobody read them fast enough")
        return self._line(lost, level_of(lost))


def level_of(event: Event) -> LogLevel:
    """
    Return how much an event matters.
    """
    match event:
        case SessionOpened() | SessionClosed() | TlsStarted() | Authenticated() | ClientReplaced():
            return LogLevel.DEBUG
        case RecipientSettled(outcome=Delivered()) | RecipientRefused(verdict=Failed()):
            return LogLevel.INFO
        case ListenerOpened() | ListenerClosed() | CommandRefused() | TransactionAborted() | Draining():
            return LogLevel.INFO
        # A transaction refused is a message too big for us that the client's own server let in: the two limits want to
        # be made one.
        case ArrivalFailed() | AuthenticationFailed() | SessionRefused() | TransactionRefused():
            return LogLevel.WARNING
        case RecipientSettled() | RecipientRefused() | RepliesLost() | Warned():
            return LogLevel.WARNING
        case HandlerFailed():
            return LogLevel.ERROR
        case _:
            assert_never(event)


def event_name(event: Event) -> str:
    """
    Return an event's name in the log: that of its class, as in ``recipient_settled``.
    """
    return _NAMES[type(event)]


def keys_of(event: Event) -> Keys:
    """
    Return what an event says, flat and always in the same order; what is empty is left out.
    """
    keys: Keys = {}
    for key, value_of in _TABLE[type(event)]:
        value = value_of(event)
        if value != "":
            keys[key] = value
    return keys


Column = tuple[str, Callable[[Any], object]]
"""A key, and how its value is had from the event."""


def _text(name: str) -> Callable[[Any], object]:
    get = attrgetter(name)
    return lambda event: str(get(event))


def _decided(name: str) -> Sequence[Column]:
    get = attrgetter(name)
    return (
        ("outcome", lambda event: type(get(event)).__name__.lower()),
        ("where", lambda event: getattr(get(event), "where", "")),
        ("detail", lambda event: getattr(get(event), "detail", "")),
    )


_COLUMNS: Final[Mapping[str, Sequence[Column]]] = {
    "session_id": [("session", attrgetter("session_id"))],
    "transaction_id": [("transaction", attrgetter("transaction_id"))],
    "reverse_path": [("from", attrgetter("reverse_path"))],
    "forward_path": [("to", attrgetter("forward_path"))],
    "forward_paths": [("to", lambda event: " ".join(event.forward_paths))],
    "size_bytes": [("size", attrgetter("size_bytes"))],
    "outcome": _decided("outcome"),
    "verdict": _decided("verdict"),
    "reply": [("reply", _text("reply"))],
    "seconds": [("seconds", lambda event: round(event.seconds, 4))],
    "error": [
        ("error", lambda event: "".join(traceback.format_exception_only(event.error)).strip()),
        ("traceback", lambda event: "".join(traceback.format_exception(event.error))),
    ],
}
"""The columns of a field that is more than a key of its own name."""

_FIRST: Final = ("session", "transaction", "peer", "from", "to", "size", "outcome", "where")
"""Keys that begin a line, in this order; the event's others follow as its fields stand."""
_LAST: Final = ("seconds", "reply", "error", "detail", "traceback")
"""Keys that end a line, in this order."""


def _place(column: Column) -> int:
    key, _ = column
    if key in _FIRST:
        return _FIRST.index(key) - len(_FIRST)
    return _LAST.index(key) + 1 if key in _LAST else 0


def _columns(event: type[Any]) -> Sequence[Column]:
    names = [field.name for field in fields(event)]
    return sorted((column for name in names for column in _columns_of(name)), key=_place)


def _columns_of(name: str) -> Sequence[Column]:
    return _COLUMNS.get(name) or [(name, attrgetter(name))]


_TABLE: Final[Mapping[type, Sequence[Column]]] = {event: _columns(event) for event in get_args(Event)}
_NAMES: Final[Mapping[type, str]] = {
    event: re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower() for event in get_args(Event)
}


def _timestamp(seconds: float) -> str:
    """
    Return a time as RFC 3339 §5.6 writes it, in UTC.
    """
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


Renderer = Callable[[Keys], str]
"""Makes a line of what it says."""


def _renderer(log_format: LogFormat, *, is_terminal: bool, environ: Mapping[str, str]) -> Renderer:
    match log_format:
        case LogFormat.AUTO:
            chosen = LogFormat.PRETTY if is_terminal else LogFormat.LOGFMT
            return _renderer(chosen, is_terminal=is_terminal, environ=environ)
        case LogFormat.PRETTY:
            return _pretty(has_colours=is_terminal and not environ.get("NO_COLOR"))
        case LogFormat.LOGFMT:
            return _logfmt()
        case LogFormat.JSON:
            return _json()
        case _:
            assert_never(log_format)


def _json() -> Renderer:
    # ASCII alone: whatever stands in a value, nobody's terminal and nobody's reader trips over it.
    encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
    render = structlog.processors.JSONRenderer(serializer=lambda keys, **_: encode(keys))
    return lambda keys: str(render(None, "", keys))


def _logfmt() -> Renderer:
    render = structlog.processors.LogfmtRenderer()
    return lambda keys: render(None, "", {key: _harmless(value) for key, value in keys.items()})


def _pretty(*, has_colours: bool) -> Renderer:
    render = structlog.dev.ConsoleRenderer(
        colors=has_colours,
        sort_keys=False,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
    )

    def render_pretty(keys: Keys) -> str:
        lines = str(keys.pop("traceback", "")).splitlines()
        shown = {key: _harmless(value) for key, value in keys.items()}
        if lines:
            # The one text of many lines; indented, so that none can pass for a line of the log.
            shown["exception"] = "\n".join(f"    {_harmless(line)}" for line in lines)
        return render(None, "", shown)

    return render_pretty


def _harmless(value: object) -> object:
    """
    Return a value with its unprintable characters spelled out: line ends, escape sequences, direction marks.
    """
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(_spelled_out(character) for character in value)


def _spelled_out(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
