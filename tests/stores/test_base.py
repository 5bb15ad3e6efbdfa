# SPDX-License-Identifier: Apache-2.0
"""
What an operating system's error means to the one who sent the message.
"""

import errno

import pytest

from lmtp.protocol.outcome import reply_for
from lmtp.stores.base import deferred_for


class TestDeferredFor:
    """
    All are transient, and say whose trouble it is (RFC 3463 §3.3, §3.4).
    """

    @pytest.mark.parametrize(
        ("number", "reply"),
        [
            (errno.ENOSPC, "452 4.3.1"),
            (errno.EDQUOT, "452 4.2.2"),
            (errno.EFBIG, "452 4.2.2"),
            (errno.EACCES, "451 4.2.0"),
            (errno.ELOOP, "451 4.2.0"),
            (errno.EIO, "451 4.3.0"),
        ],
    )
    def test_number_decides_the_reply(self, number, reply):
        assert str(reply_for(deferred_for(OSError(number, "x")), "<ann@example.org>")).startswith(reply)

    def test_error_without_number_is_system_trouble(self):
        assert "4.3.0" == deferred_for(OSError("no number")).status

    def test_peer_sees_no_path(self):
        deferred = deferred_for(OSError(errno.EACCES, "Permission denied", "/var/mail/ann"))

        assert "/var/mail" in deferred.detail
        assert "/var/mail" not in str(reply_for(deferred, "<ann@example.org>"))
