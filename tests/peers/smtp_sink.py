# SPDX-License-Identifier: Apache-2.0
"""
Postfix's smtp-sink in its LMTP mode: takes everything for everybody and writes it into a folder, or into one file.

It knows no recipients, so it has nobody unknown and nobody over quota.
"""

import re
from pathlib import Path
from typing import Final

from tests.peers.process import Daemon, Peer, as_user, free_port, give
from tests.peers.programs import path_of

USER: Final = "nobody"
"""Who it is when root starts it: it refuses to be root."""
_BACKLOG: Final = "128"
_BOUNDARY: Final = "---- smtp-sink begins another ----\n"
"""What stands before each message in one file."""


class SmtpSink(Peer):
    """
    A running smtp-sink, on a port of the loopback and nowhere else.

    Args:
        folder: An empty folder other users may pass through.
        options: More of its options: which commands it refuses, and how.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._options = options
        self.log_file = folder / "smtp-sink.log"
        self._dumps = folder / "messages"
        self._daemon: Daemon | None = None

    def start(self) -> None:
        """
        Start it and wait until it takes connections.
        """
        self._dumps.mkdir(exist_ok=True)
        give(self._dumps, USER)
        options = ["-L", "-v", *self._capture(), *self._options]
        command = [path_of("smtp-sink"), *options, f"127.0.0.1:{self.port}", _BACKLOG]
        self._daemon = Daemon(as_user(USER, command), self.log_file)
        self._daemon.wait_for(self.port)

    def stop(self) -> None:
        """
        End it.
        """
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def messages(self, recipient: str) -> list[bytes]:
        """
        Return what was sent to a recipient, each below the fields in which the sink says how it came.
        """
        addressed = re.compile(rb"^X-Rcpt-Args: <" + re.escape(recipient.encode()) + rb">", re.MULTILINE)
        return [dump for dump in self.dumps() if addressed.search(dump)]

    def dumps(self) -> list[bytes]:
        """
        Return all messages, each below the fields in which the sink says how it came.
        """
        # It ends each dump with an empty line.
        return [dump.read_bytes().removesuffix(b"\n") for dump in sorted(self._dumps.iterdir())]

    def _capture(self) -> list[str]:
        return ["-d", f"{self._dumps}/"]

    def log(self) -> str:
        """
        Return all it has logged, the commands of its clients among them.
        """
        return self.log_file.read_text()


class SmtpSinkWithOneFile(SmtpSink):
    """
    The same with all messages in one file, in the order in which they came.
    """

    def dumps(self) -> list[bytes]:
        _, *dumps = (self._dumps / "all").read_bytes().split(_BOUNDARY.encode())
        return [dump.removesuffix(b"\n") for dump in dumps]

    def _capture(self) -> list[str]:
        return ["-D", f"{self._dumps}/all", "-S", _BOUNDARY]
