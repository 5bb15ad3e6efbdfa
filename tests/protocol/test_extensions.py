# SPDX-License-Identifier: Apache-2.0
"""
The service extensions: what is offered, and that what is offered works.
"""

import dataclasses
import re

from lmtp.protocol.extensions import EXTENSIONS, MAIL_PARAMETERS
from lmtp.protocol.limits import Limits
from lmtp.protocol.parameters import MailParameters

LINES = [extension.line(Limits(message_bytes=70_000)) for extension in EXTENSIONS]


class TestList:
    def test_has_what_every_lmtp_server_must_offer(self):
        """
        RFC 2033 §5.
        """
        assert {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"} <= set(LINES)

    def test_says_how_big_a_message_may_be(self):
        assert "SIZE 70000" in LINES

    def test_consists_of_keywords_with_parameters(self):
        """
        RFC 5321 §4.1.1.1: ehlo-line.
        """
        for line in LINES:
            assert re.fullmatch(r"[A-Z0-9][A-Z0-9-]*(?: [!-~]+)*", line)

    def test_names_no_keyword_twice_and_where_each_is_defined(self):
        assert len(EXTENSIONS) == len({extension.keyword for extension in EXTENSIONS})
        assert all(extension.rfc.startswith("RFC ") and extension.summary for extension in EXTENSIONS)


class TestMailParameters:
    def test_set_fields_there_are(self):
        fields = {field.name for field in dataclasses.fields(MailParameters)}

        assert fields == {parameter.field for parameter in MAIL_PARAMETERS.values()}

    def test_are_looked_up_in_capitals(self):
        assert all(keyword == keyword.upper() for keyword in MAIL_PARAMETERS)
