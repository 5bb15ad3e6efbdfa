# SPDX-License-Identifier: Apache-2.0
"""
Run one of the LMTP servers to compare until Ctrl-C: ``python -m tests.peers.start cyrus``.

Once it serves, one line of JSON says where it listens and who its recipients are: `user` and `other` get mail,
`unknown` is refused at RCPT, `failing` after the content; `maildir` is where `user`'s mail lands. What a server does
not have is null. Ends with status 1 and the reason where the server is not installed.
"""

import argparse
import contextlib
import json
import shutil
import signal
import sys
from pathlib import Path

from tests.peers.process import make_place
from tests.peers.programs import why_missing
from tests.peers.servers import FAILING, OURS, SERVERS, UNKNOWN, USERS, Server


def main() -> None:
    """
    Do as the command line says.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.peers.start", description="Run an LMTP server until Ctrl-C.")
    parser.add_argument("server", choices=sorted(SERVERS))
    name = parser.parse_args().server
    if name != OURS and (reason := why_missing(name)):
        sys.exit(reason)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background commands are told to ignore the first
        signal.signal(number, signal.default_int_handler)
    folder = make_place()
    try:
        with contextlib.suppress(KeyboardInterrupt):  # how it ends, with the server stopped
            run(name, SERVERS[name](folder))
    finally:
        shutil.rmtree(folder)


def run(name: str, server: Server) -> None:
    """
    Start a server, tell about it, and wait for a signal.
    """
    with server.peer:
        print(json.dumps({"server": name, **description(server)}), flush=True)  # noqa: T201 - what it is started for
        while True:
            signal.pause()


def description(server: Server) -> dict[str, str | None]:
    """
    Return where a server listens and who its recipients are.
    """
    local_part, _, domain = USERS[0].partition("@")
    return {
        "endpoint": f"unix:{server.endpoint}" if isinstance(server.endpoint, Path) else f"127.0.0.1:{server.endpoint}",
        "user": USERS[0],
        "other": USERS[1],
        "unknown": UNKNOWN if server.knows_recipients else None,
        "failing": FAILING if server.knows_recipients else None,
        "maildir": str(server.maildir / domain / local_part) if server.maildir else None,
    }


if __name__ == "__main__":
    main()
