# SPDX-License-Identifier: Apache-2.0
"""
What may stand behind a path, and the reply to what may not (RFC 5321 §4.1.1.11).
"""

import datetime as dt

import pytest

from lmtp.protocol import parameters as par
from lmtp.protocol.address import Mailbox, ReversePath
from lmtp.protocol.extensions import EXTENSIONS, STANDARD
from lmtp.protocol.parameters import (
    Body,
    ByMode,
    CommandError,
    DeliverBy,
    Notify,
    OriginalRecipient,
    Return,
    ValidSince,
    WhenUnsure,
    parse_parameters,
)
from lmtp.protocol.reply import BAD_PARAMETER, BAD_PRIORITY, UNKNOWN_PARAMETER


def of_mail(keywords):
    rows = [extension.mail_parameters for extension in EXTENSIONS if extension.keyword in keywords]
    return {keyword: parameter for row in rows for keyword, parameter in row.items()}


ORDINARY = of_mail(STANDARD)
ALL = of_mail({extension.keyword for extension in EXTENSIONS})


def refusal(octets, known=ORDINARY):
    with pytest.raises(CommandError) as caught:
        parse_parameters(octets, known)
    return caught.value.reply


class TestParameters:
    def test_may_be_missing(self):
        assert {} == parse_parameters(b"", ORDINARY)

    def test_come_in_any_order_and_case_and_with_any_number_of_spaces(self):
        expected = {"body": Body.EIGHT_BIT, "size_bytes": 10}

        assert expected == parse_parameters(b" SIZE=10  BODY=8BITMIME", ORDINARY)
        assert expected == parse_parameters(b" body=8bitmime Size=10", ORDINARY)

    @pytest.mark.guards("FR-1", "GR-10")
    @pytest.mark.parametrize(
        "octets", [b" HOLDFOR=10", b" RET=HDRS", b" SIZE=1 AUTH=<>", b" SIZES=1", b" SI=1", b" BY=10;N"]
    )
    def test_nobody_offered_are_not_recognized(self, octets):
        assert UNKNOWN_PARAMETER == refusal(octets)

    @pytest.mark.guards("GR-10")
    @pytest.mark.parametrize(
        "octets",
        [
            b" SIZE",
            b" SIZE=",
            b" SIZE=-1",
            b" SIZE=a",
            b" SIZE=1=2",
            b" SIZE=1 SIZE=2",
            b" BODY",
            b" =1",
            b"SIZE=1",
            b" SMTPUTF8=1",
            b" SMTPUTF8 SMTPUTF8",
            b" BODY=BINARYMIME",
            b" BODY=\xff",
        ],
    )
    def test_that_are_malformed_or_repeated_are_refused(self, octets):
        assert BAD_PARAMETER == refusal(octets)

    @pytest.mark.guards("MP-2")
    @pytest.mark.parametrize("octets", [b" MT-PRIORITY=10", b" MT-PRIORITY=1 MT-PRIORITY=1"])
    def test_of_priority_are_refused_with_a_status_of_their_own(self, octets):
        assert BAD_PRIORITY == refusal(octets, ALL)

    def test_error_says_what_the_client_is_told(self):
        with pytest.raises(CommandError, match=r"555 5\.5\.4 Parameter not recognized"):
            parse_parameters(b" X=1", {})


READ = [
    (par.parse_flag, None, True),
    (par.parse_size, b"0", 0),
    (par.parse_size, b"9" * 20, 10**20 - 1),
    (par.parse_body, b"7bit", Body.SEVEN_BIT),
    (par.parse_body, b"8BitMime", Body.EIGHT_BIT),
    (par.parse_any_body, b"BinaryMime", Body.BINARY),
    (par.parse_return, b"full", Return.FULL),
    (par.parse_return, b"HDRS", Return.HEADERS),
    (par.parse_envelope_id, b"QQ+20314159", "QQ 314159"),
    (par.parse_envelope_id, b"x" * 100, "x" * 100),
    (par.parse_notify, b"never", Notify.NEVER),
    (par.parse_notify, b"SUCCESS,failure,Delay", Notify.SUCCESS | Notify.FAILURE | Notify.DELAY),
    (par.parse_notify, b"DELAY", Notify.DELAY),
    (par.parse_original_recipient, b"rfc822;Ann+2Bx@example.org", OriginalRecipient("rfc822", "Ann+x@example.org")),
    (par.parse_original_recipient, b"rfc822;a;b@example.org", OriginalRecipient("rfc822", "a;b@example.org")),
    (par.parse_original_recipient, b"utf-8;j\xc3\xb6rg\\x{2B}@x", OriginalRecipient("utf-8", "jörg+@x")),
    (par.parse_submitter, b"<>", ReversePath()),
    (par.parse_submitter, b"ann@example.org", ReversePath(Mailbox("ann", "example.org"))),
    (par.parse_submitter, b"e+3Dmc2@example.com", ReversePath(Mailbox("e=mc2", "example.com"))),
    (par.parse_submitter, b"e+3dmc2@example.com", ReversePath(Mailbox("e=mc2", "example.com"))),
    (par.parse_submitter, b"ann", ReversePath(Mailbox("ann", ""))),
    (par.parse_deliver_by, b"120;R", DeliverBy(120, ByMode.RETURN, wants_trace=False)),
    (par.parse_deliver_by, b"1;r", DeliverBy(1, ByMode.RETURN, wants_trace=False)),
    (par.parse_deliver_by, b"-1;nt", DeliverBy(-1, ByMode.NOTIFY, wants_trace=True)),
    (par.parse_deliver_by, b"+999999999;NT", DeliverBy(999_999_999, ByMode.NOTIFY, wants_trace=True)),
    (par.parse_priority, b"-9", -9),
    (par.parse_priority, b"0", 0),
    (par.parse_priority, b"9", 9),
    (
        par.parse_valid_since,
        b"2014-04-03T23:01:00Z",
        ValidSince(dt.datetime(2014, 4, 3, 23, 1, tzinfo=dt.UTC), WhenUnsure.REFUSE),
    ),
    (
        par.parse_valid_since,
        b"2014-04-03t23:01:00-00:00;c",
        ValidSince(dt.datetime(2014, 4, 3, 23, 1, tzinfo=dt.UTC), WhenUnsure.CONTINUE),
    ),
    (
        par.parse_traceparent,
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
]

NOT_READ = [
    (par.parse_flag, [b"", b"1"]),
    (par.parse_size, [None, b"", b"9" * 21, b"+1", b"1.0", b"0x10"]),
    (par.parse_body, [None, b"", b"8BIT", b"BINARYMIME"]),
    (par.parse_any_body, [None, b"BINARY"]),
    (par.parse_return, [None, b"", b"HEADERS"]),
    (par.parse_envelope_id, [None, b"", b"a+0Ab", b"+C3+A4", b"+2b"]),
    (par.parse_notify, [None, b"", b"NEVER,FAILURE", b"SUCCESS,", b"SOMETIMES", b"FAILURE,NEVER"]),
    (
        par.parse_original_recipient,
        [None, b"", b"rfc822", b"rfc822;", b";ann@x", b"rfc 822;ann@x", b"rfc822;a+0D", b"utf-8;\xff",
         b"rfc822;\xc3\xb6", b"utf-8;", b"utf-8;a\\x{0D}\\x{0A}b@x", b"utf-8;a\\x{D800}", b"utf-8;\\x{110000}",
         b"utf-8;\xc2\x85"],
    ),
    (par.parse_submitter, [None, b"", b"a b", b"a+0Ab", b"+C3+A4"]),
    (par.parse_deliver_by, [None, b"0;R", b"-1;R", b"10", b"10;X", b"1234567890;N", b"10;N;T", b"10;NTT"]),
    (par.parse_priority, [None, b"", b"+1", b"-0", b"01", b"10", b"-10", b"a"]),
    (
        par.parse_valid_since,
        [None, b"", b"2014-04-03", b"2014-04-03T23:01:00", b"2014-13-03T23:01:00Z", b"2014-04-03T23:01:00.5Z",
         b"2014-04-03T23:01:00Z;X"],
    ),
    (
        par.parse_traceparent,
        [None, b"", b"ff-" + b"1" * 32 + b"-" + b"1" * 16 + b"-01", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01",
         b"00-" + b"1" * 32 + b"-" + b"0" * 16 + b"-01", b"00-" + b"A" * 32 + b"-" + b"1" * 16 + b"-01"],
    ),
]  # fmt: skip


class TestValues:
    @pytest.mark.guards("SI-1", "8B-1", "U8-2", "DS-1", "DS-5", "DS-6", "AU-13", "DB-1", "MP-1", "RV-1")
    @pytest.mark.parametrize(("reader", "value", "expected"), READ)
    def test_are_read(self, reader, value, expected):
        assert expected == reader(value)

    @pytest.mark.guards("SI-1", "8B-1", "U8-2", "DS-1", "DS-3", "DS-6", "AU-13", "DB-1", "DB-2", "MP-1", "RV-1")
    @pytest.mark.parametrize(
        ("reader", "value"),
        [(reader, value) for reader, values in NOT_READ for value in values],
    )
    def test_of_any_other_kind_are_refused(self, reader, value):
        with pytest.raises(ValueError):  # noqa: PT011 - the client is told the same of all of them
            reader(value)
