# SPDX-License-Identifier: Apache-2.0
"""
What a programme gives to `serve`: one method to deliver, and if it likes one to verify recipients before.

Whatever a handler does (raise, hang, forget somebody) each recipient gets its reply: `451 4.3.0` for those it left.
"""

from collections.abc import Awaitable
from typing import Protocol, runtime_checkable

from lmtp.aio.session import Transaction
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.outcome import Verdict


class Handler(Protocol):
    """
    Takes messages.
    """

    async def deliver(self, transaction: Transaction) -> None:
        """
        Settle each of ``transaction.recipients`` with `Delivered`, `Deferred` or `Failed`, in any order.

        Each reply leaves as soon as those before it are known (RFC 2033 §5). `Delivered` is a promise: the message
        is on stable storage for that recipient (RFC 2033 §4.2).
        """
        ...


@runtime_checkable
class VerifiesRecipients(Protocol):
    """
    Says at RCPT who may have a message; a handler without it accepts everybody.
    """

    def verify(self, recipient: Recipient, transaction: Transaction) -> Verdict | Awaitable[Verdict]:
        """
        Return `Accepted`, `Deferred` or `Failed` for one recipient; ``def`` when that is known, else ``async def``.

        What is known at once costs no task, and no turn of the loop, per recipient. The recipients
        of one transaction may be asked for at the same time; their replies keep their order.
        """
        ...
