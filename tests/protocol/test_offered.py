# SPDX-License-Identifier: Apache-2.0
"""
What a server says it can do (RFC 5321 §4.1.1.1).
"""

import pytest

from lmtp.protocol.offered import Offered
from lmtp.protocol.reply import Reply


def offered(*lines, **settings):
    return Offered.read(Reply(250, None, "\n".join(["store.example at your service", *lines])), **settings)


class TestKeywords:
    def test_have_the_words_behind_them(self):
        found = offered("PIPELINING", "XCLIENT NAME  ADDR", "SIZE 10 ")

        assert {"PIPELINING": (), "XCLIENT": ("NAME", "ADDR"), "SIZE": ("10",)} == found.keywords
        assert "store.example" == found.server_name

    @pytest.mark.guards("GR-14")
    def test_are_read_without_case(self):
        assert "8BITMIME" in offered("8bitMIME")
        assert "SIZE" not in offered("8bitMIME")

    @pytest.mark.guards("GR-14", "T50")
    @pytest.mark.parametrize("line", ["Ok SESSIONID=<cyrus-1-2>", "-", "", "<what>", "ÜBER", "_x", "a_b"])
    def test_may_be_among_lines_that_are_none(self, line):
        """
        Cyrus ends its list with a line that is no extension; others greet, or say nothing.
        """
        assert "SIZE" in offered(line, "SIZE", line)

    @pytest.mark.guards("GR-15")
    def test_may_have_an_equals_sign_behind_them(self):
        """
        Servers of old wrote AUTH=, and then AUTH once more; what stands in both is offered.
        """
        assert ("LOGIN", "PLAIN", "SCRAM-SHA-256") == offered("AUTH=login", "AUTH PLAIN scram-sha-256").mechanisms
        assert () == offered().mechanisms

    def test_are_none_in_the_answer_to_helo(self):
        found = offered("PIPELINING", is_plain=True)

        assert ({}, "store.example") == (found.keywords, found.server_name)


class TestSize:
    @pytest.mark.guards("SI-9")
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("SIZE 52428800", 52428800),
            ("SIZE", None),
            ("SIZE 0", None),
            ("SIZE many", None),
            ("SIZE -1", None),
            ("SIZE ٣", None),
            ("SIZE " + "9" * 20, int("9" * 20)),
            ("SIZE " + "9" * 5000, None),
            ("PIPELINING", None),
        ],
    )
    def test_is_what_can_be_read_as_one(self, line, expected):
        """
        Thousands of digits are more than Python reads as a number, and no size.
        """
        assert expected == offered(line).size_limit_bytes


class TestLimits:
    @pytest.mark.guards("LI-1", "LI-2")
    def test_have_names_and_values(self):
        found = offered("LIMITS MAILMAX=50 rcptmax=100 X-Y=z")

        assert (50, 100, None) == (found.limit("MAILMAX"), found.limit("RCPTMAX"), found.limit("RCPTDOMAINMAX"))

    @pytest.mark.guards("LI-7")
    @pytest.mark.parametrize("value", ["RCPTMAX", "RCPTMAX=0", "RCPTMAX=01", "RCPTMAX=1000000", "RCPTMAX=ten"])
    def test_that_can_not_be_read_are_passed_over_one_by_one(self, value):
        found = offered(f"LIMITS {value} MAILMAX=50")

        assert (None, 50) == (found.limit("RCPTMAX"), found.limit("MAILMAX"))

    @pytest.mark.guards("LI-7")
    @pytest.mark.parametrize("line", ["RCPTMAX=10;MAILMAX=50", "RCPTMAX=10 =5", "RCPTMAX=10 MAILMAX=", "RCPTMAX=10 ä"])
    def test_are_void_together_when_they_are_no_limits(self, line):
        assert offered(f"LIMITS {line}").limit("RCPTMAX") is None

    def test_are_none_when_nothing_is_said(self):
        assert offered().limit("RCPTMAX") is None
        assert Offered().limit("RCPTMAX") is None
