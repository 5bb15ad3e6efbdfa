# SPDX-License-Identifier: Apache-2.0
"""
A filter between Postfix and Dovecot: it looks at each message and passes it on, recipient by recipient.

Postfix delivers to it by LMTP, it delivers to the store by LMTP. It has no queue and needs none: what the store says of
a recipient is what Postfix is told of that recipient, the moment it is known. Nothing is promised before it is kept.
"""

import asyncio

import lmtp
from lmtp import Deferred, OutgoingEnvelope, Pool

SUSPICIOUS = (b"free money", b"act now")


class Filter:
    def __init__(self, store: Pool) -> None:
        self._store = store

    async def deliver(self, transaction: lmtp.Transaction) -> None:
        content = transaction.content.read()
        score = sum(phrase in content.lower() for phrase in SUSPICIOUS)
        recipients = transaction.recipients
        await self._store.deliver(
            OutgoingEnvelope.relay(transaction.envelope),
            b"X-Suspicion: %d\r\n" % score + content,
            lambda index, result: recipients[index].settle(passed_on(result)),
        )


def passed_on(result: lmtp.Result) -> lmtp.Outcome:
    """
    Tell Postfix what the store said; that there was no store is our trouble and not the recipient's.
    """
    return result.outcome if result.reply else Deferred("4.4.1", detail=str(result))


async def main(endpoint: str = "127.0.0.1:2424", store: str = "unix:/run/dovecot/lmtp") -> None:
    async with Pool([store]) as pool, lmtp.serve(Filter(pool), endpoint):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
