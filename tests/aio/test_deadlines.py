# SPDX-License-Identifier: Apache-2.0
"""
Deadlines: what clients are owed, and what they wait for us (RFC 5321 §4.5.3.2). How they are kept is test_connection's.
"""

from dataclasses import fields

import pytest

from lmtp.aio.deadlines import Deadlines
from lmtp.protocol.phases import Wait


class TestDefaults:
    @pytest.mark.guards("TM-7")
    def test_give_the_client_five_minutes_for_its_next_command(self):
        """
        RFC 5321 §4.5.3.2.7.
        """
        assert Deadlines().command_seconds >= 5 * 60
        assert Deadlines().seconds_for(Wait.COMMAND) >= 5 * 60

    @pytest.mark.guards("DUP-2")
    def test_answer_before_the_client_gives_up(self):
        """
        RFC 5321 §4.5.3.2.3, §4.5.3.2.6: who waits in vain sends again (RFC 1047).
        """
        assert Deadlines().verify_seconds < 5 * 60
        assert Deadlines().delivery_seconds < 10 * 60


class TestDeadlines:
    @pytest.mark.parametrize("name", [field.name for field in fields(Deadlines)])
    def test_are_more_than_nothing(self, name):
        with pytest.raises(ValueError, match=f"{name} must be more than 0"):
            Deadlines(**{name: 0})

    def test_are_each_for_its_own_wait(self):
        deadlines = Deadlines(command_seconds=1, content_seconds=2, closing_seconds=3)

        assert [1, 2, 3] == [deadlines.seconds_for(wait) for wait in (Wait.COMMAND, Wait.CONTENT, Wait.NOTHING)]
