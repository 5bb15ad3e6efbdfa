# SPDX-License-Identifier: Apache-2.0
"""
Enhanced status codes and their registry (RFC 3463, RFC 5248).
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.status import MEANINGS, EnhancedStatus

SUBJECTS = range(8)


class TestEnhancedStatus:
    @pytest.mark.guards("ES-4")
    @given(category=st.sampled_from([2, 4, 5]), subject=st.integers(0, 999), detail=st.integers(0, 999))
    def test_is_class_subject_and_detail(self, category, subject, detail):
        """
        RFC 2034 §4: one to three digits each.
        """
        status = EnhancedStatus(f"{category}.{subject}.{detail}")

        assert f"{category}.{subject}.{detail}" == status
        assert category == status.category
        assert status.meaning in MEANINGS.values()

    @pytest.mark.guards("ES-4")
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "5",
            "5.1",
            "5.1.1.1",
            "3.0.0",
            "1.0.0",
            "5.01.1",
            "5.1.00",
            "5.1000.0",
            " 5.1.1",
            "5.1.1\n",
            "\u0665.1.1",
        ],
    )
    def test_is_nothing_else(self, text):
        with pytest.raises(ValueError, match="not an enhanced status code"):
            EnhancedStatus(text)

    @pytest.mark.guards("ES-7")
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("5.1.1", "No such mailbox here"),
            ("4.2.2", "Mailbox full"),
            ("5.1.99", "Other address status"),
            ("5.99.1", "Other or undefined status"),
        ],
    )
    def test_means_its_subject_when_the_detail_is_unknown(self, status, expected):
        """
        RFC 3463 §2.
        """
        assert expected == EnhancedStatus(status).meaning


class TestRegistry:
    def test_has_a_meaning_for_every_subject(self):
        assert {f"{subject}.0" for subject in SUBJECTS} <= set(MEANINGS)

    @pytest.mark.parametrize("code", MEANINGS)
    def test_rows_are_codes_and_phrases_a_reply_can_carry(self, code):
        assert EnhancedStatus(f"5.{code}").meaning == MEANINGS[code]
        assert re.fullmatch(r"[A-Z][ -~]+[^.]", MEANINGS[code])
