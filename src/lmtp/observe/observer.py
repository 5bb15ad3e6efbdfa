# SPDX-License-Identifier: Apache-2.0
"""
Who is told: one method, called on the event loop, that must neither block nor raise.

Exporters live in telemetry/; a programme that embeds the server writes its own or takes `NullObserver`.
"""

from typing import Protocol

from lmtp.observe.events import Event


class Observer(Protocol):
    """
    Somebody who wants to know what happens.
    """

    def observe(self, event: Event) -> None:
        """
        Take note of one event. Called on the event loop: it must not block and must not raise.
        """
        ...


class NullObserver:
    """
    An observer who does not care.
    """

    def observe(self, event: Event) -> None:
        """
        Do nothing.
        """


class HeldBack:
    """
    An observer that keeps what happens for another one until somebody lets it go.

    Args:
        observer: Who is told in the end.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._kept: list[Event] | None = []

    def observe(self, event: Event) -> None:
        """
        Keep an event, or pass it on when they have been let go.
        """
        if self._kept is None:
            self._observer.observe(event)
        else:
            self._kept.append(event)

    def let_go(self) -> None:
        """
        Pass on what was kept, and from now on everything at once.
        """
        kept, self._kept = self._kept or [], None
        for event in kept:
            self._observer.observe(event)
