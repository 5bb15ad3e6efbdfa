# SPDX-License-Identifier: Apache-2.0
"""
The settings that say what is offered to whom: extensions, TLS, AUTH, access.
"""

import pytest

from lmtp.auth.authenticator import MECHANISMS
from lmtp.config import choices
from lmtp.config.schema import NEVER_OFFERED, OFFERED, validate
from lmtp.protocol.extensions import EXTENSIONS, Demand

PATHS = {"certificate_file": "c.pem"}


def faults_of(**data):
    settings, faults = validate(data)
    assert settings is None
    return [f"{'.'.join(map(str, fault.where))} {fault.text}".strip() for fault in faults]


def settings_of(**data):
    settings, faults = validate(data)
    assert not faults
    return settings


class TestExtensions:
    def test_are_all_that_a_store_can_honour(self):
        assert OFFERED == settings_of().extensions
        assert {"CHUNKING", "SMTPUTF8", "REQUIRETLS"} <= set(OFFERED)

    def test_can_be_switched_off_and_on(self):
        chosen = ["PIPELINING", "ENHANCEDSTATUSCODES", "RRVS"]

        assert tuple(chosen) == settings_of(extensions=chosen).extensions

    def test_that_lmtp_demands_can_not_be_switched_off(self):
        [fault] = faults_of(extensions=["SIZE"])

        assert fault.startswith("extensions ENHANCEDSTATUSCODES can't be switched off")

    @pytest.mark.parametrize("keyword", sorted(NEVER_OFFERED))
    def test_that_can_not_be_honoured_are_refused_with_the_reason(self, keyword):
        [fault] = faults_of(extensions=["PIPELINING", "ENHANCEDSTATUSCODES", keyword])

        assert f"extensions {keyword} can't be offered here: {NEVER_OFFERED[keyword]}" == fault

    def test_of_the_engine_are_either_offered_or_refused_or_for_the_asking(self):
        known = {extension.keyword for extension in EXTENSIONS}

        assert {"MT-PRIORITY", "RRVS", "XTRACEPARENT"} == known - set(OFFERED) - set(NEVER_OFFERED)


class TestTls:
    def test_is_a_certificate(self):
        assert "c.pem" == settings_of(tls=PATHS).tls.certificate_file

    def test_must_be_there_where_an_endpoint_begins_with_it(self):
        [fault] = faults_of(listen=["127.0.0.1:2424,tls"])

        assert "tls must be given: 127.0.0.1:2424,tls wants a certificate" == fault

    def test_must_be_there_where_it_is_demanded(self):
        assert ["tls must be given: demands wants a certificate"] == faults_of(demands=["tls"])
        assert Demand.TLS == settings_of(demands=["tls"], tls=PATHS).demands

    def test_says_what_is_wrong_with_it(self):
        assert ["tls.certificate_file must be given"] == faults_of(tls={})


class TestAuth:
    def test_has_the_mechanisms_there_are(self):
        assert MECHANISMS == choices.MECHANISMS
        assert MECHANISMS == settings_of(auth={"passwords": "p"}).auth.mechanisms

    def test_must_let_somebody_in(self):
        [fault] = faults_of(auth={})

        assert fault.startswith("auth.passwords must be given")

    def test_must_be_there_where_it_is_demanded(self):
        assert ["auth must be given: demands wants somebody to authenticate"] == faults_of(demands=["authentication"])

    def test_refuses_mechanisms_it_does_not_know(self):
        [fault] = faults_of(auth={"passwords": "p", "mechanisms": ["LOGIN"]})

        assert fault.startswith("auth.mechanisms expected some of EXTERNAL")


class TestAccess:
    def test_is_for_everybody_and_trusts_nobody(self):
        access = settings_of().access

        assert ((),) * 5 == (access.connect, access.proxy, access.xclient, access.xforward, access.trace)

    def test_takes_rules(self):
        rules = ["127.0.0.1", "10.0.0.0/8", "unix", "uid:0", "certificate:mx.example.org"]

        assert tuple(rules) == settings_of(access={"xclient": rules}).access.xclient

    def test_refuses_what_is_no_rule(self):
        [fault] = faults_of(access={"proxy": ["everybody"]})

        assert fault.startswith("access.proxy ")
