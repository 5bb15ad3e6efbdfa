# SPDX-License-Identifier: Apache-2.0
"""
Dates of RFC 5322, with the standard library's as the oracle.
"""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.message.dates import date_time

seconds = st.integers(-2_000_000_000, 250_000_000_000)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: minutes * 60)


class TestDateTime:
    """
    RFC 5322 §3.3; RFC 5321 §4.4: a numeric offset, no obsolete form.
    """

    @pytest.mark.guards("TR-4")
    @given(seconds, offsets)
    def test_is_the_standard_library_s(self, epoch_seconds, offset):
        zone = timezone(timedelta(seconds=offset))
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=epoch_seconds)  # noqa: UP017 - beside timezone

        assert format_datetime(moment.astimezone(zone)) == date_time(epoch_seconds, offset)

    @given(seconds, offsets)
    def test_can_be_read_again(self, epoch_seconds, offset):
        assert epoch_seconds == parsedate_to_datetime(date_time(epoch_seconds, offset)).timestamp()

    def test_drops_fractions(self):
        assert "Thu, 01 Jan 1970 00:00:01 +0000" == date_time(1.999, 0)

    def test_drops_seconds_of_an_offset_from_both_sides(self):
        assert "Thu, 01 Jan 1970 00:19:00 +0019" == date_time(0, 19 * 60 + 32)
        assert "Wed, 31 Dec 1969 23:41:00 -0019" == date_time(0, -(19 * 60 + 32))

    @pytest.mark.parametrize("epoch_seconds", [-3_000_000_000, 300_000_000_000, 1e300])
    def test_refuses_years_the_grammar_does_not_have(self, epoch_seconds):
        with pytest.raises(ValueError, match=r"no date"):
            date_time(epoch_seconds, 0)

    @pytest.mark.parametrize("offset", [86_400, -86_400])
    def test_refuses_an_offset_of_a_day(self, offset):
        with pytest.raises(ValueError, match=r"offset"):
            date_time(0, offset)
