# SPDX-License-Identifier: Apache-2.0
"""
A real Postfix in front of an LMTP server: takes mail by SMTP, keeps its queue, delivers with lmtp(8).

It has its own main.cf, master.cf, queue and data folders; nothing of /etc is read or written. It is told to
change nothing in a message, so that tests may compare octets.
"""

import contextlib
import json
import os
import shutil
import signal
import smtplib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.peers.process import Daemon, Peer, free_port, run, until
from tests.peers.programs import path_of

_MAIN_CF: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mx.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = example.org
virtual_mailbox_maps =
virtual_transport = lmtp:{nexthop}
# A bounce or a deferred message is what some tests wait for: no second thoughts.
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
# Change nothing, so that what is stored can be compared with what was sent.
local_header_rewrite_clients =
message_drop_headers =
lmtp_line_length_limit = 0
"""
_MASTER_CF: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Peer):
    """
    A running Postfix that delivers everything for example.org by LMTP.

    Args:
        folder: An empty folder other users may pass through.
        nexthop: Where to, as Postfix writes it: ``unix:/path`` or ``inet:[127.0.0.1]:port``.
    """

    def __init__(self, folder: Path, nexthop: str) -> None:
        self.port = free_port()
        self.log_file = folder / "mail.log"
        self._queue = folder / "queue"
        self._config = folder / "etc"
        self._output = folder / "output"
        self._daemon: Daemon | None = None
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        (self._config / "main.cf").write_text(_MAIN_CF.format(folder=folder, nexthop=nexthop))
        (self._config / "master.cf").write_text(_MASTER_CF.format(port=self.port))

    def start(self) -> None:
        """
        Start the master and wait until its SMTP server takes connections.
        """
        self._daemon = Daemon([path_of("postfix"), "-c", str(self._config), "start-fg"], self._output)
        self._daemon.wait_for(self.port)

    def stop(self) -> None:
        """
        Stop the master with all its children: they are a process group of their own.
        """
        if self._daemon is None:
            return
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            os.killpg(int((self._queue / "pid/master.pid").read_text()), signal.SIGKILL)
        self._daemon.kill()
        self._daemon = None

    def send(self, reverse_path: str, recipients: Sequence[str], content: bytes) -> None:
        """
        Hand over one message by SMTP; it is in the queue when this returns.
        """
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
            client.sendmail(reverse_path, recipients, content, mail_options=["BODY=8BITMIME"])

    def queue(self) -> list[dict[str, Any]]:
        """
        Return the messages in the queue, each with its name, its queue and its recipients.
        """
        listing = run([path_of("postqueue"), "-c", str(self._config), "-j"])
        return [json.loads(line) for line in listing.splitlines()]

    def until_deferred(self, messages: int) -> None:
        """
        Wait until exactly so many messages are deferred and no other is in the queue.
        """
        until(
            lambda: ["deferred"] * messages == [entry["queue_name"] for entry in self.queue()],
            f"Postfix to have tried everything and kept {messages}",
        )

    def retry(self) -> None:
        """
        Try all deferred messages again, now.
        """
        run([path_of("postqueue"), "-c", str(self._config), "-f"])

    def until_empty(self) -> None:
        """
        Wait until nothing is in the queue.
        """
        until(lambda: not self.queue(), "Postfix's queue to empty")
