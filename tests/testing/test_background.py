# SPDX-License-Identifier: Apache-2.0
"""
What is asynchronous, on a thread of its own.
"""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from lmtp.testing.background import in_thread


class TestThread:
    def test_enters_and_leaves_in_one_task(self):
        seen = []

        @asynccontextmanager
        async def context():
            seen.append((threading.current_thread(), asyncio.current_task()))
            yield "value"
            seen.append((threading.current_thread(), asyncio.current_task()))

        with in_thread(context()) as value:
            assert "value" == value
            assert 1 == len(seen)

        assert seen[0] == seen[1]
        assert threading.current_thread() is not seen[0][0]
        assert not seen[0][0].is_alive()

    def test_raises_what_entering_raises(self):
        @asynccontextmanager
        async def context():
            raise OSError("no room")
            yield

        with pytest.raises(OSError, match="no room"), in_thread(context()):
            pass

    def test_raises_what_leaving_raises(self):
        @asynccontextmanager
        async def context():
            yield
            raise OSError("not tidy")

        with pytest.raises(OSError, match="not tidy"), in_thread(context()):
            pass

    def test_leaves_when_the_body_raises(self):
        left = []

        @asynccontextmanager
        async def context():
            yield
            left.append(True)

        with pytest.raises(KeyError), in_thread(context()):
            raise KeyError

        assert [True] == left
