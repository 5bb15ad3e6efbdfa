# SPDX-License-Identifier: Apache-2.0
"""
The tree of errors.
"""

import pytest

from lmtp.protocol.errors import (
    DeliveryError,
    LocalProtocolError,
    PermanentError,
    ProtocolError,
    RemoteProtocolError,
    SessionError,
    TransientError,
)
from lmtp.protocol.reply import IDLE_TOO_LONG


class TestTree:
    @pytest.mark.parametrize("error", [LocalProtocolError, RemoteProtocolError])
    def test_protocol_errors_can_be_caught_together(self, error):
        with pytest.raises(ProtocolError, match="why"):
            raise error("why")

    @pytest.mark.parametrize(("error", "status"), [(TransientError, "4.2.2"), (PermanentError, "5.1.1")])
    def test_delivery_errors_carry_what_the_peer_is_told_and_what_the_log_says(self, error, status):
        with pytest.raises(DeliveryError, match="detail") as caught:
            raise error(status, "detail")

        assert status == caught.value.status

    def test_session_errors_can_be_caught_with_those_of_the_network(self):
        with pytest.raises(OSError, match="why") as caught:
            raise SessionError("why", IDLE_TOO_LONG)

        assert IDLE_TOO_LONG is caught.value.reply
        assert SessionError("why").reply is None
