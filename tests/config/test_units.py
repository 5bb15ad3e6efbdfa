# SPDX-License-Identifier: Apache-2.0
"""
Sizes and times as people write them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.config.units import finite, parse_seconds, parse_size, size_text

NOTHING = ["", " ", "MiB", "-1", "1 mib", "1  MiB", "1MiB ", "1,5 MiB", "1e3", "0x10", "٣", "1 parsec", "9" * 400]


class TestSize:
    @pytest.mark.parametrize(
        ("text", "octets"),
        [
            ("0", 0),
            ("4096", 4096),
            ("4096 B", 4096),
            ("50 MiB", 50 * 1024 * 1024),
            ("50MiB", 50 * 1024 * 1024),
            ("1.5 KiB", 1536),
            ("1 kB", 1000),
            ("2 MB", 2_000_000),
            ("1 GB", 1_000_000_000),
            ("1 GiB", 2**30),
        ],
    )
    def test_has_units_of_ten_and_of_two(self, text, octets):
        assert octets == parse_size(text)

    @pytest.mark.parametrize("text", [*NOTHING, "5 min"])
    def test_anything_else_is_refused(self, text):
        with pytest.raises(ValueError, match="expected a number with or without a unit"):
            parse_size(text)

    @given(st.integers(min_value=0, max_value=2**49))
    def test_what_is_written_is_read_again(self, octets):
        assert octets == parse_size(size_text(octets))

    def test_is_written_in_the_biggest_unit_that_divides_it(self):
        assert ["0 B", "1000 B", "3 KiB", "1 MiB", "2 GiB"] == [
            size_text(octets) for octets in (0, 1000, 3072, 2**20, 2**31)
        ]


class TestSeconds:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("0", 0), ("90", 90), ("250 ms", 0.25), ("1.5 s", 1.5), ("5 min", 300), ("2h", 7200), ("1 d", 86400)],
    )
    def test_has_units_from_milliseconds_to_days(self, text, seconds):
        assert seconds == parse_seconds(text)

    @pytest.mark.parametrize("text", [*NOTHING, "5 MiB", "5 m"])
    def test_anything_else_is_refused(self, text):
        with pytest.raises(ValueError, match="expected a number with or without a unit"):
            parse_seconds(text)


class TestFinite:
    def test_returns_a_number(self):
        assert 1.5 == finite(1.5)

    @pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
    def test_refuses_what_no_clock_reaches(self, number):
        with pytest.raises(ValueError, match="expected a number, not"):
            finite(number)
