# SPDX-License-Identifier: Apache-2.0
"""
RFC 5233 §1: ``user+detail``.
"""

import pytest

from lmtp.directory.subaddress import without_detail


class TestWithoutDetail:
    @pytest.mark.parametrize(
        ("local_part", "delimiters", "user"),
        [
            ("ann", "+", "ann"),
            ("ann+lists", "+", "ann"),
            ("ann+", "+", "ann"),
            ("ann+a+b", "+", "ann"),
            ("ann-a+b", "+-", "ann"),
            ("ann-a+b", "+", "ann-a"),
            ("ann+lists", "", "ann+lists"),
            ("+ann", "+", "+ann"),
            ("+", "+", "+"),
            ("", "+", ""),
        ],
    )
    def test_ends_at_the_first_delimiter_unless_that_leaves_nobody(self, local_part, delimiters, user):
        assert user == without_detail(local_part, delimiters)
