# SPDX-License-Identifier: Apache-2.0
"""
Run what is asynchronous on a thread of its own, for tests that are not.

    with in_thread(scripted_server("greeting: stall")) as server:
        ...

The thread has a loop of its own, so that whoever blocks in the body does not block the server. Values that come out of
it belong to that thread: read them, and call only what says that it may be called from anywhere.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Running(Generic[_T]):
    value: _T
    loop: asyncio.AbstractEventLoop
    is_to_stop: asyncio.Event


@contextmanager
def in_thread(context: AbstractAsyncContextManager[_T]) -> Iterator[_T]:
    """
    Enter an asynchronous context manager on another thread, and leave it there when the body is left.

    Raises:
        Whatever entering or leaving it raises.
    """
    entered: Future[_Running[_T]] = Future()
    with ThreadPoolExecutor(1, thread_name_prefix="lmtp.testing") as threads:
        left = threads.submit(asyncio.run, _stay_in(context, entered))
        wait((cast("Future[object]", entered), cast("Future[object]", left)), return_when=FIRST_COMPLETED)
        if not entered.done():
            left.result()
        running = entered.result()
        try:
            yield running.value
        finally:
            running.loop.call_soon_threadsafe(running.is_to_stop.set)
            left.result()


async def _stay_in(context: AbstractAsyncContextManager[_T], entered: "Future[_Running[_T]]") -> None:
    is_to_stop = asyncio.Event()
    async with context as value:
        entered.set_result(_Running(value, asyncio.get_running_loop(), is_to_stop))
        await is_to_stop.wait()
