# SPDX-License-Identifier: Apache-2.0
"""
AUTH in one session: a mechanism run on threads, and a pause before wrong credentials are answered.

Threads, for checking a password costs as much as it is meant to; a pause, for a guess must cost the client something.
Called by connection.py with the engine's events; answers the engine. Not here: how many attempts a session has, which
is the engine's. Never raises: what goes wrong is reported and answered with a rejection that lets the client try again
(RFC 4954 §6: 454). RFC 4954 §9.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import Final

from lmtp.aio.reporter import Reporter
from lmtp.aio.threads import Threads
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.events import AuthenticationContinued, AuthenticationStarted
from lmtp.protocol.phases import Phase
from lmtp.protocol.sasl import Authenticated, Authenticator, Challenge, Channel, Exchange, Rejected, Step
from lmtp.protocol.server import ServerConnection

THREADS: Final = 2
"""How many steps are taken at a time, whoever asks: what the processors have left over is for mail."""
PATIENCE_SECONDS: Final = 30
"""How long a step may take; a password is a matter of a second, a file on a network may hang."""
FIRST_PAUSE_SECONDS: Final = 1.0
"""How long a client waits for the answer to wrong credentials the first time; then twice as long each time."""
LONGEST_PAUSE_SECONDS: Final = 8.0
"""The most it waits: no client takes that for a server that hangs (RFC 5321 §4.5.3.2), and no shutdown is held up."""

_UNAVAILABLE: Final = "4.7.0"


class NobodyAuthenticates:
    """
    The `Authenticator` of a server that has none: it offers no mechanism.
    """

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:  # noqa: ARG002 - the contract's shape
        """
        Return no mechanism.
        """
        return ()

    def begin(self, mechanism: str, channel: Channel) -> Exchange:  # noqa: ARG002 - likewise
        """
        Begin nothing.

        Raises:
            LocalProtocolError: always, as no mechanism was offered.
        """
        raise LocalProtocolError(f"{mechanism} was not offered")


class Login:
    """
    The exchanges of one session, one at a time.

    Args:
        authenticator: Who knows mechanisms and identities.
        threads: Where the steps are taken.
        engine: Whom they are told.
        report: Told of what goes wrong on our side.
        answered: Called when the engine has been told a step.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        threads: Threads,
        *,
        engine: ServerConnection,
        report: Reporter,
        answered: Callable[[], None],
    ) -> None:
        self._authenticator = authenticator
        self._threads = threads
        self._engine = engine
        self._report = report
        self._answered = answered
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._next_pause = FIRST_PAUSE_SECONDS
        self._pause: asyncio.TimerHandle | None = None
        self._held = Rejected()

    def begin(self, event: AuthenticationStarted, channel: Channel) -> None:
        """
        Begin an exchange.
        """
        self._run(lambda: self._authenticator.begin(event.mechanism, channel), event.response)

    def go_on(self, event: AuthenticationContinued) -> None:
        """
        Take the client's response.
        """
        exchange = self._exchange
        assert exchange is not None, "an exchange begins first"  # noqa: S101
        self._run(lambda: exchange, event.response)

    def cancel(self) -> None:
        """
        Nobody waits any more; what a thread has begun comes to its end unheard, and what is known is told at once.
        """
        if self._task is not None:
            self._task.cancel()
        self.end_pause()

    def abandon(self) -> None:
        """
        Answer the client that waits for a step, if there is one: whatever it is told next stands behind this reply.
        """
        self.end_pause()
        if self._task is not None and not self._task.done() and self._engine.phase is Phase.AUTHENTICATING:
            self._task.cancel()
            self._engine.authenticate(Rejected(_UNAVAILABLE, "the session was closed meanwhile"))

    def end_pause(self) -> None:
        """
        Answer wrong credentials now, if their answer is held back.
        """
        pause, self._pause = self._pause, None
        if pause is not None:
            pause.cancel()
            self._tell(self._held)

    def _run(self, exchange_of: Callable[[], Exchange], response: bytes | None) -> None:
        self._task = asyncio.get_running_loop().create_task(self._answer(exchange_of, response))

    async def _answer(self, exchange_of: Callable[[], Exchange], response: bytes | None) -> None:
        step = await self._step(exchange_of, response)
        if not isinstance(step, Challenge):
            self._exchange = None
        if isinstance(step, Rejected) and step.status.startswith("5"):
            self._hold(step)
        else:
            self._tell(step)

    def _hold(self, rejection: Rejected) -> None:
        """
        Answer later: on the loop, where it costs a timer; on a thread it would cost those who know their password.
        """
        self._held = rejection
        self._pause = asyncio.get_running_loop().call_later(self._next_pause, self.end_pause)
        self._next_pause = min(self._next_pause * 2, LONGEST_PAUSE_SECONDS)

    def _tell(self, step: Step) -> None:
        self._engine.authenticate(step)
        self._answered()

    async def _step(self, exchange_of: Callable[[], Exchange], response: bytes | None) -> Step:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                self._exchange = exchange_of()
                return _checked(await self._threads.run(functools.partial(self._exchange.step, response)))
        except Exception as error:  # noqa: BLE001 - a mechanism's bug must not leave the client without a reply
            self._report.failed(None, "authenticating", error)
            return Rejected(_UNAVAILABLE, "the authenticator failed")


def _checked(step: object) -> Step:
    if not isinstance(step, Step) or step == Authenticated(""):
        raise LocalProtocolError(f"{step!r} is no step of an exchange")
    return step
