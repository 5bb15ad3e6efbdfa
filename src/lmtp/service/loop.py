# SPDX-License-Identifier: Apache-2.0
"""
The event loop of a programme: uvloop where it is installed, asyncio's own elsewhere.

The one module that imports uvloop. An event-loop policy is never set: they are on their way out of asyncio.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """
    Run a programme to its end on a fresh loop and return what it returns.
    """
    try:
        from uvloop import new_event_loop  # noqa: PLC0415 - late, because it need not be installed
    except ImportError:
        with asyncio.Runner() as runner:
            return runner.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)
