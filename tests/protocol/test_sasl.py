# SPDX-License-Identifier: Apache-2.0
"""
The words of a SASL exchange.
"""

import pytest

from lmtp.protocol.sasl import Channel, Rejected


class TestRejected:
    def test_means_wrong_credentials_unless_it_says_otherwise(self):
        assert "5.7.8" == Rejected().status

    @pytest.mark.parametrize("status", ["4.7.0", "5.7.9"])
    def test_may_be_for_now_or_for_good(self, status):
        assert status == Rejected(status).status

    @pytest.mark.parametrize("status", ["2.7.0", "5.7", ""])
    def test_is_nothing_else(self, status):
        with pytest.raises(ValueError, match="not "):
            Rejected(status)


class TestChannel:
    def test_that_nothing_is_known_of_proves_and_protects_nothing(self):
        assert Channel(is_encrypted=False, is_local=False, external_identity="", end_point=b"") == Channel()
