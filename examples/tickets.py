# SPDX-License-Identifier: Apache-2.0
"""
A handler that knows its recipients, works on a thread, and gives each recipient an outcome of its own.

Mail to ``queue+number@tickets.example`` becomes a file in the folder of that queue; other queues don't exist.
"""

import asyncio
import os
import sys
from pathlib import Path

import lmtp
from lmtp.observe.events import Event

QUEUES = {"billing", "support"}


class Tickets:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for queue in QUEUES:
            (folder / queue).mkdir(parents=True, exist_ok=True)

    def verify(self, recipient: lmtp.Recipient, transaction: lmtp.Transaction) -> lmtp.Verdict:  # noqa: ARG002
        queue = recipient.forward_path.mailbox.local_part.partition("+")[0]
        if queue not in QUEUES:
            return lmtp.Failed("5.1.1")  # 550 at RCPT: the client tells the sender
        return lmtp.Accepted(account=queue)  # found again below as recipient.account

    async def deliver(self, transaction: lmtp.Transaction) -> None:
        for number, recipient in enumerate(transaction.recipients):
            name = f"{transaction.transaction_id}-{number}.eml"
            path = self._folder / str(recipient.account) / name
            recipient.settle(await asyncio.to_thread(write, path, transaction))


def write(path: Path, transaction: lmtp.Transaction) -> lmtp.Outcome:
    try:
        with path.open("xb") as file:
            for octets in transaction.content.chunks():  # never more than 256 KiB in memory
                file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        return lmtp.Deferred("4.3.0", detail=str(error))  # 451: the client tries this recipient again
    return lmtp.Delivered(where=str(path))


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the file's name is in the folder, so the folder must be safe too
    finally:
        os.close(descriptor)


class Log:
    def observe(self, event: Event) -> None:
        print(event, file=sys.stderr)


async def main(folder: Path = Path("tickets"), endpoint: str = "127.0.0.1:2424") -> None:
    settings = lmtp.ServerSettings(server_name="tickets.example", limits=lmtp.Limits(message_bytes=10_000_000))
    async with lmtp.serve(Tickets(folder), endpoint, settings=settings, observer=Log()):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
