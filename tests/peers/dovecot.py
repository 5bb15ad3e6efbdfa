# SPDX-License-Identifier: Apache-2.0
"""
A real Dovecot: IMAP over the Maildirs an LMTP server filled, and an LMTP server of its own to compare with.

It has its own configuration, sockets and state; nothing of /etc is read or written. Everybody's password is
`PASSWORD`. Dovecot serves no mail of root, so Maildirs written by root must be handed to `USER` first.
"""

import imaplib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.peers.process import Daemon, Peer, free_port
from tests.peers.programs import path_of

PASSWORD: Final = "secret"
USER: Final = "mail"
"""The system's user that owns all mail."""

_CONFIG: Final = """\
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = lmtp-peers
log_path = {folder}/dovecot.log
ssl = no
disable_plaintext_auth = no
protocols = imap lmtp
first_valid_uid = 1
mail_location = maildir:{maildir}/%d/%n
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
  default_fields = uid={user} gid={user} home={folder}/home/%d/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  client_limit = 1
  process_min_avail = {lmtp_processes}
  process_limit = 100
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
protocol lmtp {{
  lmtp_save_to_detail_mailbox = no
}}
"""
_QUOTA: Final = """\
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = maildir:
}
"""
_NOTHING_ALLOWED: Final = "userdb_quota_rule=*:bytes=1"
"""Dovecot takes zero for no limit."""


class Dovecot(Peer):
    """
    A running Dovecot.

    Args:
        folder: An empty folder other users may pass through.
        maildir: The root of the Maildirs: domain, then local part.
        users: Everybody who has a mailbox.
        over_quota: Those of them whose mailbox takes no message: the failure comes after the content.
        lmtp_processes: How many LMTP processes wait for clients.
    """

    def __init__(
        self,
        folder: Path,
        maildir: Path,
        users: Sequence[str],
        *,
        over_quota: Sequence[str] = (),
        lmtp_processes: int = 0,
    ) -> None:
        self.lmtp_socket = folder / "lmtp"
        self.lmtp_port = free_port()
        self.log_file = folder / "dovecot.log"
        self._port = free_port()
        self._config = folder / "dovecot.conf"
        self._output = folder / "output"
        self._daemon: Daemon | None = None
        rules = dict.fromkeys(over_quota, _NOTHING_ALLOWED)
        (folder / "users").write_text("".join(f"{user}:::::::{rules.get(user, '')}\n" for user in users))
        self._config.write_text(
            _CONFIG.format(
                folder=folder,
                maildir=maildir,
                password=PASSWORD,
                user=USER,
                port=self._port,
                lmtp_port=self.lmtp_port,
                lmtp_processes=lmtp_processes,
            )
            + (_QUOTA if over_quota else "")
        )

    @property
    def pid(self) -> int:
        """
        The master process.
        """
        assert self._daemon is not None
        return self._daemon.pid

    def start(self) -> None:
        """
        Start it and wait until IMAP and LMTP take connections.
        """
        self._daemon = Daemon([path_of("dovecot"), "-F", "-c", str(self._config)], self._output)
        self._daemon.wait_for(self._port)
        self._daemon.wait_for(self.lmtp_socket)

    def stop(self) -> None:
        """
        Stop the master and with it all its children.
        """
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def log_in(self, user: str) -> imaplib.IMAP4:
        """
        Open an IMAP session; a ``with`` block around it logs out.
        """
        session = imaplib.IMAP4("127.0.0.1", self._port, timeout=30)
        session.login(user, PASSWORD)
        return session

    def log(self) -> str:
        """
        Return all it has logged.
        """
        return self.log_file.read_text()


def hand_over(maildir: Path) -> None:
    """
    Make a tree of Maildirs the property of the user Dovecot reads them as.
    """
    for folder, _, names in os.walk(maildir):
        shutil.chown(folder, USER, USER)
        for name in names:
            shutil.chown(Path(folder, name), USER, USER)
