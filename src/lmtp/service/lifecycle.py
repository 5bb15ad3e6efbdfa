# SPDX-License-Identifier: Apache-2.0
"""
The life of `lmtp serve`: build, listen, wait for a signal, drain, end.

The first SIGTERM or SIGINT lets open transactions finish, a second one stops at once; what has been answered 250 is
on stable storage either way. Raises TransientError or OSError when it can't start.
"""

import asyncio
import contextlib
import gc
import resource
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, TypeVar

from lmtp.aio.server import Server, serve
from lmtp.config.schema import Settings
from lmtp.observe.events import HandlerFailed, Warned
from lmtp.observe.observer import Observer
from lmtp.service.build import build
from lmtp.stores.maildir import Maildir

T = TypeVar("T")

SWEEP_SECONDS: Final = 60 * 60
"""How often left-overs of dead deliveries are looked for."""

_PATIENCE_SECONDS: Final = 1.0
"""What a client may take to read our last words after a second signal."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def run_agent(settings: Settings, observer: Observer, started: Callable[[Server], None]) -> bool:
    """
    Run the delivery agent until a signal ends it; whether every open transaction came to its end.

    Args:
        settings: All that can be set.
        observer: Who is told.
        started: Called when it listens everywhere.

    Raises:
        TransientError: the users file or the password file can't be read.
        TlsError: there is no TLS with the files given.
        OSError: an endpoint can't be opened.
    """
    _raise_file_limit(observer)
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: _report(observer, context))
    with _signals() as signals:
        parts = await build(settings, observer)
        async with (
            serve(
                parts.agent,
                *settings.listen,
                settings=parts.server_settings,
                observer=observer,
                tls=parts.tls,
                authenticator=parts.authenticator,
            ) as server,
            _sweeping(parts.store, observer),
        ):
            # What exists now lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            started(server)
            has_drained = await _serve_until_signalled(server, signals)
        if has_drained:
            await parts.writer.close()
        return has_drained


async def _serve_until_signalled(server: Server, signals: "asyncio.Queue[None]") -> bool:
    """
    Wait for a signal and drain; at the next one do not wait for clients or disks any longer.
    """
    await signals.get()
    draining = asyncio.create_task(server.drain())
    impatience = asyncio.create_task(signals.get())
    await asyncio.wait((draining, impatience), return_when=asyncio.FIRST_COMPLETED)
    is_impatient = impatience.done()
    impatience.cancel()
    if is_impatient:
        await server.stop(_PATIENCE_SECONDS)
    has_drained = await draining
    return has_drained and not is_impatient


@contextlib.contextmanager
def _signals() -> Iterator["asyncio.Queue[None]"]:
    """
    Put signals into a queue, from before the first client can be told anything until the last has been.
    """
    queue: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, queue.put_nowait, None)
    try:
        yield queue
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _sweeping(store: Maildir, observer: Observer) -> AsyncIterator[None]:
    """
    Clean up behind dead deliveries, now and every hour, as long as the body runs.
    """
    task = asyncio.create_task(_sweep(store, observer))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _sweep(store: Maildir, observer: Observer) -> None:
    while True:
        swept = await _on_a_daemon_thread(store.sweep)
        for error in swept.errors:
            observer.observe(Warned(subject="sweep", detail=str(error)))
        if swept.removed:
            observer.observe(Warned(subject="sweep", detail=f"removed {len(swept.removed)} left-overs from tmp"))
        await asyncio.sleep(SWEEP_SECONDS)


async def _on_a_daemon_thread(call: Callable[[], T]) -> T:
    """
    Run a call that may take minutes on a thread nobody waits for when the process ends.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def report(result: T) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        result = call()
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody wants to know
            loop.call_soon_threadsafe(report, result)

    threading.Thread(target=run, daemon=True).start()
    return await done


def _raise_file_limit(observer: Observer) -> None:
    """
    Let the process have as many files as it may: a session needs one, a big message another.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        observer.observe(Warned(subject="files", detail=f"only {soft} files may be open: {error}"))


def _report(observer: Observer, context: dict[str, Any]) -> None:
    """
    Tell the observer what the event loop complains of.
    """
    error = context.get("exception")
    doing = str(context.get("message", "running the event loop"))  # uvloop does not always say
    if error is None:
        observer.observe(Warned(subject="event loop", detail=doing))
    else:
        observer.observe(HandlerFailed(session_id="", transaction_id="", doing=doing, error=error))
