# SPDX-License-Identifier: Apache-2.0
"""
A directory for a first try: everybody lives here.

Not for a network: whoever reaches the server fills the disk with accounts of their own invention, so service/
lets it serve loopback and Unix sockets only. Never raises.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lmtp.directory.base import Account, check_default_domain
from lmtp.directory.subaddress import without_detail
from lmtp.protocol.address import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryoneOptions:
    """
    How `Everyone` spells an account.

    Raises:
        ValueError: the default domain is none.
    """

    recipient_delimiter: str = "+"
    """Characters each of which ends the account's name and begins the detail; empty for none."""
    default_domain: str = "localhost"
    """The domain of recipients that come without one."""

    def __post_init__(self) -> None:
        check_default_domain(self.default_domain)


class Everyone:
    """
    Accepts every mailbox; spellings that differ in case or detail are one account.
    """

    def __init__(self, options: EveryoneOptions | None = None, domain_key: Callable[[str], str] = str.lower) -> None:
        self._options = options or EveryoneOptions()
        self._domain_key = domain_key

    def find(self, mailbox: Mailbox) -> Account:
        """
        Return the account: the local part in lower case without its detail, the domain in lower case.
        """
        local_part = without_detail(mailbox.local_part, self._options.recipient_delimiter)
        domain = mailbox.domain or self._options.default_domain
        return Account(Mailbox(local_part.lower(), self._domain_key(domain)))
