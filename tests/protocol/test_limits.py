# SPDX-License-Identifier: Apache-2.0
"""
Limits: what every server must accept at least (RFC 5321 §4.5.3.1).
"""

import dataclasses

import pytest

from lmtp.protocol.limits import Leniency, Limits

MINIMUMS = {
    "command_line_bytes": 512,
    "path_bytes": 256,
    "message_bytes": 64 * 1024,
    "recipients": 100,
    "transactions": 0,
    "authentication_failures": 3,
    "bad_commands": 1,
}


class TestLimits:
    @pytest.mark.guards("SZ-3", "SZ-4", "SZ-7", "SZ-8")
    @pytest.mark.parametrize("name", MINIMUMS)
    def test_cannot_be_less_than_the_minimum(self, name):
        assert MINIMUMS[name] == getattr(Limits(**{name: MINIMUMS[name]}), name)

        with pytest.raises(ValueError, match=f"{name} must be at least {MINIMUMS[name]}"):
            Limits(**{name: MINIMUMS[name] - 1})

    def test_have_a_minimum_each(self):
        assert set(MINIMUMS) == {field.name for field in dataclasses.fields(Limits)}

    def test_cannot_be_changed(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            Limits().recipients = 5


class TestLeniency:
    def test_is_the_letter_unless_asked_for(self):
        assert not Leniency.NONE
        assert all(leniency not in Leniency.NONE for leniency in Leniency)
