# SPDX-License-Identifier: Apache-2.0
"""
Run cases against a server, several at a time, and yield their results in the order of the cases.

Each case has a connection of its own and a deadline; one that breaks the server spoils no other, and when the server
does not come back the rest is told so. `probe` raises UnreachableError when there is nobody to talk to.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from lmtp.conformance.model import Case, Outcome, Result
from lmtp.conformance.server import Offers, Server, Setup, Tls
from lmtp.conformance.session import (
    CLIENT_NAME,
    ExpectationError,
    NotApplicableError,
    PreconditionError,
    Session,
    UnreachableError,
)
from lmtp.conformance.transcript import Transcript

DEADLINE_REPLIES: Final = 8
"""How many times the timeout of a reply a whole case may take."""


async def probe(setup: Setup) -> Server:
    """
    Find out what a server offers, in clear and when TLS and AUTH are done.

    A server that does not know LHLO offers nothing: the cases will tell.

    Raises:
        UnreachableError: nobody answers, or there is no way in: no greeting, no TLS, no login.
    """
    server = Server(setup, Offers(), Offers())
    in_clear = await _offers_in_clear(Session(server, Transcript()))
    if setup.tls is Tls.NEVER and setup.credentials is None:
        return Server(setup, in_clear, in_clear)
    return Server(setup, await _offers(Session(server, Transcript())), in_clear)


async def _offers_in_clear(session: Session) -> Offers:
    try:
        await session.open_in_clear()
        reply = await session.say(f"LHLO {CLIENT_NAME}")
        return Offers.read(reply) if reply.is_positive else Offers()
    except ExpectationError:
        return Offers()
    except PreconditionError as error:
        raise UnreachableError(str(error)) from error
    finally:
        await session.close()


async def _offers(session: Session) -> Offers:
    try:
        return await session.greet()
    except PreconditionError as error:
        raise UnreachableError(str(error)) from error
    finally:
        await session.close()


class Runner:
    """
    One run.

    Args:
        server: What is known of the server.
        parallel: How many cases run at the same time.
    """

    def __init__(self, server: Server, *, parallel: int) -> None:
        self._server = server
        self._slots = asyncio.Semaphore(parallel)
        self._gone_since = ""

    @property
    def gone_since(self) -> str:
        """
        The case at which the server could not be reached any more, or nothing.
        """
        return self._gone_since

    async def run(self, cases: Sequence[Case]) -> AsyncIterator[Result]:
        """
        Run cases and yield their results in the same order.
        """
        tasks = [asyncio.ensure_future(self._in_turn(case)) for case in cases]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _in_turn(self, case: Case) -> Result:
        missing = next(filter(None, (need(self._server) for need in case.needs)), "")
        if missing:
            return Result(case, Outcome.SKIPPED, missing)
        async with self._slots:
            if self._gone_since:
                return Result(case, Outcome.INCONCLUSIVE, f"the server has been gone since {self._gone_since}")
            began = time.monotonic()
            return replace(await self._run(case), seconds=time.monotonic() - began)

    async def _run(self, case: Case) -> Result:
        transcript = Transcript()
        session = Session(self._server, transcript)
        try:
            async with asyncio.timeout(DEADLINE_REPLIES * self._server.setup.timeout_seconds):
                await case.run(session)
        except ExpectationError as error:
            return Result(case, Outcome.FAILED, error.came, error.expected, transcript.lines)
        except NotApplicableError as error:
            return Result(case, Outcome.SKIPPED, str(error))
        except UnreachableError as error:
            self._gone_since = self._gone_since or case.case_id
            return Result(case, Outcome.INCONCLUSIVE, str(error), transcript=transcript.lines)
        except PreconditionError as error:
            return Result(case, Outcome.INCONCLUSIVE, str(error), transcript=transcript.lines)
        except TimeoutError:
            return Result(case, Outcome.INCONCLUSIVE, "it took too long", transcript=transcript.lines)
        finally:
            await session.close()
        return Result(case, Outcome.PASSED)
