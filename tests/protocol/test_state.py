# SPDX-License-Identifier: Apache-2.0
"""
What the parts of an engine share, and how it moves.
"""

import pytest

from lmtp.protocol import reply
from lmtp.protocol.lines import LineBuffer
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.phases import Phase, Step
from lmtp.protocol.state import SessionState


@pytest.fixture
def state():
    return SessionState(LineBuffer(512))


class TestState:
    def test_begins_with_nothing(self, state):
        assert (Phase.CONNECTED, 0, []) == (state.phase, state.ledger.owed, state.events)

    def test_says_where_a_step_leads_and_does_not_go_there(self, state):
        assert Phase.READY is state.phase_after(Step.GREET)
        assert Phase.CONNECTED is state.phase

    def test_moves(self, state):
        state.move(Step.GREET)

        assert Phase.READY is state.phase

    def test_stays_where_it_is_when_a_step_is_out_of_place(self, state):
        with pytest.raises(CommandError) as caught:
            state.move(Step.DATA)

        assert reply.BAD_SEQUENCE == caught.value.reply
        assert not caught.value.ends_session
        assert Phase.CONNECTED is state.phase
