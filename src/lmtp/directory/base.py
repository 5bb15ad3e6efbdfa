# SPDX-License-Identifier: Apache-2.0
"""
The contract of a directory: who is this recipient?

Asked at RCPT, many times at once for pipelined recipients, on the event loop: a driver that must wait returns
something to await, one that knows returns what it knows.
Not here: where an account's mail lands (stores/).
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lmtp.protocol.address import Mailbox, parse_domain


@dataclass(frozen=True, slots=True)
class Account:
    """
    Somebody who gets mail here.
    """

    mailbox: Mailbox
    """The account's own mailbox, as the directory spells it; stores use this, never what a client wrote."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What else the directory says about the account, by name; empty values are left out."""


class Directory(Protocol):
    """
    A source of accounts.
    """

    def find(self, mailbox: Mailbox) -> Account | Awaitable[Account | None] | None:
        """
        Return the account a mailbox belongs to, or None when nobody here has it.

        Raises:
            TransientError: the source can't be asked now, so nothing is known about the mailbox.
        """
        ...


async def ask(directory: Directory, mailbox: Mailbox) -> Account | None:
    """
    Return the account a mailbox belongs to, for those who have the time to wait for it.

    Raises:
        TransientError: as `Directory.find`.
    """
    found = directory.find(mailbox)
    return await found if isinstance(found, Awaitable) else found


def check_default_domain(text: str) -> None:
    """
    Check the domain that an operator gives to names that come without one; there may be none.

    Raises:
        ValueError: it is no domain.
    """
    try:
        parse_domain(text.encode("ascii"))
    except ValueError:
        raise ValueError(f"default_domain must be a domain, not {text!r}") from None
