# SPDX-License-Identifier: Apache-2.0
"""
The service extensions: what is offered to whom, and that what is offered works.
"""

import dataclasses
import re

import pytest

from lmtp.protocol.extensions import EXTENSIONS, STANDARD, Offer, check_keywords, offered
from lmtp.protocol.limits import Limits
from lmtp.protocol.parameters import MailParameters, RcptParameters

ORDINARY = Offer()
EVERYTHING = Offer(extensions=frozenset(each.keyword for each in EXTENSIONS), mechanisms=("SCRAM-SHA-256", "PLAIN"))


def lines(offer=ORDINARY, **limits):
    return [line for _, line in offered(offer, Limits(**limits))]


class TestList:
    @pytest.mark.guards("LMTP-5-2", "LMTP-5-3", "LMTP-5-4")
    def test_has_what_every_lmtp_server_must_offer(self):
        """
        RFC 2033 §5.
        """
        assert {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"} <= set(lines())

    @pytest.mark.guards("SI-1")
    def test_says_how_big_a_message_may_be(self):
        assert "SIZE 70000" in lines(message_bytes=70_000)

    @pytest.mark.guards("LI-1", "LI-2")
    def test_says_how_many_recipients_and_transactions_there_may_be(self):
        assert "LIMITS RCPTMAX=1000" in lines()
        assert "LIMITS MAILMAX=50 RCPTMAX=100" in lines(transactions=50, recipients=100)

    @pytest.mark.guards("GR-15")
    def test_consists_of_keywords_with_parameters(self):
        """
        RFC 5321 §4.1.1.1: ehlo-line.
        """
        for line in lines(EVERYTHING):
            assert re.fullmatch(r"[A-Z0-9][A-Z0-9-]*(?: [!-~]+)*", line)

    def test_names_no_keyword_twice_and_where_each_is_defined(self):
        assert len(EXTENSIONS) == len({extension.keyword for extension in EXTENSIONS})
        assert all(extension.rfc and extension.summary for extension in EXTENSIONS)

    def test_has_only_what_was_switched_on(self):
        assert ["PIPELINING", "SIZE 52428800"] == lines(Offer(extensions=frozenset({"SIZE", "PIPELINING"})))

    @pytest.mark.guards("CH-12", "U8-1")
    def test_has_nothing_without_what_it_needs(self):
        assert ["CHUNKING"] == lines(Offer(extensions=frozenset({"CHUNKING", "BINARYMIME", "SMTPUTF8"})))

    @pytest.mark.guards("TL-2")
    def test_has_starttls_until_tls_is_up(self):
        assert "STARTTLS" in lines(EVERYTHING)
        assert "STARTTLS" not in lines(dataclasses.replace(EVERYTHING, is_encrypted=True))

    @pytest.mark.guards("RT-1")
    def test_has_requiretls_when_tls_is_up(self):
        assert "REQUIRETLS" not in lines(EVERYTHING)
        assert "REQUIRETLS" in lines(dataclasses.replace(EVERYTHING, is_encrypted=True))

    def test_has_auth_when_there_is_a_mechanism(self):
        assert "AUTH SCRAM-SHA-256 PLAIN" in lines(EVERYTHING)
        assert not [line for line in lines(dataclasses.replace(EVERYTHING, mechanisms=())) if "AUTH" in line]

    @pytest.mark.guards("DS-1", "FR-1", "XC-4")
    def test_has_nothing_by_default_that_depends_on_who_asks_or_who_answers(self):
        assert not {"DSN", "FUTURERELEASE", "XCLIENT", "XFORWARD", "IGNOREQUOTA", "AUTH", "STARTTLS"} & STANDARD


class TestKeywords:
    def test_of_the_table_can_be_switched_on(self):
        check_keywords(EVERYTHING.extensions)

    def test_that_nobody_knows_are_refused(self):
        with pytest.raises(ValueError, match="there is no extension CHUNKS"):
            check_keywords(STANDARD | {"CHUNKS"})

    def test_that_every_lmtp_server_must_offer_can_not_be_switched_off(self):
        with pytest.raises(ValueError, match="PIPELINING can't be switched off"):
            check_keywords(STANDARD - {"PIPELINING"})


class TestParameters:
    def test_set_every_field_there_is_and_no_other(self):
        mail = {each.field for extension in EXTENSIONS for each in extension.mail_parameters.values()}
        rcpt = {each.field for extension in EXTENSIONS for each in extension.rcpt_parameters.values()}

        assert mail == {field.name for field in dataclasses.fields(MailParameters)}
        assert rcpt == {field.name for field in dataclasses.fields(RcptParameters)}

    def test_are_looked_up_in_capitals(self):
        for extension in EXTENSIONS:
            names = [*extension.mail_parameters, *extension.rcpt_parameters, *map(bytes.decode, extension.verbs)]
            assert all(name == name.upper() for name in names)
