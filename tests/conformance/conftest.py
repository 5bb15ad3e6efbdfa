# SPDX-License-Identifier: Apache-2.0
"""
Scripted servers, with and without faults, and the tester run against them.
"""

import ssl

import pytest
import trustme

from lmtp.conformance.cases import all_cases
from lmtp.conformance.runner import Runner, probe
from lmtp.conformance.server import Setup
from lmtp.conformance.wire import UnixTarget
from lmtp.testing.scripted import Conversation, Place, serving


@pytest.fixture(scope="session")
def authority():
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="session")
def server_tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class Bench:
    """
    A place for one server, and the tester.
    """

    def __init__(self, folder, server_tls):
        self.folder = folder
        self.place = Place(folder / "mail", server_tls)
        self.place.maildir.joinpath("new").mkdir(parents=True)
        self.socket = folder / "s"

    def setup(self, **settings):
        return Setup(
            **{
                "target": UnixTarget(str(self.socket)),
                "users": ("ann@example.org", "bob@example.org"),
                "unknown": "nobody@example.org",
                "failing": "failing@example.org",
                "maildir": self.place.maildir,
                "timeout_seconds": 0.5,
                "quiet_seconds": 0.1,
            }
            | settings
        )

    def serving(self, kind=Conversation, **settings):
        return serving(kind, self.place, self.socket, **settings)

    @staticmethod
    def untrusting():
        """
        Return TLS that trusts nobody.
        """
        return ssl.create_default_context()

    async def run(self, kind=Conversation, *case_ids, **settings):
        """
        Run cases, all when none is named, against a server of a kind; return the results by id.
        """
        async with self.serving(kind):
            return await self.run_against_what_is_there(*case_ids, **settings)

    async def run_against_what_is_there(self, *case_ids, **settings):
        runner = Runner(await probe(self.setup(**settings)), parallel=8)
        cases = [case for case in all_cases() if not case_ids or case.case_id in case_ids]
        return {result.case.case_id: result async for result in runner.run(cases)}


@pytest.fixture
def bench(place, server_tls):
    return Bench(place, server_tls)
