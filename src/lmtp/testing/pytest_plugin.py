# SPDX-License-Identifier: Apache-2.0
"""
Fixtures for whoever has pytest and lmtp: a server that collects mail, a client to it, and servers that play scripts.

    def test_bob_is_told_to_try_again(lmtp_server):
        lmtp_server.refuse("bob@example.org", "452 4.2.2 Full")
        ...

pytest finds them by itself. Servers run on threads of their own, so that synchronous tests can use them, and those of
any asynchronous plugin. Nothing is started, and nothing but this module imported, for tests that do not ask.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lmtp.aio.server import ServerSettings
    from lmtp.sync.client import Client
    from lmtp.testing.collecting import CollectingServer
    from lmtp.testing.script import Script
    from lmtp.testing.script_server import ScriptedServer


@pytest.fixture
def lmtp_server_settings() -> "ServerSettings | None":
    """
    Settings of `lmtp_server`: a fixture of this name in a conftest.py can return others.
    """
    return None


@pytest.fixture
def lmtp_server(lmtp_server_settings: "ServerSettings | None") -> "Iterator[CollectingServer]":
    """
    An LMTP server that keeps what it gets, and refuses whom a test names.
    """
    from lmtp.testing.background import in_thread  # noqa: PLC0415 - imported for those who ask alone
    from lmtp.testing.collecting import collecting_server  # noqa: PLC0415 - likewise

    with in_thread(collecting_server(settings=lmtp_server_settings)) as server:
        yield server


@pytest.fixture
def lmtp_client(lmtp_server: "CollectingServer") -> "Iterator[Client]":
    """
    A client with a session with `lmtp_server`, for tests that are not asynchronous.
    """
    from lmtp.sync.client import connect  # noqa: PLC0415 - imported for those who ask alone

    with connect(lmtp_server.endpoint) as client:
        yield client


@pytest.fixture
def lmtp_script() -> "Iterator[Callable[..., ScriptedServer]]":
    """
    Starts servers that play scripts: each call with one, such as ``"rcpt 2: 452 4.2.2 Full"``, returns another.
    """
    from lmtp.testing.background import in_thread  # noqa: PLC0415 - imported for those who ask alone
    from lmtp.testing.script_server import scripted_server  # noqa: PLC0415 - likewise

    def start(*scripts: "Script | str") -> "ScriptedServer":
        return running.enter_context(in_thread(scripted_server(*scripts)))

    with ExitStack() as running:
        yield start
