# SPDX-License-Identifier: Apache-2.0
"""
Trace fields: the grammar of RFC 5321 §4.4, and nothing a peer can add to it.
"""

import re
from dataclasses import replace
from email.parser import BytesHeaderParser
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.message.header import HeaderSection
from lmtp.message.trace import (
    Received,
    delivered_to,
    edit_for_delivery,
    has_looped,
    lmtp_keyword,
    return_path,
    trace_fields,
)
from lmtp.protocol.address import ForwardPath, Mailbox, ReversePath

ANN = Mailbox("ann", "example.org")
RECEIVED = Received(
    client_name="mx.example.net",
    peer_address=ip_address("192.0.2.7"),
    server_name="mail.example.org",
    keyword="LMTP",
    transaction_id="4fT1x0",
    forward_path=ForwardPath(ANN),
    date="Thu, 01 Jan 1970 00:00:00 +0000",
)

# Time-stamp-line of RFC 5321 §4.4, unfolded, as far as we use it.
DOMAIN = r"(?:[A-Za-z0-9]+(?:[.-]+[A-Za-z0-9]+)*|\[[^\[\]\\ ]+\])"
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
STAMP = re.compile(
    rf"Received: from {DOMAIN} \((?:localhost|\[[0-9a-fA-F:.IPv]+\])\) by {DOMAIN} with {ATOM} id {ATOM}(?: for <.*>)?;"
    r" [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\n",
    re.DOTALL,
)
texts = st.text(st.characters() | st.sampled_from('\r\n\0 <>()";:[]\\.-'), max_size=300)
mailboxes = st.builds(Mailbox, texts, texts)


def unfolded(field: bytes) -> str:
    return field.decode().replace("\r\n ", " ")


class TestKeyword:
    """
    RFC 3848, RFC 6531 §4.3: S for TLS, then A for AUTH.
    """

    @pytest.mark.guards("TR-5")
    @pytest.mark.parametrize(
        ("keyword", "is_encrypted", "is_authenticated", "is_utf8"),
        [
            ("LMTP", False, False, False),
            ("LMTPS", True, False, False),
            ("LMTPA", False, True, False),
            ("LMTPSA", True, True, False),
            ("UTF8LMTP", False, False, True),
            ("UTF8LMTPS", True, False, True),
            ("UTF8LMTPA", False, True, True),
            ("UTF8LMTPSA", True, True, True),
        ],
    )
    def test_is_the_registered_one(self, keyword, is_encrypted, is_authenticated, is_utf8):
        assert keyword == lmtp_keyword(is_encrypted=is_encrypted, is_authenticated=is_authenticated, is_utf8=is_utf8)


class TestReceived:
    """
    RFC 5321 §4.4: from, by, with, id, for, and the date.
    """

    @pytest.mark.guards("TR-2", "TR-3")
    def test_says_how_the_message_came(self):
        assert (
            b"Received: from mx.example.net ([192.0.2.7]) by mail.example.org with LMTP\r\n"
            b" id 4fT1x0 for <ann@example.org>; Thu, 01 Jan 1970 00:00:00 +0000\r\n"
        ) == bytes(RECEIVED)

    def test_without_a_forward_path_names_nobody(self):
        field = unfolded(bytes(replace(RECEIVED, forward_path=None)))

        assert " for " not in field
        assert STAMP.fullmatch(field)

    @pytest.mark.guards("TR-2")
    @pytest.mark.parametrize(
        ("peer", "written"),
        [
            (None, "(localhost)"),
            (ip_address("192.0.2.7"), "([192.0.2.7])"),
            (ip_address("2001:db8::1"), "([IPv6:2001:db8::1])"),
            (ip_address("::ffff:192.0.2.7"), "([192.0.2.7])"),
            (ip_address("fe80::1%eth0"), "([IPv6:fe80::1])"),
        ],
    )
    def test_shows_the_peer_as_a_literal(self, peer, written):
        assert f"from mx.example.net {written} by" in unfolded(bytes(replace(RECEIVED, peer_address=peer)))

    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ("[192.0.2.9]", "[192.0.2.9]"),
            ("my_host.example", "my-host.example"),
            ("a\r\nX-Evil: b", "a-X-Evil-b"),
            ("(comment", "comment"),
            ("a..b", "unknown"),
            ("\0", "unknown"),
            ("", "unknown"),
        ],
    )
    def test_makes_the_client_s_name_grammatical(self, name, written):
        assert f"from {written} (" in unfolded(bytes(replace(RECEIVED, client_name=name)))

    def test_quotes_the_forward_path(self):
        path = ForwardPath(Mailbox("a;b>\r\nX-Evil: c", "example.org"))

        assert 'for <"a;b>X-Evil: c"@example.org>;' in unfolded(bytes(replace(RECEIVED, forward_path=path)))

    def test_empty_identifiers_stay_grammatical(self):
        assert STAMP.fullmatch(unfolded(bytes(replace(RECEIVED, transaction_id="", keyword="\r\n"))))

    @pytest.mark.guards("TR-2", "TR-16")
    @given(texts, texts, texts, st.none() | st.ip_addresses(), st.none() | mailboxes.map(ForwardPath))
    def test_is_grammatical_whatever_the_peer_says(self, client_name, server_name, transaction_id, peer, path):
        field = bytes(
            replace(
                RECEIVED,
                client_name=client_name,
                server_name=server_name,
                transaction_id=transaction_id,
                peer_address=peer,
                forward_path=path,
            )
        )

        assert STAMP.fullmatch(unfolded(field))
        assert [field] == list(HeaderSection(field).fields())
        assert b"\0" not in field

    @given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
    def test_is_folded_below_78_columns(self, client, server, local_part):
        field = bytes(
            replace(
                RECEIVED,
                client_name="c" * client,
                server_name="s" * server,
                forward_path=ForwardPath(Mailbox("l" * local_part, "example.org")),
            )
        )

        assert max(map(len, field.split(b"\r\n"))) <= 78
        assert all(line.startswith(b" ") for line in field.split(b"\r\n")[1:-1])

    def test_word_that_fits_on_no_line_has_one_of_its_own(self):
        lines = bytes(replace(RECEIVED, client_name="c" * 200)).split(b"\r\n")

        assert b"Received: from" == lines[0]
        assert b" " + b"c" * 200 == lines[1]

    @pytest.mark.parametrize("local_part", [" " * 200, "a" + " " * 200 + "b", '" ' * 60, "a \\ " * 40], ids=repr)
    def test_quoted_string_is_never_broken(self, local_part):
        """
        RFC 5322 §3.2.2: no line of a folded field is white space alone.
        """
        path = ForwardPath(Mailbox(local_part, "example.org"))
        lines = bytes(replace(RECEIVED, forward_path=path)).split(b"\r\n")

        assert f" {path};".encode() in lines
        assert all(line.strip() for line in lines[:-1])


class TestReturnPath:
    """
    RFC 5321 §4.4: the reverse-path in its brackets.
    """

    @pytest.mark.guards("TR-8")
    def test_of_a_bounce_is_null(self):
        assert b"Return-Path: <>\r\n" == return_path(ReversePath())

    def test_is_the_reverse_path(self):
        assert b'Return-Path: <"a b"@example.org>\r\n' == return_path(ReversePath(Mailbox("a b", "example.org")))

    @pytest.mark.guards("TR-16")
    @given(mailboxes)
    def test_is_one_line_whatever_the_mailbox(self, mailbox):
        field = return_path(ReversePath(mailbox))

        assert [field] == field.splitlines(keepends=True)


class TestDeliveredTo:
    """
    RFC 9228; T61: the mailbox, without brackets.
    """

    @pytest.mark.guards("T61", "TR-10")
    def test_has_no_brackets(self):
        assert b"Delivered-To: ann@example.org\r\n" == delivered_to(ANN)

    def test_may_be_utf_8(self):
        mailbox = Mailbox("ann", "bücher.example")

        assert "Delivered-To: ann@bücher.example\r\n".encode() == delivered_to(mailbox)

    @pytest.mark.guards("TR-16")
    @given(mailboxes)
    def test_is_one_line_whatever_the_mailbox(self, mailbox):
        field = delivered_to(mailbox)

        assert [field] == field.splitlines(keepends=True)


class TestEditing:
    """
    What is stored: Return-Path, Delivered-To, Received, then the message as it came.
    """

    FIELDS = trace_fields(ReversePath(ANN), ANN, RECEIVED)

    @staticmethod
    def stored(content: bytes) -> bytes:
        head, body_start = edit_for_delivery(HeaderSection(content), TestEditing.FIELDS)
        return head + content[body_start:]

    @pytest.mark.guards("TR-15")
    def test_order_is_return_path_delivered_to_received(self):
        names = [name for name, _ in BytesHeaderParser().parsebytes(self.FIELDS).items()]

        assert ["Return-Path", "Delivered-To", "Received"] == names

    @pytest.mark.parametrize("content", [b"", b"\r\nbody", b"A: b\r\n\r\nbody\r\n", b"text", b"From ann\r\nA: b\r\n"])
    def test_message_without_a_return_path_is_neither_copied_nor_changed(self, content):
        assert (self.FIELDS, 0) == edit_for_delivery(HeaderSection(content), self.FIELDS)

    @pytest.mark.guards("TR-1", "TR-9", "TR-10")
    def test_old_return_paths_go_and_all_else_stays(self):
        content = (
            b"Return-Path: <old@example.net>\r\nReceived: x\r\n\ty\r\nRETURN-PATH :\r\n <other@example.net>\r\n"
            b"Delivered-To: old\r\n\r\nReturn-Path: in the body\r\n"
        )

        assert (
            self.FIELDS + b"Received: x\r\n\ty\r\nDelivered-To: old\r\n\r\nReturn-Path: in the body\r\n"
        ) == self.stored(content)

    @pytest.mark.parametrize("content", [b" by evil.example; forged\r\nA: b\r\n\r\nbody", b"\tx", b" \r\nA: b\r\n"])
    def test_first_line_never_continues_our_last_field(self, content):
        stored = self.stored(content)

        assert self.FIELDS + b"\r\n" + content == stored
        assert self.FIELDS == HeaderSection(stored).octets

    @pytest.mark.guards("TR-8", "TR-9")
    @given(st.lists(st.sampled_from([b"Return-Path: <x>\r\n", b"A: b\r\n", b" c\r\n", b"\r\n", b"x"]), max_size=9))
    def test_exactly_one_return_path_remains_and_no_other_line_is_lost(self, pieces):
        content = b"".join(pieces)
        header = HeaderSection(content)
        stored = self.stored(content)

        assert 1 == HeaderSection(stored).count(b"Return-Path")
        assert stored.endswith(header.without(b"Return-Path") + content[header.end :]) or header.octets.startswith(b" ")


class TestLoops:
    """
    RFC 5321 §6.3: a high limit, normally at least 100.
    """

    @pytest.mark.guards("TR-12", "TR-13")
    @pytest.mark.parametrize(("hops", "looped"), [(0, False), (99, False), (100, True), (250, True)])
    def test_hundred_hops_are_a_loop(self, hops, looped):
        assert looped == has_looped(HeaderSection(b"Received: x\r\n y\r\n" * hops + b"\r\n"))

    def test_limit_can_be_set(self):
        assert has_looped(HeaderSection(b"Received: x\r\n\r\n"), max_hops=1)
