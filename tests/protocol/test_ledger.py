# SPDX-License-Identifier: Apache-2.0
"""
The ledger: replies become known in any order and leave in theirs (RFC 2033 §5, RFC 2920 §3.2).
"""

from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.ledger import Ledger
from lmtp.protocol.reply import GOODBYE, NOOP_OK, RECIPIENT_OK, SENDER_OK, Reply


def numbered(number):
    return Reply(250, None, str(number))


class TestLedger:
    def test_releases_what_is_known_at_once(self):
        ledger = Ledger()
        ledger.add(NOOP_OK)

        assert bytes(NOOP_OK) == ledger.take()

    def test_gives_each_octet_once(self):
        ledger = Ledger()
        ledger.add(NOOP_OK)
        ledger.take()

        assert b"" == ledger.take()

    def test_holds_back_what_stands_behind_a_reply_that_is_not_known(self):
        ledger = Ledger()
        ledger.add(SENDER_OK)
        slot = ledger.open()
        ledger.add(GOODBYE)

        assert bytes(SENDER_OK) == ledger.take()
        assert 2 == ledger.owed

        ledger.fill(slot, RECIPIENT_OK)

        assert bytes(RECIPIENT_OK) + bytes(GOODBYE) == ledger.take()
        assert 0 == ledger.owed

    @given(order=st.integers(0, 12).flatmap(lambda count: st.permutations(range(count))))
    def test_keeps_the_order_of_the_slots_whatever_the_order_of_the_replies(self, order):
        ledger = Ledger()
        slots = [ledger.open() for _ in order]
        known, sent = set(), b""
        for number in order:
            ledger.fill(slots[number], numbered(number))
            known.add(number)
            sent += ledger.take()
            longest = next((n for n in range(len(order)) if n not in known), len(order))

            assert b"".join(bytes(numbered(n)) for n in range(longest)) == sent
            assert len(order) - longest == ledger.owed
