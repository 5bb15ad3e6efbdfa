# SPDX-License-Identifier: Apache-2.0
"""
The words of the tester: a case, its level, how it ended, and how cases are gathered into groups.

Values only. Not here: what a case does (cases/), what it talks through (session.py), who runs it (runner.py).
`Group.case` raises ValueError for an id that is taken.
"""

import enum
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lmtp.conformance.server import Server
    from lmtp.conformance.session import Session


class Level(enum.Enum):
    """
    How much a standard insists (RFC 2119).
    """

    MUST = "MUST"
    """A server that fails it breaks the protocol."""
    SHOULD = "SHOULD"
    """A server that fails it needs a good reason."""
    QUALITY = "quality"
    """No standard says so; good servers do it, and others have come to grief."""


class Outcome(enum.Enum):
    """
    How a case ended.
    """

    PASSED = "passed"
    """The server did what the case expects."""
    FAILED = "failed"
    """It did something else."""
    SKIPPED = "skipped"
    """The case does not concern this server, or something to test it with was not given."""
    INCONCLUSIVE = "inconclusive"
    """The server never came to the point where the case could see anything."""


Run = Callable[["Session"], Awaitable[None]]
"""What a case does."""
Need = Callable[["Server"], str]
"""What a case needs: returns why it is missing, or nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    One thing to be seen of a server.
    """

    case_id: str
    """The requirement's id; several cases of one requirement have a letter behind it."""
    level: Level
    """How much the standard insists."""
    clause: str
    """The standard and its section."""
    sentence: str
    """What a good server does."""
    group: str
    """The name of its group."""
    needs: tuple[Need, ...]
    """What must be there, or the case is skipped."""
    run: Run
    """Talks to the server and raises what it found (session.py)."""


@dataclass(frozen=True, slots=True)
class Result:
    """
    How one case went.
    """

    case: Case
    """The case."""
    outcome: Outcome
    """How it ended."""
    reason: str = ""
    """Why it was skipped or saw nothing; what came instead, when it failed."""
    expected: str = ""
    """What was expected, when it failed."""
    transcript: tuple[str, ...] = ()
    """Who sent what, a line each, when it failed or saw nothing."""
    seconds: float = 0.0
    """How long it took."""


@dataclass(frozen=True, slots=True)
class Group:
    """
    The cases of a section of a standard, in the order in which they are written.
    """

    name: str
    """How it is chosen on the command line."""
    title: str
    """Its headline."""
    needs: tuple[Need, ...] = ()
    """What all its cases need."""
    cases: list[Case] = field(default_factory=list)
    """What is in it."""

    def case(self, case_id: str, level: Level, clause: str, *needs: Need, sentence: str = "") -> Callable[[Run], Run]:
        """
        Make a case of a function.

        Args:
            case_id: The requirement's id, with a letter behind it if it has several cases.
            level: How much the standard insists.
            clause: The standard and its section.
            needs: What must be there, or the case is skipped.
            sentence: What a good server does; without it, the function's docstring says so.

        Raises:
            ValueError: the group has a case of this id.
        """
        if any(case.case_id == case_id for case in self.cases):
            raise ValueError(f"there is a case {case_id} already")

        def register(run: Run) -> Run:
            words = " ".join((sentence or inspect.getdoc(run) or case_id).split()).removesuffix(".")
            self.cases.append(Case(case_id, level, clause, words, self.name, (*self.needs, *needs), run))
            return run

        return register


MUST: Final = Level.MUST
"""Short, because every case says it."""
SHOULD: Final = Level.SHOULD
"""Likewise."""
QUALITY: Final = Level.QUALITY
"""Likewise."""
