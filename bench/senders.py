# SPDX-License-Identifier: Apache-2.0
"""
The clients of the benchmark: each sends so many messages of 4 KiB over so many connections, and says how long it took.

    python -m bench.senders ours unix:/tmp/sink 8 20000

Prints one line of JSON: seconds, and seconds of processor time. Each runs in a process of its own.
"""

import asyncio
import json
import os
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import aiosmtplib
import uvloop

import lmtp

SENDER: Final = "ann@example.org"
RECIPIENT: Final = "ben@example.org"
MESSAGE: Final = b"Subject: hello\r\n\r\n" + (b"x" * 62 + b"\r\n") * 64
IN_FLIGHT: Final = 4
"""Messages that follow each other in one of our sessions."""


async def send_ours(path: str, connections: int, messages: int) -> None:
    """
    Send by `lmtp.connect`.
    """
    envelope = lmtp.OutgoingEnvelope.parse(SENDER, RECIPIENT)
    clients = [await lmtp.connect(f"unix:{path}") for _ in range(connections)]
    left = messages

    async def send(client: lmtp.Client) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            (result,) = await client.send(envelope, MESSAGE)
            assert result.is_delivered, result

    await asyncio.gather(*(send(client) for client in clients for _ in range(IN_FLIGHT)))
    for client in clients:
        await client.close()


def ours(path: str, connections: int, messages: int) -> None:
    """
    Our client on asyncio's own loop.
    """
    asyncio.run(send_ours(path, connections, messages))


def ours_uvloop(path: str, connections: int, messages: int) -> None:
    """
    Our client on uvloop.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send_ours(path, connections, messages))


def with_smtplib(path: str, connections: int, messages: int) -> None:
    """
    The standard library's client, a thread for each connection.
    """

    def send() -> None:
        with smtplib.LMTP(path) as client:
            for _ in range(messages // connections):
                refused = client.sendmail(SENDER, [RECIPIENT], MESSAGE)
                assert not refused, refused

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Lhlo(aiosmtplib.SMTP):
    """
    aiosmtplib, which speaks no LMTP, made to say LHLO.
    """

    async def execute_command(self, *words: bytes, **settings: float | None) -> aiosmtplib.SMTPResponse:
        """
        Say a command, with the greeting of the other protocol.
        """
        return await super().execute_command(b"LHLO" if words[0] == b"EHLO" else words[0], *words[1:], **settings)


def with_aiosmtplib(path: str, connections: int, messages: int) -> None:
    """
    Send by aiosmtplib.
    """

    async def send() -> None:
        client = Lhlo(socket_path=path, start_tls=False)
        await client.connect()
        for _ in range(messages // connections):
            errors, _response = await client.sendmail(SENDER, [RECIPIENT], MESSAGE)
            assert not errors, errors
        await client.quit()

    async def main() -> None:
        await asyncio.gather(*(send() for _ in range(connections)))

    asyncio.run(main())


def with_smtp_source(path: str, connections: int, messages: int) -> None:
    """
    Postfix's own generator, in C.
    """
    counts = ["-s", str(connections), "-m", str(messages), "-l", str(len(MESSAGE))]
    addresses = ["-f", SENDER, "-t", RECIPIENT]
    subprocess.run(["/usr/sbin/smtp-source", "-L", "-d", *counts, *addresses, f"unix:{path}"], check=True)


SENDERS: Final[dict[str, Callable[[str, int, int], None]]] = {
    "ours": ours,
    "ours, uvloop": ours_uvloop,
    "smtplib": with_smtplib,
    "aiosmtplib": with_aiosmtplib,
    "smtp-source": with_smtp_source,
}
"""Who takes part."""


def main() -> None:
    """
    Let one of them send.
    """
    name, path, connections, messages = sys.argv[1:]
    begun = time.perf_counter()
    SENDERS[name](path, int(connections), int(messages))
    seconds = time.perf_counter() - begun
    used = os.times()
    cpu = used.user + used.system + used.children_user + used.children_system
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main()
