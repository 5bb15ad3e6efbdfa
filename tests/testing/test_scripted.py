# SPDX-License-Identifier: Apache-2.0
"""
The scripted server, where the tester's cases do not lead.
"""

import asyncio

import pytest

from lmtp.testing.scripted import Conversation, Place, serving


@pytest.fixture
def converse(place):
    """
    Send octets, close, and return all that came.
    """
    (place / "new").mkdir()

    async def send(octets):
        async with serving(Conversation, Place(place), place / "s"):
            reader, writer = await asyncio.open_unix_connection(str(place / "s"))
            writer.write(octets)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        return [line[:3] for line in answer.decode().splitlines() if line[3:4] == " "]

    return send


class TestConversation:
    async def test_refuses_a_name_that_is_none(self, converse):
        assert ["220", "501", "221"] == await converse(b"LHLO a_b\r\nQUIT\r\n")

    async def test_ends_with_its_input(self, converse):
        assert ["220"] == await converse(b"NO")

    async def test_ends_with_its_input_inside_a_content(self, converse):
        lines = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nhalf"

        assert ["220", "250", "250", "250", "354"] == await converse(lines)

    async def test_ends_with_its_input_inside_a_chunk(self, converse, place):
        lines = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nBDAT 9 LAST\r\nhalf"

        assert ["220", "250", "250", "250"] == (await converse(lines))[:4]
        assert [] == list(place.joinpath("new").iterdir())
