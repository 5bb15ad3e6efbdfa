# SPDX-License-Identifier: Apache-2.0
"""
LMTP servers that are libraries: aiosmtpd's class and nodemailer's smtp-server, each with the smallest handler.

The handlers are scripts beside this module, run by the interpreter that has the library. They deliver into Maildirs,
refuse unknown recipients at RCPT, and whoever is over quota after the content. All else is the library's own.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.peers.maildir import Mailbox
from tests.peers.process import Daemon, Peer, free_port
from tests.peers.programs import path_of

_SCRIPTS: Final = Path(__file__).parent


class LibraryServer(Peer):
    """
    A running script.

    Args:
        folder: An empty folder, for its socket, its log and its Maildirs.
        users: Everybody who has a mailbox.
        over_quota: Those of them whose mailbox takes no message.
        settings: What else the script is to know.
    """

    def __init__(
        self, folder: Path, users: Sequence[str], *, over_quota: Sequence[str] = (), **settings: object
    ) -> None:
        self.socket = folder / "lmtp.sock"
        self.maildir = folder / "mail"
        self.log_file = folder / "server.log"
        self._settings = json.dumps(
            {
                "socket": str(self.socket),
                "maildir": str(self.maildir),
                "users": list(users),
                "over_quota": list(over_quota),
                **settings,
            }
        )
        self._daemon: Daemon | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """
        Return what runs the script; its settings follow, as JSON.
        """

    def start(self) -> None:
        """
        Start it and wait until it takes connections.
        """
        self.socket.unlink(missing_ok=True)
        self._daemon = Daemon([*self.command(), self._settings], self.log_file)
        self._daemon.wait_for(self.socket)

    def stop(self) -> None:
        """
        End it; what it has answered is written.
        """
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    @property
    def _running(self) -> Daemon:
        assert self._daemon is not None, "it is not running"
        return self._daemon

    def mailbox(self, address: str) -> Mailbox:
        """
        Return the Maildir of an address, as it is on disk.
        """
        local_part, _, domain = address.partition("@")
        return Mailbox(self.maildir / domain / local_part)

    def log(self) -> str:
        """
        Return all it has logged.
        """
        return self.log_file.read_text()


class Aiosmtpd(LibraryServer):
    """
    aiosmtpd's LMTP class.
    """

    def command(self) -> list[str]:
        # -P: the script's folder is no place to import from, it has modules named like those of libraries.
        return [path_of("aiosmtpd"), "-P", str(_SCRIPTS / "aiosmtpd_server.py")]


class Nodemailer(LibraryServer):
    """
    nodemailer's smtp-server, told to speak LMTP, on a Unix socket and a port of the loopback.

    Args:
        folder: As above.
        users: As above.
        over_quota: As above.
        certificate_file: Key and certificates for STARTTLS, in PEM; None: one that everybody knows the key of.
        passwords: Who may authenticate by what.
    """

    def __init__(
        self,
        folder: Path,
        users: Sequence[str],
        *,
        over_quota: Sequence[str] = (),
        certificate_file: Path | None = None,
        passwords: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        super().__init__(
            folder,
            users,
            over_quota=over_quota,
            port=self.port,
            certificate_file=str(certificate_file or ""),
            passwords=passwords or {},
        )

    def start(self) -> None:
        super().start()
        self._running.wait_for(self.port)

    def command(self) -> list[str]:
        return [path_of("node"), str(_SCRIPTS / "nodemailer_server.cjs"), path_of("nodemailer")]
