# SPDX-License-Identifier: Apache-2.0
"""
The transcripts of tests/dialogues, played against the engine however the octets are cut; and what reads them.
"""

import re
from pathlib import Path

import pytest

from lmtp.protocol.events import ContentCompleted
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.testing.dialogues import SERVER_NAME, Dialogue, DialogueError, byte_by_byte, load_dialogues, play, split_at
from tests.protocol.session import Session, read_replies

DIALOGUES = load_dialogues(Path(__file__).parents[1] / "dialogues")

MOST_SPLITS = 1500
"""A longer transcript is split at as many offsets, spread evenly."""
ENHANCED = re.compile(r"([245])[0-9][0-9][ -]\1\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2}) ")
"""The beginning of a line with an enhanced code of its reply's class."""

each_dialogue = pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.name)


def offsets(dialogue):
    """
    Return the places at which a dialogue may be split: the number of a turn and an offset into it.
    """
    places = [(number, at) for number, turn in enumerate(dialogue.turns) for at in range(1, len(turn.octets))]
    return places[:: 1 + len(places) // MOST_SPLITS]


class TestEngine:
    @each_dialogue
    def test_plays_it(self, dialogue):
        assert dialogue.expected == play(dialogue)

    @each_dialogue
    def test_plays_it_octet_by_octet(self, dialogue):
        assert dialogue.expected == play(dialogue, byte_by_byte)

    @each_dialogue
    def test_plays_it_split_at_every_offset(self, dialogue):
        expected = dialogue.expected
        for turn, offset in offsets(dialogue):
            assert expected == play(dialogue, split_at(turn, offset)), (turn, offset)

    @each_dialogue
    def test_plays_it_when_the_client_does_not_wait(self, dialogue):
        settings = {
            "dialect": dialogue.dialect,
            "limits": dialogue.limits,
            "leniency": dialogue.leniency,
            "offer": dialogue.offer,
        }
        session = Session(waits=True, authenticator=dialogue.rules, **settings)
        replies = session.greeting + session.send(dialogue.client_octets)
        while waiting := undecided(session) or unsettled(session):
            for recipient in reversed(waiting):  # the last first: the engine has to restore the order
                if recipient.verdict is None:
                    session.connection.decide(recipient, dialogue.rules.verdict(recipient.forward_path))
                else:
                    recipient.settle(dialogue.rules.outcome(recipient.forward_path))
            replies += session.hear()

        assert [line for turn in dialogue.turns for line in turn.answer] == "\n".join(replies).split("\n")


def undecided(session):
    return [recipient for recipient in session.offered if recipient.verdict is None]


def unsettled(session):
    completed = session.of_type(ContentCompleted)
    return completed[-1].envelope.unsettled if completed else []


class TestTranscripts:
    @each_dialogue
    def test_hold_whole_replies(self, dialogue):
        """
        A transcript with a typing error in a reply would only be found when it is played.
        """
        for turn in dialogue.turns:
            read_replies("".join(f"{line}\r\n" for line in turn.answer).encode("ascii"))

    @pytest.mark.guards("ES-1", "ES-2", "ES-3", "ES-5", "T49")
    @each_dialogue
    def test_have_the_enhanced_code_on_each_line_but_those_of_greetings_and_3yz(self, dialogue):
        """
        RFC 2034 §4: of the class of the reply's code, and one for a whole reply.
        """
        lines = (f"{line}\r\n" for turn in dialogue.turns for line in turn.answer)
        _, *replies = read_replies("".join(lines).encode("ascii"))
        for reply in replies:
            found = {ENHANCED.match(line) and line[4:].partition(" ")[0] for line in reply.split("\n")}
            is_exempt = reply.startswith(("3", "220 store", f"250-{SERVER_NAME}\n"))

            assert (1, is_exempt) == (len(found), found == {None}), reply

    def test_are_there(self):
        assert 15 < len(DIALOGUES)


class TestParser:
    def test_reads_settings(self):
        dialogue = Dialogue.parse(
            "dialect: SMTP\nallow: NUL\nlimit recipients: 200\nrcpt a*@b: 550 5.1.1\ndeliver c@d: 452 4.2.2 Full up\n"
        )
        ann, cyd = (recipient.forward_path for recipient in paths("ann@b", "c@d"))

        assert ("ESMTP", 200, "NUL") == (dialogue.dialect.name, dialogue.limits.recipients, dialogue.leniency.name)
        assert (Failed("5.1.1"), Accepted()) == (dialogue.rules.verdict(ann), dialogue.rules.verdict(cyd))
        assert (Delivered(), Deferred("4.2.2", "Full up")) == (dialogue.rules.outcome(ann), dialogue.rules.outcome(cyd))

    def test_reads_which_requirements_it_covers(self):
        dialogue = Dialogue.parse("covers: ST-1 LMTP-4.2-3\ncovers: T05\n")

        assert ("ST-1", "LMTP-4.2-3", "T05") == dialogue.covers
        assert () == Dialogue.parse("").covers

    def test_reads_turns(self):
        dialogue = Dialogue.parse("# a\n\nS: 220 hi\nC: a\nC: b\nS: 250-c\nS: 250 d\nC: e\nC closes\nS closes\n")

        assert [(b"", ("220 hi",)), (b"a\r\nb\r\n", ("250-c", "250 d")), (b"e\r\n", ())] == [
            (turn.octets, turn.answer) for turn in dialogue.turns
        ]
        assert [False, False, True] == [turn.closes for turn in dialogue.turns]
        assert dialogue.server_closes

    def test_reads_octets(self):
        dialogue = Dialogue.parse("C: a\\r\\n\\0\\t\\\\\\xfF\nC:\nC: b\\\nC*3: c\\\nC: d\\\\\n")

        assert b"a\r\n\0\t\\\xff\r\n\r\nbcccd\\\r\n" == dialogue.client_octets

    def test_reads_deliveries(self):
        dialogue = Dialogue.parse("delivered a@b:\n| x\n|\n|*2: y\\\ndelivered a@b:\n")

        assert (("a@b", b"x\r\n\r\nyy"), ("a@b", b"")) == dialogue.delivered

    def test_makes_a_turn_of_a_client_that_closes_after_an_answer(self):
        dialogue = Dialogue.parse("S: 220 hi\nC closes\n")

        assert [False, True] == [turn.closes for turn in dialogue.turns]

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("c: NOOP", "means nothing"),
            ("S: hello", "means nothing"),
            ("C: \\q", "no escape"),
            ("| text", "needs a line"),
            ("rcpt a@b: no", "no refusal"),
            ("rcpt a@b: 550 4.1.1", "goes with 451"),
            ("deliver a@b: 450 4.2.2", "4.2.2 goes with 452, not with 450"),
            ("limit recipients: many", "invalid literal"),
            ("limit recipients: 1", "recipients must be at least 100"),
            ("limit speed: 1", "'speed' is none of command_line_bytes"),
            ("allow: EVERYTHING", "'EVERYTHING' is none of"),
            ("dialect: X400", "'X400' is none of LMTP, SMTP"),
        ],
    )
    def test_says_which_line_means_nothing(self, line, why):
        with pytest.raises(DialogueError, match=f"greeting, .*{why}"):
            Dialogue.parse(f"# one\n{line}\n", "greeting")


def paths(*addresses):
    session = Session.greeted(waits=True)
    session.say("MAIL FROM:<>", *(f"RCPT TO:<{address}>" for address in addresses))
    return session.offered
