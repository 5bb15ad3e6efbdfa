# SPDX-License-Identifier: Apache-2.0
"""
A real Exim that delivers one message at once and in the foreground, without a daemon.

It has both ways of speaking LMTP: the smtp driver with ``protocol = lmtp`` over TCP, and the lmtp driver over
a Unix socket. Its own configuration, spool and log; nothing of /etc is read or written.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.peers.process import run
from tests.peers.programs import path_of

_CONFIG: Final = """\
exim_path = {exim}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
primary_hostname = mx.example
keep_environment =
local_interfaces = 127.0.0.1
no_message_logs
begin routers
all:
  driver = {router}
  transport = lmtp
begin transports
lmtp:
  {transport}
begin retry
* * F,1h,1h
"""
_TCP: Final = {
    "router": "manualroute\n  domains = *\n  route_list = * 127.0.0.1 byname\n  self = send",
    "transport": ("driver = smtp\n  protocol = lmtp\n  port = {port}\n  allow_localhost\n  hosts_try_fastopen ="),
}
_UNIX: Final = {
    "router": "accept",
    "transport": "driver = lmtp\n  socket = {socket}\n  batch_max = 100\n  user = Debian-exim",
}


class Exim:
    """
    An Exim that delivers to one LMTP server.

    Args:
        folder: An empty folder other users may pass through.
        endpoint: A port of the loopback, or the path of a Unix socket.
    """

    def __init__(self, folder: Path, endpoint: Path | int) -> None:
        self._config = folder / "exim.conf"
        self._log = folder / "log"
        self._log.mkdir()
        shutil.chown(self._log, "Debian-exim")
        parts = _TCP if isinstance(endpoint, int) else _UNIX
        transport = parts["transport"].format(port=endpoint, socket=endpoint)
        self._config.write_text(
            _CONFIG.format(exim=path_of("exim4"), folder=folder, router=parts["router"], transport=transport)
        )

    def send(self, reverse_path: str, recipients: Sequence[str], content: bytes) -> None:
        """
        Deliver one message; what became of it is in the log.
        """
        command = [path_of("exim4"), "-C", str(self._config), "-odf", "-oi", "-f", reverse_path, *recipients]
        run(command, stdin=content.replace(b"\r\n", b"\n"))

    def log(self) -> str:
        """
        Return its main log.
        """
        return (self._log / "mainlog").read_text()
