# SPDX-License-Identifier: Apache-2.0
"""
The closed lists from which a setting chooses.
"""

from lmtp.config.choices import LogLevel


class TestLogLevel:
    def test_ranks_rise(self):
        assert [LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR] == sorted(
            LogLevel, key=lambda level: level.rank
        )
