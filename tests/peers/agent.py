# SPDX-License-Identifier: Apache-2.0
"""
Our own server as a process: ``lmtp serve`` as an administrator starts it, with files of its own.

It listens on a Unix socket anybody may use and on a port of the loopback. Not here: clients.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.peers.maildir import Mailbox
from tests.peers.process import Daemon, Peer, free_port, until

COMMAND: Final = str(Path(sys.executable).with_name("lmtp"))
"""The command as it is installed beside this Python."""


class Agent(Peer):
    """
    A running delivery agent.

    Args:
        folder: An empty folder others may pass through, for its socket, its files and its Maildirs.
        users: Everybody who has a mailbox.
        wrapper: A command to run it under, such as a tracer.
    """

    def __init__(self, folder: Path, users: Sequence[str], *, wrapper: Sequence[str] = ()) -> None:
        self.socket = folder / "lmtp.sock"
        self.port = free_port()
        self.maildir = folder / "mail"
        self.log_file = folder / "serve.log"
        self.maildir.mkdir()
        users_file = folder / "users"
        users_file.write_text("".join(f"{user}\n" for user in users))
        self._command = [
            *wrapper, COMMAND, "serve",
            "--listen", f"unix:{self.socket},mode=0666", "--listen", f"127.0.0.1:{self.port}",
            "--maildir", str(self.maildir), "--users", str(users_file), "--log-format", "json",
        ]  # fmt: skip
        self._daemon: Daemon | None = None

    @property
    def pid(self) -> int:
        """
        The process started.
        """
        return self._running.pid

    def start(self) -> None:
        """
        Start it, also again on the same files, and wait until both endpoints take connections.
        """
        self._daemon = Daemon(self._command, self.log_file)
        self._running.wait_for(self.socket)
        self._running.wait_for(self.port)

    def stop(self) -> None:
        """
        Let it drain; whatever is still there afterwards is killed.

        Raises:
            AssertionError: it did not end by itself with status 0.
        """
        if self._daemon is not None:
            daemon, self._daemon = self._daemon, None
            status = daemon.stop()
            assert status == 0, f"lmtp serve ended with {status}:\n{self.log_file.read_text()[-4000:]}"

    def kill(self) -> None:
        """
        Kill it without warning.
        """
        self._running.kill()
        self._daemon = None

    def mailbox(self, address: str) -> Mailbox:
        """
        Return the Maildir of an address, as it is on disk.
        """
        local_part, _, domain = address.partition("@")
        return Mailbox(self.maildir / domain / local_part)

    def log(self, **fields: object) -> list[dict[str, Any]]:
        """
        Return the log lines that have these fields with these values.
        """
        lines = (json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if all(line.get(name) == value for name, value in fields.items())]

    def awaited_log(self, count: int, **fields: object) -> list[dict[str, Any]]:
        """
        Return so many lines of that kind; lines are written a moment after what they tell of.
        """
        until(lambda: len(self.log(**fields)) >= count, f"{count} log lines with {fields}")
        return self.log(**fields)

    def memory_kib(self, name: str) -> int:
        """
        Return one of the kernel's figures about its memory: ``VmRSS`` for now, ``VmHWM`` for the peak.
        """
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1])

    @property
    def _running(self) -> Daemon:
        assert self._daemon is not None, "it is not running"
        return self._daemon
