# SPDX-License-Identifier: Apache-2.0
"""
What a client shows of itself, and to whom.
"""

import pytest

from lmtp.protocol.credentials import AuthenticationError, External, OneMessage, Password
from lmtp.protocol.sasl import Channel

IN_CLEAR = Channel()


class TestPassword:
    @pytest.mark.parametrize(
        ("channel", "expected"),
        [(IN_CLEAR, ()), (Channel(is_encrypted=True), ("PLAIN",)), (Channel(is_local=True), ("PLAIN",))],
        ids=["in clear", "under TLS", "on this machine"],
    )
    def test_is_sent_where_nobody_can_listen(self, channel, expected):
        assert expected == Password("ann", "secret").mechanisms(channel)

    @pytest.mark.guards("AU-17")
    @pytest.mark.parametrize(
        ("credentials", "expected"),
        [
            (Password("ann", "secret"), b"\0ann\0secret"),
            (Password("ann", "secret", acts_for="ben"), b"ben\0ann\0secret"),
            (Password("änn", "gehöim"), "\0änn\0gehöim".encode()),
        ],
        ids=["alone", "for another", "in UTF-8"],
    )
    def test_is_one_message(self, credentials, expected):
        """
        RFC 4616 §2.
        """
        assert OneMessage(expected) == credentials.begin("PLAIN", IN_CLEAR)

    def test_is_not_shown_to_people(self):
        assert "secret" not in repr(Password("ann", "secret"))


class TestExternal:
    def test_shows_nothing_that_others_must_not_see(self):
        assert ("EXTERNAL",) == External().mechanisms(IN_CLEAR)

    @pytest.mark.guards("AU-18")
    @pytest.mark.parametrize(("acts_for", "expected"), [("", b""), ("ann", b"ann")])
    def test_says_whom_it_acts_for(self, acts_for, expected):
        """
        RFC 4422 appendix A: nothing means whoever the channel says.
        """
        assert OneMessage(expected) == External(acts_for).begin("EXTERNAL", IN_CLEAR)


class TestOneMessage:
    def test_has_nothing_more_to_say(self):
        exchange = OneMessage(b"")
        exchange.finish()

        with pytest.raises(AuthenticationError, match="asks for more"):
            exchange.respond(b"more")
