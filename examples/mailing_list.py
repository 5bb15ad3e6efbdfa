# SPDX-License-Identifier: Apache-2.0
"""
A mailing list behind Postfix: ``friends@lists.example`` goes to all who joined, ``friends-join@`` adds the sender.

A post is on disk before it is answered 250, and stays there until every member has it or never will: members who were
deferred are tried again, and only they. It is sent on to Postfix by SMTP, with the list's own address as the
reverse-path, so that failures come back to the list and not to whoever wrote.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import lmtp
from lmtp import SMTP, ClientSettings, OutgoingEnvelope, Pool

LISTS = {"friends"}


class Lists:
    def __init__(self, folder: Path, out: Pool) -> None:
        self._folder = folder
        self._out = out
        self.work = asyncio.Event()
        (folder / "posts").mkdir(parents=True, exist_ok=True)

    def verify(self, recipient: lmtp.Recipient, transaction: lmtp.Transaction) -> lmtp.Verdict:
        name, _, command = recipient.forward_path.mailbox.local_part.partition("-")
        if name not in LISTS:
            return lmtp.Failed("5.1.1")
        if command == "join" and not transaction.reverse_path.is_null:
            return lmtp.Accepted(account=(name, self.join))
        sender = str(transaction.reverse_path)[1:-1]
        if command == "" and sender in self.members(name):
            return lmtp.Accepted(account=(name, self.post))
        return lmtp.Failed("5.7.1", "Members only")

    async def deliver(self, transaction: lmtp.Transaction) -> None:
        for number, recipient in enumerate(transaction.recipients):
            name, act = recipient.account
            recipient.settle(await asyncio.to_thread(kept, act, name, transaction, number))
        self.work.set()

    def members(self, name: str) -> list[str]:
        path = self._folder / f"{name}.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else []

    def join(self, name: str, transaction: lmtp.Transaction, _number: int) -> None:
        members = {*self.members(name), str(transaction.reverse_path)[1:-1]}
        write(self._folder / f"{name}.json", json.dumps(sorted(members)).encode())

    def post(self, name: str, transaction: lmtp.Transaction, number: int) -> None:
        path = self._folder / "posts" / f"{transaction.transaction_id}-{number}"
        field = f"List-Id: <{name}.lists.example>\r\n".encode()
        write(path.with_suffix(".eml"), field + transaction.content.read())
        write(path.with_suffix(".json"), json.dumps({"list": name, "left": self.members(name)}).encode())

    async def distribute(self) -> None:
        """
        Send what there is to those it is still owed to; a crash loses none, for what is left is on disk.
        """
        for path in (self._folder / "posts").glob("*.json"):
            post = json.loads(path.read_text("utf-8"))
            envelope = OutgoingEnvelope.parse(f"{post['list']}-bounces@lists.example", *post["left"])
            results = await self._out.send(envelope, path.with_suffix(".eml"))
            post["left"] = [member for member, result in zip(post["left"], results, strict=True) if result.is_deferred]
            if post["left"]:
                write(path, json.dumps(post).encode())
            else:
                path.unlink()
                path.with_suffix(".eml").unlink()


def kept(
    act: Callable[[str, lmtp.Transaction, int], None], name: str, transaction: lmtp.Transaction, number: int
) -> lmtp.Outcome:
    try:
        act(name, transaction, number)
    except OSError as error:
        return lmtp.Deferred("4.3.0", detail=str(error))
    return lmtp.Delivered(where=name)


def write(path: Path, octets: bytes) -> None:
    """
    Put a file in its place, whole or not at all, and on stable storage.
    """
    fresh = path.with_name(f".{path.name}")
    with fresh.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def main(folder: Path = Path("lists"), endpoint: str = "127.0.0.1:2424", relay: str = "127.0.0.1:10025") -> None:
    async with Pool([relay], ClientSettings(dialect=SMTP)) as pool:
        lists = Lists(folder, pool)
        async with lmtp.serve(lists, endpoint):
            while True:
                lists.work.clear()
                await lists.distribute()
                try:
                    async with asyncio.timeout(300):  # then those who were deferred are tried again
                        await lists.work.wait()
                except TimeoutError:
                    continue


if __name__ == "__main__":
    asyncio.run(main())
