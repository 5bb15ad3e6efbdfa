# SPDX-License-Identifier: Apache-2.0
"""
What a session offers is what it does: the answer to LHLO, the verbs of HELP and the codes of replies fit together.
"""

import re

import pytest

from lmtp.protocol import reply as replies
from lmtp.protocol.outcome import CODES
from lmtp.protocol.reply import Reply
from tests.protocol.session import Session, codes

MINIMUM = {"LHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY"}
"""RFC 5321 §4.5.1, with LHLO in the place of EHLO and HELO (RFC 2033 §4.1)."""
KEYWORDS = {"BDAT": "CHUNKING"}
"""What the answer to LHLO calls a command that does not have its own name there."""
NAMED = {211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 421, 432, 450, 451, 452, 454, 455}
NAMED |= {500, 501, 502, 503, 504, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555}
"""RFC 5321 §4.2.3, RFC 4954 §6, RFC 3207 §4."""


def listed():
    """
    Return the lines of the answer to LHLO behind the server's name, without codes.
    """
    (answer,) = Session().say("LHLO mx.example")
    return [line[4:] for line in answer.split("\n")[1:]]


def verbs():
    """
    Return the verbs the answer to HELP names.
    """
    (answer,) = Session().say("HELP")
    return set(answer.partition(": ")[2].split())


class TestVerbs:
    @pytest.mark.guards("ST-6")
    def test_minimum_is_there(self):
        """
        RFC 5321 §4.5.1.
        """
        assert verbs() >= MINIMUM
        assert not {"500", "502"} & {codes(Session.greeted().say(verb))[0] for verb in MINIMUM}

    @pytest.mark.guards("ST-7")
    def test_all_others_are_listed(self):
        """
        RFC 5321 §4.1.1.1.
        """
        keywords = {line.partition(" ")[0] for line in listed()}

        assert {KEYWORDS.get(verb, verb) for verb in verbs() - MINIMUM} <= keywords

    @pytest.mark.guards("GR-8")
    def test_none_is_listed_and_not_there(self):
        """
        RFC 5321 §4.2.4: who was told of an extension is not told that its command does not exist.
        """
        keywords = {line.partition(" ")[0] for line in listed()}
        offered = keywords & {"HELP", "EXPN", "STARTTLS", "AUTH", "XCLIENT", "XFORWARD", "ETRN"}
        offered |= {verb for verb, keyword in KEYWORDS.items() if keyword in keywords}

        assert "HELP" in offered
        assert offered <= verbs()
        assert not {"500", "502"} & {codes(Session.greeted().say(verb))[0] for verb in offered}


class TestAnswerToLhlo:
    @pytest.mark.guards("GR-15", "T50")
    def test_has_nothing_but_keywords_and_their_parameters(self):
        """
        RFC 5321 §4.1.1.1. A server put "Ok" there, and clients took it for an extension.
        """
        assert all(re.fullmatch(r"[A-Z0-9][A-Z0-9-]*(?: [!-~]+)*", line) for line in listed())
        assert len(listed()) == len({line.partition(" ")[0] for line in listed()})


class TestCodes:
    @pytest.mark.guards("RP-9")
    def test_are_those_a_standard_names(self):
        standard = {value.code for value in vars(replies).values() if isinstance(value, Reply)}

        assert NAMED >= standard | set(CODES.values()) | {250, 451, 550}
