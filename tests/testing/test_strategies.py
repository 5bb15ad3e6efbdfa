# SPDX-License-Identifier: Apache-2.0
"""
What the strategies make is what they say; those who have no hypothesis are told what to install.
"""

import email
import importlib
import re
import sys

import pytest
from hypothesis import find, given

from lmtp.message.header import HeaderSection
from lmtp.protocol import requests
from lmtp.protocol.address import ForwardPath
from lmtp.protocol.commands import Mail
from lmtp.protocol.dialect import LMTP
from lmtp.protocol.extensions import EXTENSIONS
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.offered import Offered
from lmtp.protocol.parser import CommandParser
from lmtp.testing.strategies import (
    header_sections,
    mail_parameters,
    messages,
    outgoing_envelopes,
    quoted_mailboxes,
    rcpt_parameters,
    utf8_mailboxes,
)


class TestImport:
    def test_says_what_to_install_where_hypothesis_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "hypothesis", None)
        monkeypatch.delitem(sys.modules, "lmtp.testing.strategies", raising=False)

        with pytest.raises(ImportError, match="pip install hypothesis"):
            importlib.import_module("lmtp.testing.strategies")


EVERYTHING = Offered("", {extension.keyword: () for extension in EXTENSIONS})
PARSER = CommandParser(LMTP, Limits(), Leniency.NONE, EXTENSIONS)


class TestMailboxes:
    @given(mailbox=quoted_mailboxes())
    def test_that_need_quotes_have_some(self, mailbox):
        assert str(mailbox).startswith('"')
        assert ForwardPath(mailbox) == ForwardPath.parse(f"<{mailbox}>".encode())

    @given(mailbox=utf8_mailboxes())
    def test_that_need_utf8_have_some(self, mailbox):
        assert not mailbox.is_ascii
        assert ForwardPath(mailbox) == ForwardPath.parse(f"<{mailbox}>".encode())


class TestEnvelopes:
    @given(envelope=outgoing_envelopes(parameters=mail_parameters(), recipient_parameters=rcpt_parameters()))
    def test_are_read_by_a_server_as_they_were_meant(self, envelope):
        mail = PARSER.parse(requests.mail(envelope, None, EVERYTHING).removesuffix(b"\r\n"))
        rcpts = [PARSER.parse(requests.rcpt(rcpt, EVERYTHING).removesuffix(b"\r\n")) for rcpt in envelope.recipients]

        assert Mail(envelope.reverse_path, envelope.parameters) == mail
        assert list(envelope.recipients) == rcpts

    @given(envelope=outgoing_envelopes(max_recipients=3))
    def test_are_plain_unless_told_otherwise(self, envelope):
        assert b"MAIL FROM:%b\r\n" % str(envelope.reverse_path).encode() == requests.mail(envelope, None, EVERYTHING)
        assert 1 <= len(envelope.recipients) <= 3

    def test_name_some_recipients_twice(self):
        envelope = find(outgoing_envelopes(), lambda found: len(set(found.recipients)) < len(found.recipients))

        assert envelope.recipients


class TestMessages:
    @given(message=messages())
    def test_have_lines_and_a_header_section(self, message):
        assert message.endswith(b"\r\n")
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", message)
        assert {b"\r\n"} == {HeaderSection(message).octets[-2:]}
        assert email.message_from_bytes(message)["From"] == "ann@example.org"

    @given(section=header_sections())
    def test_have_fields_that_a_reader_finds(self, section):
        assert section == b"".join(HeaderSection(section + b"\r\nbody\r\n").fields())

    @pytest.mark.parametrize("pattern", [rb"\r\n\.\r\n", rb"[\x80-\xff]", rb"[^\n]{1001}", rb"\r\n\r\n\Z"])
    def test_have_what_goes_wrong_on_the_way(self, pattern):
        assert find(messages(), lambda message: re.search(pattern, message) is not None)
