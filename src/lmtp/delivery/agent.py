# SPDX-License-Identifier: Apache-2.0
"""
The handler behind `lmtp serve`: who may have mail, what each recipient's copy looks like, where it goes.

Asks a directory at RCPT, puts trace fields on each copy, hands all copies of a transaction to the store's writer and
settles each recipient as its outcome comes. One recipient's copy never names another (RFC 5321 §7.2).
Not here: how a message is stored, who is asked. Raises only what the writer raises.
"""

import datetime as dt
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Protocol

from lmtp.aio.session import Transaction
from lmtp.directory.base import Account, Directory
from lmtp.message import (
    MAX_HOPS,
    HeaderSection,
    Received,
    date_time,
    edit_for_delivery,
    has_looped,
    lmtp_keyword,
    trace_fields,
)
from lmtp.protocol.address import ForwardPath, Mailbox
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.outcome import Accepted, Failed, Outcome, Verdict
from lmtp.stores.base import Copy

CREATED: Final = "created"
"""The field of an account that says since when it has had its owner, as RFC 3339 has it; without a zone it is ours."""


class Writer(Protocol):
    """
    What the agent needs of a store: `lmtp.stores.writer.GroupWriter` is one.
    """

    def check(self, mailbox: Mailbox) -> None:
        """
        Refuse, without blocking, a mailbox of which no copy can ever be stored; raises PermanentError.
        """
        ...

    async def write(self, copies: Sequence[Copy], settled: Callable[[int, Outcome], None]) -> None:
        """
        Store these copies; call ``settled`` with the index and the outcome of each as it is known.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """
    What the agent itself can be told.
    """

    max_hops: int = MAX_HOPS
    """Received fields from which on a message is taken to run in circles (RFC 5321 §6.3)."""


class DeliveryAgent:
    """
    A handler for `lmtp.serve` that delivers into a store.

    Args:
        directory: Who knows the recipients.
        writer: Who stores their copies.
        options: What the agent itself can be told.
        clock: Seconds since 1970, for trace fields.
    """

    def __init__(
        self,
        directory: Directory,
        writer: Writer,
        options: DeliveryOptions = DeliveryOptions(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._options = options
        self._clock = clock

    def verify(self, recipient: Recipient, transaction: Transaction) -> Verdict | Awaitable[Verdict]:  # noqa: ARG002 - the handler's shape
        """
        Accept who is in the directory and can be stored for; the account is found again at delivery.

        Raises:
            TransientError: the directory can't be asked now.
            PermanentError: nothing can ever be stored for this mailbox.
        """
        found = self._directory.find(recipient.forward_path.mailbox)
        if isinstance(found, Awaitable):
            return self._verdict_when(found, recipient)
        return self._verdict_for(found, recipient)

    async def _verdict_when(self, found: Awaitable[Account | None], recipient: Recipient) -> Verdict:
        return self._verdict_for(await found, recipient)

    def _verdict_for(self, account: Account | None, recipient: Recipient) -> Verdict:
        if account is None:
            return Failed("5.1.1")
        if refusal := _owner_refusal(account, recipient):
            return refusal
        self._writer.check(account.mailbox)
        return Accepted(account)

    async def deliver(self, transaction: Transaction) -> None:
        """
        Store a copy for each recipient, or fail them all when the message runs in circles.
        """
        header = HeaderSection(next(transaction.content.chunks(), b""))
        recipients = transaction.recipients
        if has_looped(header, self._options.max_hops):
            for recipient in recipients:
                recipient.settle(Failed("5.4.6"))
            return
        date = self._date()
        copies = [_copy(transaction, header, recipient, date) for recipient in recipients]
        await self._writer.write(copies, lambda index, outcome: recipients[index].settle(outcome))

    def _date(self) -> str:
        now = self._clock()
        return date_time(now, time.localtime(now).tm_gmtoff)


def _copy(transaction: Transaction, header: HeaderSection, recipient: Recipient, date: str) -> Copy:
    """
    Make the copy of one recipient from nothing but what concerns it.
    """
    mailbox = _account(recipient).mailbox
    named = recipient.forward_path.mailbox
    fields = trace_fields(
        transaction.reverse_path,
        named if named.domain else Mailbox(named.local_part, mailbox.domain),
        _received(transaction, recipient.forward_path, date),
    )
    head, body_start = edit_for_delivery(header, fields)
    return Copy(mailbox, head, transaction.content, body_start)


def _owner_refusal(account: Account, recipient: Recipient) -> Failed | None:
    """
    Refuse a mailbox that had another owner at the time the sender knew it, or may have had (RFC 7293 §5.1).
    """
    valid_since = recipient.parameters.valid_since
    if valid_since is None or recipient.forward_path.mailbox.is_postmaster:
        return None
    try:
        created = dt.datetime.fromisoformat(account.fields[CREATED])
    except (KeyError, ValueError) as error:
        return Failed("5.7.19", detail=f"since when {account.mailbox} has had its owner is not known: {error!r}")
    if created.astimezone(dt.UTC) <= valid_since.moment:
        return None
    return Failed("5.7.17", detail=f"{account.mailbox} has had its owner since {created.isoformat()}")


def _account(recipient: Recipient) -> Account:
    assert isinstance(recipient.account, Account), "the agent accepts nobody without an account"  # noqa: S101
    return recipient.account


def _received(transaction: Transaction, forward_path: ForwardPath, date: str) -> Received:
    session = transaction.session
    return Received(
        client_name=session.client_name,
        peer_address=ip_address(session.peer_address) if session.peer_address else None,
        server_name=session.server_name,
        keyword=lmtp_keyword(
            is_encrypted=session.tls is not None,
            is_authenticated=session.is_authenticated,
            is_utf8=transaction.envelope.parameters.is_internationalized,
        ),
        transaction_id=transaction.transaction_id,
        forward_path=forward_path,
        date=date,
    )
