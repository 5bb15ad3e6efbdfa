# SPDX-License-Identifier: Apache-2.0
"""
What may stand behind a path, and the reply to what may not (RFC 5321 §4.1.1.11).
"""

import pytest

from lmtp.protocol.extensions import MAIL_PARAMETERS
from lmtp.protocol.parameters import Body, CommandError, parse_body, parse_parameters, parse_size
from lmtp.protocol.reply import BAD_PARAMETER, UNKNOWN_PARAMETER


def refusal(octets, known=MAIL_PARAMETERS):
    with pytest.raises(CommandError) as caught:
        parse_parameters(octets, known)
    return caught.value.reply


class TestParameters:
    def test_may_be_missing(self):
        assert {} == parse_parameters(b"", MAIL_PARAMETERS)

    def test_come_in_any_order_and_case_and_with_any_number_of_spaces(self):
        expected = {"body": Body.EIGHT_BIT, "size_bytes": 10}

        assert expected == parse_parameters(b" SIZE=10  BODY=8BITMIME", MAIL_PARAMETERS)
        assert expected == parse_parameters(b" body=8bitmime Size=10", MAIL_PARAMETERS)

    @pytest.mark.parametrize("octets", [b" SMTPUTF8", b" RET=HDRS", b" SIZE=1 AUTH=<>", b" SIZES=1", b" SI=1"])
    def test_nobody_offered_are_not_recognized(self, octets):
        assert UNKNOWN_PARAMETER == refusal(octets)

    @pytest.mark.parametrize(
        "octets",
        [b" SIZE", b" SIZE=", b" SIZE=-1", b" SIZE=a", b" SIZE=1=2", b" SIZE=1 SIZE=2", b" BODY", b" =1", b"SIZE=1"],
    )
    def test_that_are_malformed_or_repeated_are_refused(self, octets):
        assert BAD_PARAMETER == refusal(octets)

    def test_error_says_what_the_client_is_told(self):
        with pytest.raises(CommandError, match=r"555 5\.5\.4 Parameter not recognized"):
            parse_parameters(b" X=1", {})


class TestSize:
    """
    RFC 1870 §3: 1 to 20 digits.
    """

    def test_is_a_number(self):
        assert 0 == parse_size(b"0")
        assert 10**20 - 1 == parse_size(b"9" * 20)

    @pytest.mark.parametrize("value", [None, b"", b"9" * 21, b"+1", b"1.0", b"0x10"])
    def test_is_nothing_else(self, value):
        with pytest.raises(ValueError, match="no size"):
            parse_size(value)


class TestBody:
    """
    RFC 6152 §2: 7BIT or 8BITMIME.
    """

    def test_is_one_of_two_words(self):
        assert Body.SEVEN_BIT is parse_body(b"7bit")
        assert Body.EIGHT_BIT is parse_body(b"8BitMime")

    @pytest.mark.parametrize("value", [None, b"", b"8BIT", b"BINARYMIME"])
    def test_is_nothing_else(self, value):
        with pytest.raises(ValueError, match="is not a valid Body"):
            parse_body(value)
