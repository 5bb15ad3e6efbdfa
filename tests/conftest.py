# SPDX-License-Identifier: Apache-2.0
"""
What tests of several rooms share: the running server, and peers that are real programs.

A missing peer skips its tests with the reason, or fails them when ``LMTP_REQUIRE_PEERS=1``.
"""

import contextlib
import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

from tests.peers.agent import Agent
from tests.peers.process import make_place
from tests.peers.programs import why_missing

# What is slow is the machine: the first example of a run makes tables of Unicode, which may take a second.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("peer"):
        if reason := why_missing(mark.args[0]):
            give_up = pytest.fail if os.environ.get("LMTP_REQUIRE_PEERS") == "1" else pytest.skip
            give_up(reason)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def shared_place():
    folder = make_place()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place():
    folder = make_place()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start_agent(place):
    """
    Start the server with these users and more arguments of `Agent`; it is stopped after the test.
    """
    with contextlib.ExitStack() as stack:
        yield lambda *users, **arguments: stack.enter_context(Agent(place, users, **arguments))
