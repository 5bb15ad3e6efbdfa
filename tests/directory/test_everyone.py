# SPDX-License-Identifier: Apache-2.0
"""
The directory for a first try: everybody, in one spelling.
"""

import pytest

from lmtp.config.domains import domain_key
from lmtp.directory.base import ask
from lmtp.directory.everyone import Everyone, EveryoneOptions
from lmtp.protocol.address import Mailbox


async def account_of(mailbox, **options):
    account = await ask(Everyone(EveryoneOptions(**options)), mailbox)
    return str(account.mailbox)


class TestEveryone:
    async def test_accepts_anybody(self):
        assert "ann@example.org" == await account_of(Mailbox("ann", "example.org"))

    async def test_needs_no_options(self):
        account = await ask(Everyone(), Mailbox("ann", "example.org"))

        assert Mailbox("ann", "example.org") == account.mailbox

    async def test_spellings_in_case_are_one_account(self):
        assert "ann@example.org" == await account_of(Mailbox("Ann", "EXAMPLE.org"))

    async def test_a_detail_belongs_to_its_user(self):
        assert "ann@example.org" == await account_of(Mailbox("ann+lists+news", "example.org"))

    async def test_without_delimiters_nothing_is_a_detail(self):
        assert "ann+lists@example.org" == await account_of(Mailbox("ann+lists", "example.org"), recipient_delimiter="")

    async def test_a_recipient_without_domain_is_of_the_default_domain(self):
        assert "postmaster@example.org" == await account_of(Mailbox("Postmaster", ""), default_domain="example.org")
        assert "postmaster@localhost" == await account_of(Mailbox("postmaster", ""))

    def test_a_default_domain_that_is_none_is_refused(self):
        with pytest.raises(ValueError, match="default_domain must be a domain"):
            EveryoneOptions(default_domain="-example")

    async def test_spellings_of_a_domain_are_one_account(self):
        directory = Everyone(domain_key=domain_key)

        assert [Mailbox("jörg", "xn--exmple-cua.org")] * 2 == [
            (await ask(directory, Mailbox("Jörg", domain))).mailbox for domain in ("Exämple.org", "XN--exmple-cua.org")
        ]
