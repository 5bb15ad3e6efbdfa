# SPDX-License-Identifier: Apache-2.0
import asyncio
import sqlite3

import lmtp

db = sqlite3.connect("inbox.db", isolation_level=None)
db.execute("PRAGMA synchronous = EXTRA")  # a row is on stable storage when its INSERT returns
db.execute("CREATE TABLE IF NOT EXISTS inbox (recipient, message)")


class Inbox:
    async def deliver(self, transaction: lmtp.Transaction) -> None:
        for recipient in transaction.recipients:
            db.execute("INSERT INTO inbox VALUES (?, ?)", (str(recipient.forward_path), transaction.content.read()))
            recipient.settle(lmtp.Delivered())


async def main(endpoint: str = "127.0.0.1:2424") -> None:
    async with lmtp.serve(Inbox(), endpoint):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
