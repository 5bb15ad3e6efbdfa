# SPDX-License-Identifier: Apache-2.0
"""
A few threads of one's own, for calls that take long and that strangers can ask for.

On asyncio's threads, whoever sends wrong passwords without end would hold up all others that need one. Not here: how
long anybody waits. `Threads.run` raises whatever the call does.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """
    First come, first served; who is cancelled while it waits is not served at all.

    Args:
        name: What the threads are called.
        count: How many there are, once there is something to do.
    """

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def run(self, call: Callable[[], T]) -> T:
        """
        Make a call on one of the threads. Called on an event loop.

        Raises:
            Exception: whatever the call raises.
        """
        future: Future[T] = Future()
        self._jobs.put((call, future))
        if len(self._threads) < self._count:
            self._start_thread()
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """
        Let each thread end when it has done what it does; to be called last.
        """
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)

    def _start_thread(self) -> None:
        # A daemon: an interpreter that ends does not wait for a file system that hangs.
        thread = threading.Thread(target=self._serve, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, future = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where the call is waited for
                future.set_exception(error)
