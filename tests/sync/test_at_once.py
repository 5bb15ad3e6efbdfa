# SPDX-License-Identifier: Apache-2.0
"""
Coroutines that never wait run without an event loop, and others do not.
"""

import asyncio

import pytest

from lmtp.sync.at_once import Ready, run


class TestRun:
    def test_returns_the_result(self):
        async def count():
            return [piece async for piece in Ready(iter([b"a", b"b"]))]

        assert [b"a", b"b"] == run(count())

    def test_raises_what_is_raised(self):
        async def fail():
            raise OSError("no")

        with pytest.raises(OSError, match="no"):
            run(fail())

    def test_refuses_what_waits(self):
        with pytest.raises(RuntimeError, match="nobody who would wake it"):
            run(asyncio.sleep(0))
