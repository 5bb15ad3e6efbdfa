# SPDX-License-Identifier: Apache-2.0
"""
What the options of `lmtp send` come to: the envelope, the endpoint and the settings.
"""

import dataclasses
import ssl

import click
import pytest
import trustme

from lmtp.aio.client_settings import ClientDeadlines
from lmtp.aio.listeners import parse_endpoint
from lmtp.auth.client import ScramPassword
from lmtp.cli.send_options import Options, attributes_of, endpoint_of, envelope_of, settings_of
from lmtp.protocol.dialect import LMTP, SMTP
from lmtp.protocol.parameters import Body, Notify, Return

NOTHING = Options(
    endpoint=parse_endpoint("127.0.0.1:24"), sender="a@example.org", recipients=("ann@example.org",), rcpt_file=None,
    is_mbox=False, copies=1, connections=1, client_name=None, dialect="lmtp", has_pipelining=True, has_chunking=True,
    body=None, notify=None, returned=None, envelope_id=None, is_tls=False, is_starttls=False,
    is_starttls_optional=False, ca=None, cert=None, key=None, server_name="", is_insecure=False, auth_user=None,
    auth_password_file=None, stands_for=(), forwarded=(), timeout_seconds=None, transcript=None, is_json=False,
    is_quiet=False,
)  # fmt: skip


@pytest.fixture
def options():
    return lambda **changes: dataclasses.replace(NOTHING, **changes)


class TestEnvelope:
    def test_is_what_the_command_line_says(self, options):
        envelope = envelope_of(options(recipients=("ann@example.org", "<bob@example.org>", "ann@example.org")))

        assert "<a@example.org>" == str(envelope.reverse_path)
        assert ["<ann@example.org>", "<bob@example.org>", "<ann@example.org>"] == [
            str(rcpt.forward_path) for rcpt in envelope.recipients
        ]

    @pytest.mark.parametrize("sender", ["", "<>"])
    def test_may_be_from_nobody(self, options, sender):
        assert envelope_of(options(sender=sender)).reverse_path.is_null

    def test_has_the_recipients_of_a_file_too(self, options, tmp_path):
        (tmp_path / "to").write_text("# people\nbob@example.org\n\n  cid@example.org \n")

        envelope = envelope_of(options(rcpt_file=tmp_path / "to"))

        assert ["ann", "bob", "cid"] == [rcpt.forward_path.mailbox.local_part for rcpt in envelope.recipients]

    def test_has_the_parameters_of_reports(self, options):
        envelope = envelope_of(options(notify="success,delay", returned="hdrs", envelope_id="x+y", body="8bitmime"))

        assert Notify.SUCCESS | Notify.DELAY == envelope.recipients[0].parameters.notify
        assert Return.HEADERS is envelope.parameters.returned
        assert "x+y" == envelope.parameters.envelope_id
        assert Body.EIGHT_BIT is envelope.parameters.body

    def test_may_want_no_reports(self, options):
        assert Notify.NEVER == envelope_of(options(notify="never")).recipients[0].parameters.notify

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"recipients": ()}, "No recipient is taken from a message"),
            ({"recipients": ("ann@example.org", "a b@c")}, "--rcpt: 'a b@c' is no address"),
            ({"recipients": ("",)}, "--rcpt: '' is no address"),
            ({"recipients": ("a@b\r\nRCPT TO:<x@y>",)}, "is no address"),
            ({"sender": "ann"}, "--from: 'ann' is no address: a reverse-path needs a domain"),
            ({"notify": "success,often"}, "--notify"),
            ({"notify": "never,success"}, "--notify"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, options, changes, words):
        with pytest.raises(click.UsageError) as caught:
            envelope_of(options(**changes))

        assert words in caught.value.message


class TestEndpoint:
    def test_is_the_one_given(self, options):
        assert NOTHING.endpoint == endpoint_of(options())

    def test_begins_with_tls_when_asked(self, options):
        assert "127.0.0.1:24,tls" == str(endpoint_of(options(is_tls=True)))

    def test_that_is_a_unix_socket_never_does(self, options):
        with pytest.raises(click.UsageError, match="--starttls"):
            endpoint_of(options(is_tls=True, endpoint=parse_endpoint("unix:/s")))


class TestSettings:
    def test_are_the_usual_ones(self, options):
        settings = settings_of(options())

        assert (LMTP, None, None, {}) == (settings.dialect, settings.tls, settings.credentials, settings.stands_for)
        assert {"PIPELINING", "CHUNKING"} == settings.uses
        assert ClientDeadlines() == settings.deadlines

    def test_are_what_is_asked_for(self, options):
        settings = settings_of(
            options(dialect="smtp", has_pipelining=False, has_chunking=False, client_name="[192.0.2.1]",
                    stands_for=("addr=192.0.2.7", "NAME="))
        )  # fmt: skip

        assert (SMTP, frozenset(), "[192.0.2.1]") == (settings.dialect, settings.uses, settings.client_name)
        assert {"ADDR": "192.0.2.7", "NAME": None} == settings.stands_for

    def test_have_one_deadline_for_all_that_matters(self, options):
        deadlines = settings_of(options(timeout_seconds=900)).deadlines

        assert (900, 900, 900) == (deadlines.connect_seconds, deadlines.data_seconds, deadlines.content_seconds)
        assert 5 == deadlines.quit_seconds
        assert 2 == settings_of(options(timeout_seconds=2)).deadlines.quit_seconds

    @pytest.mark.parametrize(
        ("changes", "is_required"),
        [
            ({"is_starttls": True}, True),
            ({"is_starttls_optional": True}, False),
            ({"is_tls": True}, True),
            ({"endpoint": parse_endpoint("127.0.0.1:24,tls")}, True),
        ],
    )
    def test_have_tls_that_is_required_or_not(self, options, changes, is_required):
        tls = settings_of(options(**changes, server_name="mx.example.org")).tls

        assert (is_required, "mx.example.org") == (tls.is_required, tls.server_name)
        assert ssl.CERT_REQUIRED == tls.context.verify_mode

    def test_may_look_at_no_certificate(self, options):
        assert ssl.CERT_NONE == settings_of(options(is_starttls=True, is_insecure=True)).tls.context.verify_mode

    def test_show_a_certificate(self, options, tmp_path):
        certificate = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("client.example")
        certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")

        assert settings_of(options(is_starttls=True, cert=str(tmp_path / "client.pem"))).tls is not None

    def test_have_the_password_of_the_file(self, options, tmp_path):
        (tmp_path / "password").write_text("tiger\nnot this\n")

        settings = settings_of(options(auth_user="ann", auth_password_file=tmp_path / "password"))

        assert ScramPassword("ann", "tiger") == settings.credentials

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"client_name": "über.example"}, "--client-name"),
            ({"client_name": "a b"}, "--client-name: 'a b' is no domain"),
            ({"client_name": ""}, "--client-name"),
            ({"stands_for": ("ADDR",)}, "--xclient takes NAME=VALUE"),
            ({"is_tls": True, "is_starttls": True}, "do not go together"),
            ({"is_starttls_optional": True, "is_starttls": True}, "do not go together"),
            ({"is_starttls": True, "ca": "/dev/null"}, "TLS"),
            ({"auth_user": "ann"}, "go together"),
        ],
    )
    def test_that_make_no_sense_are_refused(self, options, changes, words):
        with pytest.raises(click.UsageError) as caught:
            settings_of(options(**changes))

        assert words in caught.value.message


class TestAttributes:
    @pytest.mark.parametrize("text", ["ADDR", "=x", "A B=x", "Ä=x"])
    def test_have_a_name_and_a_sign(self, text):
        with pytest.raises(click.UsageError, match="--xforward"):
            attributes_of("--xforward", [text])
