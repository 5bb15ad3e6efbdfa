# SPDX-License-Identifier: Apache-2.0
"""
xtext, in which parameters carry what may not stand in them (RFC 3461 §4).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.xtext import decode_xtext, encode_xtext

pytestmark = pytest.mark.guards("DS-2")


class TestXtext:
    def test_has_hexadecimal_digits_for_what_may_not_stand_in_it(self):
        assert "a b+c=d" == decode_xtext(b"a+20b+2Bc+3Dd")
        assert b"a+20b+2Bc+3Dd" == encode_xtext("a b+c=d")

    def test_of_nothing_is_nothing(self):
        assert "" == decode_xtext(b"")

    @pytest.mark.parametrize("octets", [b"+", b"a+2", b"a=b", b"a b", b"+GG", b"+2b", b"\x00", b"\xff", b"+FF"])
    def test_is_nothing_else(self, octets):
        with pytest.raises(ValueError):  # noqa: PT011 - each fault has words of its own, none of them for anybody
            decode_xtext(octets)

    @pytest.mark.guards("AU-13")
    def test_may_have_small_digits_where_the_standard_lets_it(self):
        assert "+" == decode_xtext(b"+2b", any_case=True)

    def test_has_only_what_may_stand_in_a_parameter(self):
        every = "".join(chr(code) for code in range(0x100))

        assert every == decode_xtext(encode_xtext(every))
        assert set(range(0x21, 0x7F)) - {ord("=")} == set(encode_xtext(every))

    @given(st.text())
    def test_that_is_written_is_read_again(self, text):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return
        assert text == decode_xtext(encode_xtext(text))
