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
