# SPDX-License-Identifier: Apache-2.0
"""
A real Cyrus lmtpd under Cyrus's master, on a Unix socket and a port of the loopback, where it trusts everybody as well.

It has its own configuration, databases and spool; nothing of /etc is read or written. It makes a user's mailbox at the
first RCPT for it, so `Cyrus.start` sends one for each. Its log is what it calls telemetry: each session word for word;
what it tells syslog is lost where no syslog runs.
"""

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.peers.lmtp_client import LmtpClient
from tests.peers.process import Daemon, Peer, as_user, free_port, give, run
from tests.peers.programs import path_of

USER: Final = "mail"
"""Who it is when root starts it: lmtpd refuses to be root."""

_IMAPD_CONF: Final = """\
configdirectory: {folder}/config
partition-default: {folder}/spool
cyrus_user: {user}
servername: mx.example
virtdomains: userid
defaultdomain: {domain}
unixhierarchysep: yes
autocreate_post: yes
autocreate_quota: 0
autocreate_users: {users}
quota_db: quotalegacy
lmtp_strict_quota: yes
# By default a second message with a Message-ID it has seen is answered 250 and thrown away.
duplicatesuppression: no
"""
_CYRUS_CONF: Final = """\
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {config} -r"
}}
SERVICES {{
  lmtp cmd="{programs}/lmtpd -C {config}" listen="{socket}" prefork=1
  lmtptcp cmd="{programs}/lmtpd -a -C {config}" listen="127.0.0.1:{port}" prefork=1
}}
EVENTS {{
}}
"""
_NOTHING_ALLOWED: Final = "%(S (0 0) M (0) AS (0) NF (1))\n"
"""A quota as Cyrus writes it: none of zero octets used, one folder there."""
_FOLDERS: Final = ("config", "config/socket", "config/log", "config/log/postman", "spool")
"""What it does not make itself; sessions on a Unix socket are those of a user it calls postman."""


class Cyrus(Peer):
    """
    A running Cyrus.

    Args:
        folder: An empty folder other users may pass through.
        users: Everybody who has a mailbox, all of one domain.
        over_quota: Those of them whose mailbox takes no message: the failure comes after the content, and at RCPT
            already when MAIL said the SIZE.
    """

    def __init__(self, folder: Path, users: Sequence[str], *, over_quota: Sequence[str] = ()) -> None:
        self.socket = folder / "config/socket/lmtp"
        self.port = free_port()
        self._folder = folder
        self._users = users
        self._over_quota = over_quota
        self._config = folder / "imapd.conf"
        self._services = folder / "cyrus.conf"
        self._output = folder / "output"
        self._programs = Path(path_of("cyrus")).parent
        self._daemon: Daemon | None = None
        for name in _FOLDERS:
            (folder / name).mkdir()
            give(folder / name, USER)
        self._write_configuration()

    def start(self) -> None:
        """
        Start it, wait until it takes connections, and have it make the mailboxes.
        """
        files = ["-C", str(self._config), "-M", str(self._services), "-p", str(self._folder / "config/master.pid")]
        self._daemon = Daemon(self._command("master", *files), self._output)
        self._daemon.wait_for(self.socket)
        self._daemon.wait_for(self.port)
        self._make_mailboxes()

    def stop(self) -> None:
        """
        Stop the master and with it all its children.
        """
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def messages(self, user: str) -> list[bytes]:
        """
        Return the messages in a user's mailbox, in the order they came in.
        """
        folder = run(self._command("mbpath", "-C", str(self._config), f"user/{user}")).strip()
        files = sorted(Path(folder).glob("*."), key=lambda file: int(file.name.removesuffix(".")))
        return [file.read_bytes() for file in files]

    def log(self) -> str:
        """
        Return what was said in all sessions, and what its programs wrote.
        """
        sessions = sorted((self._folder / "config/log/postman").iterdir())
        return "".join(file.read_text(errors="replace") for file in [*sessions, self._output])

    def _write_configuration(self) -> None:
        domain = self._users[0].partition("@")[2]
        known = " ".join(user.removesuffix(f"@{domain}") for user in self._users)
        owner = pwd.getpwuid((self._folder / "spool").stat().st_uid).pw_name
        self._config.write_text(_IMAPD_CONF.format(folder=self._folder, user=owner, domain=domain, users=known))
        self._services.write_text(
            _CYRUS_CONF.format(programs=self._programs, config=self._config, socket=self.socket, port=self.port)
        )

    def _make_mailboxes(self) -> None:
        with LmtpClient(self.socket) as client:
            client.command("MAIL FROM:<>")
            for user in self._users:
                reply = client.command(f"RCPT TO:<{user}>")
                assert reply.startswith("250 "), reply
        for user in self._over_quota:
            (quota,) = (self._folder / "config/quota").glob(f"*/user.{user.partition('@')[0]}")
            quota.write_text(_NOTHING_ALLOWED)

    def _command(self, program: str, *arguments: str) -> list[str]:
        # Unpacked and not installed: the loader must be told where its libraries are.
        libraries = os.pathsep.join(map(str, self._programs.parents[1].glob("*-linux-*")))
        environment = ["env", f"LD_LIBRARY_PATH={libraries}"]
        return as_user(USER, [*environment, str(self._programs / program), *arguments])
