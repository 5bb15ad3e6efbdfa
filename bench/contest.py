# SPDX-License-Identifier: Apache-2.0
"""
Two servers, measured in turn: which, on what files, in what order.

Each round has fresh trees for both, warmed by one message to every mailbox; within a round every kind of load meets
one server and right after it the other, so that what else the machine does meets both. No file is ever removed:
for some minutes ext4 creates files up to ten times slower where many were removed. Called by run.py.
"""

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.load import Result
from bench.usage import cpu_seconds, memory_mib
from tests.peers.agent import Agent
from tests.peers.dovecot import USER, Dovecot

MAILBOXES: Final = 1000
"""How many each server has."""
SIZE_BYTES: Final = 4096
"""Octets of each message."""
OURS: Final = "lmtp serve"
THEIRS: Final = "Dovecot"

_USERS: Final = [f"u{number}@example.org" for number in range(MAILBOXES)]
_PROCESSES: Final = 32
"""Dovecot's LMTP serves one session a process: as many wait as there are ever sessions."""
_WATCH_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Load:
    """
    One kind of load.
    """

    recipients: int
    """How many each message has."""
    sessions: int
    """How many clients there are at once."""


LOADS: Final = tuple(itertools.starmap(Load, itertools.product((1, 10), (1, 8, 32))))
"""Every kind, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """
    How one server did under one kind of load in one round.
    """

    server: str
    """Whose figures these are."""
    number: int
    """Of the round, from 1."""
    load: Load
    """What it had to do."""
    per_second: float
    """Messages delivered to all their recipients, per second."""
    p50_ms: float
    """Half of them took no longer."""
    p99_ms: float
    """Ninety-nine of a hundred took no longer."""
    cpu_ms: float
    """Processor time of the server per message."""
    memory_mib: float
    """The most memory its processes were seen to have."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """
    A server that runs, and where to reach it.
    """

    name: str
    """What it is called in the report."""
    socket: Path
    """Where it listens."""
    pid: int
    """The process all its others come from."""

    def measure(self, number: int, load: Load, seconds: float) -> Measured:
        """
        Put one kind of load on it for some seconds.
        """
        cpu_before = cpu_seconds(self.pid)
        memory, result = self._watch(load, "--seconds", str(seconds))
        return Measured(
            server=self.name,
            number=number,
            load=load,
            per_second=result.messages / result.seconds,
            p50_ms=result.p50_ms,
            p99_ms=result.p99_ms,
            cpu_ms=(cpu_seconds(self.pid) - cpu_before) * 1000 / result.messages,
            memory_mib=memory,
        )

    def warm(self) -> None:
        """
        Deliver one message to every mailbox: its folders exist from then on.
        """
        self._watch(Load(recipients=10, sessions=8), "--messages", str(MAILBOXES // 10))

    def _watch(self, load: Load, *options: str) -> tuple[float, Result]:
        """
        Run the generator to its end; return the most memory seen meanwhile, and what it reports.
        """
        numbers = ("--sessions", load.sessions, "--recipients", load.recipients, "--size-bytes", SIZE_BYTES)
        command = [sys.executable, "-m", "bench.load", str(self.socket), *map(str, numbers), *options]
        most = memory_mib(self.pid)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as generator:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, _ = generator.communicate(timeout=_WATCH_SECONDS)
                    break
                most = max(most, memory_mib(self.pid))
        if generator.returncode:
            raise RuntimeError(f"the load generator failed against {self.name}")
        return most, Result(**json.loads(output))


@contextlib.contextmanager
def start_ours(folder: Path) -> Iterator[Contestant]:
    """
    Run our server as it is out of the box.
    """
    with Agent(folder, _USERS) as agent:
        yield Contestant(OURS, agent.socket, agent.pid)


@contextlib.contextmanager
def start_theirs(folder: Path) -> Iterator[Contestant]:
    """
    Run Dovecot's LMTP server: Maildir, users in a file, its own default of when to fsync.
    """
    maildir = folder / "mail"
    maildir.mkdir()
    shutil.chown(maildir, USER, USER)
    with Dovecot(folder, maildir, _USERS, lmtp_processes=_PROCESSES) as dovecot:
        yield Contestant(THEIRS, dovecot.lmtp_socket, dovecot.pid)


Starter = Callable[[Path], AbstractContextManager[Contestant]]
STARTERS: Final[Mapping[str, Starter]] = {"ours": start_ours, "theirs": start_theirs}


def compete(place: Path, rounds: int, seconds: float) -> Iterator[Measured]:
    """
    Measure both under every load in every round, and yield the figures as they come.

    Args:
        place: An empty folder on the disk to be measured; all files are left in it.
        rounds: How many, each on trees of its own.
        seconds: How long each load lasts.
    """
    for number in range(1, rounds + 1):
        with contextlib.ExitStack() as stack:
            contestants = []
            for name, start in STARTERS.items():
                folder = place / f"{number}-{name}"
                folder.mkdir()
                contestants.append(stack.enter_context(start(folder)))
            for contestant in contestants:
                contestant.warm()
            for load in LOADS:
                for contestant in contestants:
                    yield contestant.measure(number, load, seconds)
                contestants.reverse()
