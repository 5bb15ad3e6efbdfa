# SPDX-License-Identifier: Apache-2.0
"""
The event loop of a programme.
"""

import asyncio
import sys

from lmtp.service.loop import run


async def loop_module():
    return type(asyncio.get_running_loop()).__module__


class TestRun:
    def test_takes_uvloop_where_it_is_installed(self):
        assert "uvloop" == run(loop_module())

    def test_takes_asyncios_own_elsewhere(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "uvloop", None)

        assert run(loop_module()).startswith("asyncio")
