# SPDX-License-Identifier: Apache-2.0
"""
Dates as RFC 5322 §3.3 writes them, the same in every locale.

Pure: the caller has looked at the clock and knows its offset from UTC. Called by trace.py. Raises ValueError for
a time that has no four-digit year. RFC 5322 §3.3, RFC 5321 §4.4 (no obsolete forms, a numeric offset).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date_time(epoch_seconds: float, utc_offset_seconds: int) -> str:
    """
    Return a date-time such as ``Thu, 01 Jan 1970 02:00:00 +0200``.

    Args:
        epoch_seconds: Seconds since 1970-01-01 00:00 UTC; fractions are dropped.
        utc_offset_seconds: How far local time is ahead of UTC; odd seconds of old time zones are dropped,
            because a zone is written in hours and minutes.

    Raises:
        ValueError: the year is before 1900 or after 9999 (RFC 5322 §3.3), or the offset a day or more.
    """
    offset_minutes = int(utc_offset_seconds / 60)
    if abs(offset_minutes) >= 24 * 60:
        raise ValueError(f"not an offset from UTC: {utc_offset_seconds} seconds")
    local = _local(int(epoch_seconds // 1) + offset_minutes * 60)
    hours, minutes = divmod(abs(offset_minutes), 60)
    sign = "-" if offset_minutes < 0 else "+"
    return (
        f"{_DAYS[local.weekday()]}, {local.day:02} {_MONTHS[local.month - 1]} {local.year}"
        f" {local.hour:02}:{local.minute:02}:{local.second:02} {sign}{hours:02}{minutes:02}"
    )


def _local(seconds: int) -> datetime:
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError(f"no date: {seconds} seconds after 1970") from error
    if moment.year < 1900:
        raise ValueError(f"no date of RFC 5322: the year {moment.year}")
    return moment
