# SPDX-License-Identifier: Apache-2.0
"""
Processes that tests start, wait for and always stop.

Each daemon leads a session of its own, so that whatever it forked is stopped with it, and is told to end when the
process that started it is killed. Nothing here sleeps for a fixed time: `until` polls with a deadline and says what
it waited for.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

T = TypeVar("T")

DEADLINE_SECONDS: Final = 30.0
"""How long a peer may take for anything: far more than any needs, also on a busy machine."""
POLL_SECONDS: Final = 0.01
_SETPRIV: Final = shutil.which("setpriv")
_TIED_TO_US: Final = [_SETPRIV, "--pdeathsig", "TERM"] if _SETPRIV else []
"""What a command is started by so that it ends with us; of util-linux, which every Linux has."""


class NeverHappenedError(AssertionError):
    """
    Something awaited did not come about in time.
    """


def until(condition: Callable[[], T], what: str, *, seconds: float = DEADLINE_SECONDS) -> T:
    """
    Poll until a condition holds and return what it gave.

    Raises:
        NeverHappenedError: it did not hold in time; says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise NeverHappenedError(f"waited {seconds:.0f} s for {what}")
        time.sleep(POLL_SECONDS)
    return value


def make_place() -> Path:
    """
    Make a folder other users may pass through, with a path short enough for Unix sockets (107 octets).
    """
    folder = Path(tempfile.mkdtemp(prefix="lmtp-"))
    folder.chmod(0o755)
    return folder


def give(folder: Path, user: str) -> None:
    """
    Let this user own a folder, if root made it; anybody else runs programs as himself.
    """
    if os.geteuid() == 0:
        shutil.chown(folder, user)


def as_user(user: str, command: Sequence[str]) -> list[str]:
    """
    Return the command as root runs it to be this user, or as it is for anybody else.

    A program that changes its user itself is no longer told when we are killed: the kernel forgets it then.
    """
    if os.geteuid() != 0:
        return list(command)
    assert _SETPRIV is not None, "setpriv is not installed"
    groups = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
    return [*_TIED_TO_US, *groups, *command]


def free_port() -> int:
    """
    Return a TCP port of the loopback nobody listens on at this moment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connect(endpoint: Path | int, *, timeout_seconds: float = DEADLINE_SECONDS) -> socket.socket:
    """
    Connect to a Unix socket by its path, or to a port of the loopback.
    """
    if isinstance(endpoint, int):
        return socket.create_connection(("127.0.0.1", endpoint), timeout_seconds)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_seconds)
    try:
        connection.connect(os.fspath(endpoint))
    except OSError:
        connection.close()
        raise
    return connection


def accepts(endpoint: Path | int) -> bool:
    """
    Say whether somebody listens there now.
    """
    try:
        connect(endpoint).close()
    except OSError:
        return False
    return True


class Daemon:
    """
    A program in the background with its output in a file.
    """

    def __init__(self, command: Sequence[str], output: Path) -> None:
        self.command = list(command)
        self.output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [*_TIED_TO_US, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """
        The process started; also the number of its group.
        """
        return self.process.pid

    def wait_for(self, endpoint: Path | int) -> None:
        """
        Wait until it takes connections.

        Raises:
            NeverHappenedError: it ended instead, or took too long; says what it wrote.
        """
        try:
            until(lambda: self.process.poll() is not None or accepts(endpoint), f"{self.command[0]} to listen")
        except NeverHappenedError as error:
            raise NeverHappenedError(f"{error}:\n{self._output()}") from error
        if self.process.poll() is not None:
            raise NeverHappenedError(f"{self.command} ended with {self.process.returncode}:\n{self._output()}")

    def stop(self) -> int:
        """
        Ask it to end, wait, and kill whatever of its group is still there; return its exit status.
        """
        self.process.terminate()
        try:
            return self.process.wait(DEADLINE_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """
        Kill it and all it started, at once.
        """
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def _output(self) -> str:
        return self.output.read_text(errors="replace")[-4000:]


def run(command: Sequence[str], *, stdin: bytes = b"") -> str:
    """
    Run a program to its end and return what it wrote.

    Raises:
        AssertionError: it ended with another status than 0; says what it wrote.
    """
    done = subprocess.run(
        list(command), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False
    )
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{output}"
    return output


class Peer(ABC):
    """
    A daemon with a configuration of its own, running inside a ``with`` block.
    """

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """
        Start and wait until it serves.
        """

    @abstractmethod
    def stop(self) -> None:
        """
        End everything that was started; also when starting failed half-way.
        """
