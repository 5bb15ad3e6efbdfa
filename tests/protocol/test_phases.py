# SPDX-License-Identifier: Apache-2.0
"""
The table of phases: complete, reachable, and what the engine really does at every pair of it.
"""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.dialect import LMTP, SMTP
from lmtp.protocol.outcome import Accepted, Delivered
from lmtp.protocol.phases import PHASES, SERVER, Phase, Step, Wait
from lmtp.protocol.reply import SHUTTING_DOWN
from tests.protocol.session import Session, codes

REACH = {
    Phase.CONNECTED: [],
    Phase.READY: ["greet"],
    Phase.MAIL: ["greet", "MAIL FROM:<>"],
    Phase.RCPT: ["greet", "MAIL FROM:<>", "RCPT TO:<ann@example>"],
    Phase.CONTENT: ["greet", "MAIL FROM:<>", "RCPT TO:<ann@example>", "DATA"],
    Phase.REPLYING: ["greet", "MAIL FROM:<>", "RCPT TO:<ann@example>", "DATA", "."],
    Phase.CLOSED: ["QUIT"],
}
"""What a client says to get there."""

COMMANDS = {
    Step.GREET: "greet",
    Step.MAIL: "MAIL FROM:<>",
    Step.RCPT: "RCPT TO:<bob@example>",
    Step.DATA: "DATA",
    Step.RSET: "RSET",
}
"""The steps that are a client's commands."""


def say(session, line, verb):
    """
    Say a line and decide what is to be decided.
    """
    replies = session.say(line.replace("greet", f"{verb} mx.example"))
    for number, recipient in enumerate(session.offered):
        if recipient.verdict is None:
            replies += session.decide(number, Accepted())
    return replies


def session_in(phase, dialect=LMTP):
    session = Session(waits=True, dialect=dialect)
    for line in REACH[phase]:
        say(session, line, dialect.greeting_verb)
    assert phase is session.connection.phase
    return session


class TestTable:
    def test_knows_every_phase_in_the_operators_words(self):
        assert set(Phase) == set(PHASES)
        assert len(PHASES) == len({info.doing for info in PHASES.values()})

    def test_every_phase_can_be_reached(self):
        reached = {Phase.CONNECTED}
        for _ in Phase:
            reached |= {after for (before, _), after in SERVER.items() if before in reached}

        assert set(Phase) == reached

    def test_every_step_is_taken_somewhere(self):
        assert set(Step) == {step for _, step in SERVER}

    def test_every_phase_but_the_last_can_be_closed_and_nothing_follows_the_last(self):
        assert set(Phase) - {Phase.CLOSED} == {phase for phase, step in SERVER if step is Step.CLOSE}
        assert Phase.CLOSED not in {phase for phase, _ in SERVER}

    def test_only_the_last_phase_waits_for_nothing(self):
        assert [Phase.CLOSED] == [phase for phase, info in PHASES.items() if info.wait is Wait.NOTHING]

    @given(steps=st.lists(st.sampled_from(Step)))
    def test_no_path_reaches_the_content_without_an_accepted_recipient(self, steps):
        """
        RFC 2033 §4.2: DATA is refused as long as no RCPT of this transaction succeeded.
        """
        phase, accepted = Phase.CONNECTED, False
        for step in steps:
            phase = SERVER.get((phase, step), phase)
            accepted = step is Step.RECIPIENT_ACCEPTED or (accepted and phase is not Phase.READY)

            assert accepted or phase is not Phase.CONTENT


class TestEngine:
    """
    RFC 5321 §4.1.4: a command out of place is answered 503 and changes nothing.
    """

    @pytest.mark.guards("LMTP-4-1", "ST-1")
    @pytest.mark.parametrize("dialect", [LMTP, SMTP], ids=lambda dialect: dialect.name)
    @pytest.mark.parametrize(("phase", "step"), list(product(REACH, COMMANDS)), ids=lambda item: item.name)
    def test_obeys_the_table(self, phase, step, dialect):
        session = session_in(phase, dialect)
        replies = say(session, COMMANDS[step], dialect.greeting_verb)

        if phase in (Phase.CONTENT, Phase.REPLYING, Phase.CLOSED):
            assert [] == replies  # everything is content, has to wait, or is not read at all
            assert phase is session.connection.phase
        elif (phase, step) in SERVER:
            assert ["354" if step is Step.DATA else "250"] == codes(replies)
            after = SERVER[phase, step]
            if step is Step.RCPT:
                after = SERVER[after, Step.RECIPIENT_ACCEPTED]
            assert after is session.connection.phase
        else:
            assert codes(replies) in (["503"], ["554"])
            assert phase is session.connection.phase

    @pytest.mark.parametrize("phase", [phase for phase in REACH if phase is not Phase.CLOSED])
    def test_can_be_closed_anywhere(self, phase):
        session = session_in(phase)
        session.connection.close(SHUTTING_DOWN)

        assert "421" == codes(session.hear())[-1]
        assert Phase.CLOSED is session.connection.phase

    @pytest.mark.guards("ST-4")
    @pytest.mark.parametrize("phase", [Phase.CONNECTED, Phase.READY, Phase.MAIL, Phase.RCPT])
    @pytest.mark.parametrize(("line", "code"), [("NOOP", "250"), ("VRFY ann", "252"), ("HELP", "214")])
    def test_commands_in_no_table_are_obeyed_anywhere_and_change_nothing(self, phase, line, code):
        """
        RFC 5321 §4.1.1.6 to §4.1.1.9.
        """
        session = session_in(phase)

        assert [code] == codes(session.say(line))
        assert phase is session.connection.phase

    def test_last_reply_makes_it_ready(self):
        session = session_in(Phase.REPLYING)
        session.settle(0, Delivered())

        assert Phase.READY is session.connection.phase

    def test_refused_recipients_leave_it_where_it_is(self):
        session = Session.greeted(waits=True)
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        assert Phase.MAIL is session.connection.phase
