# SPDX-License-Identifier: Apache-2.0
"""
Run what both fronts of the client share to its end, here and now.

It is written as coroutines, for asyncio has to wait in the midst of it. A blocking link blocks where asyncio would
wait, so nothing in them ever does, and they need no event loop. Called by opening.py and sending.py.
"""

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """
    Run a coroutine that never waits, and return its result.

    Raises:
        RuntimeError: it waits for an event loop.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    coroutine.close()
    raise RuntimeError("it waits, and there is nobody who would wake it")


class Ready(AsyncIterator[bytes]):
    """
    Octets that need not be waited for.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    async def __anext__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None
