# SPDX-License-Identifier: Apache-2.0
"""
The arguments of the commands that extensions bring, and the replies to what is none.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol import reply
from lmtp.protocol.commands import Auth, Bdat, StartTls, Trace, Xclient, Xforward
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.verbs import (
    XCLIENT_ATTRIBUTES,
    XFORWARD_ATTRIBUTES,
    bare_address,
    read_auth,
    read_bdat,
    read_starttls,
    read_trace,
    read_xclient,
    read_xforward,
)
from lmtp.protocol.xtext import encode_xtext

READ = [
    (read_bdat, b"0", Bdat(0, is_last=False)),
    (read_bdat, b"0 LAST", Bdat(0, is_last=True)),
    (read_bdat, b"007  last", Bdat(7, is_last=True)),
    (read_bdat, b"9" * 20, Bdat(10**20 - 1, is_last=False)),
    (read_starttls, b"", StartTls()),
    (read_auth, b"PLAIN", Auth("PLAIN")),
    (read_auth, b"scram-sha-256-plus =", Auth("SCRAM-SHA-256-PLUS", b"=")),
    (read_auth, b"X_1  AGFubg==", Auth("X_1", b"AGFubg==")),
    (read_auth, b"A" * 20 + b" not*base64", Auth("A" * 20, b"not*base64")),
    (read_trace, b"4F2a-1", Trace("4F2a-1")),
    (read_trace, b"~" * 128, Trace("~" * 128)),
    (read_xclient, b"NAME=mx.example", Xclient({"NAME": "mx.example"})),
    (read_xclient, b"name=[Unavailable] ADDR=[TEMPUNAVAIL]", Xclient({"NAME": None, "ADDR": None})),
    (read_xclient, b"ADDR=192.0.2.1 PORT=1", Xclient({"ADDR": "192.0.2.1", "PORT": "1"})),
    (read_xclient, b"ADDR=ipv6:::1 PORT=65535", Xclient({"ADDR": "ipv6:::1", "PORT": "65535"})),
    (read_xclient, b"ADDR=fe80::1%eth0", Xclient({"ADDR": "fe80::1%eth0"})),
    (read_xclient, b"DESTADDR=IPV6:::1 DESTPORT=24", Xclient({"DESTADDR": "IPV6:::1", "DESTPORT": "24"})),
    (read_xclient, b"PROTO=ESMTP HELO=[192.0.2.1]", Xclient({"PROTO": "ESMTP", "HELO": "[192.0.2.1]"})),
    (read_xclient, b"LOGIN=ann@example.org  NAME=a", Xclient({"LOGIN": "ann@example.org", "NAME": "a"})),
    (read_xclient, b"NAME=" + b"a" * 255, Xclient({"NAME": "a" * 255})),
    (read_xclient, b"NAME=a NAME=b+2bc", Xclient({"NAME": "b+c"})),
    (read_xforward, b"SOURCE=local IDENT=4F2a", Xforward({"SOURCE": "local", "IDENT": "4F2a"})),
    (read_xforward, b"SOURCE=REMOTE NAME=a HELO=b", Xforward({"SOURCE": "REMOTE", "NAME": "a", "HELO": "b"})),
    (read_xforward, b"PROTO=LMTP ADDR=::1 PORT=80", Xforward({"PROTO": "LMTP", "ADDR": "::1", "PORT": "80"})),
]
REFUSED = [
    *[(read_bdat, octets, reply.BAD_CHUNK_SIZE) for octets in (b"", b"x", b"-1", b"+1", b"1 FIRST", b"1LAST", b"LAST")],
    *[(read_bdat, octets, reply.BAD_CHUNK_SIZE) for octets in (b"1" * 21, b" 1", b"1 LAST LAST", "\uff11".encode())],
    (read_starttls, b"now", reply.NO_ARGUMENT_ALLOWED),
    (read_auth, b"", reply.ARGUMENT_REQUIRED),
    (read_auth, b"PLAIN AGFu bg==", reply.UNKNOWN_MECHANISM),
    (read_auth, b"A" * 21, reply.UNKNOWN_MECHANISM),
    (read_auth, b"PLA!N", reply.UNKNOWN_MECHANISM),
    *[(read_trace, octets, reply.BAD_ATTRIBUTE) for octets in (b"", b"two words", b"~" * 129, b"\x7f")],
    (read_xclient, b"", reply.ARGUMENT_REQUIRED),
    (read_xforward, b"  ", reply.ARGUMENT_REQUIRED),
]
BAD_XCLIENT = [b"NAME", b"NAME=", b"COLOUR=red", b"SOURCE=LOCAL", b"NAME=a=b", b"NAME=+2", b"NAME=+FF", b"=a"]
BAD_XCLIENT += [b"NAME=a+20b", b"NAME=a+0Ab", b"NAME=a+00", b"NAME=+C3+B6", b"NAME=" + b"a" * 256]
BAD_XCLIENT += [b"NAME=+%02X" % ord(special) for special in '()<>@,;\\"']
BAD_XCLIENT += [b"LOGIN=", *(b"LOGIN=+%02X" % ord(special) for special in '()<>,;\\" \x7f')]
BAD_XCLIENT += [b"ADDR=", b"ADDR=somewhere", b"ADDR=IPV6:", b"ADDR=[192.0.2.1]", b"ADDR=192.0.2.256"]
BAD_XCLIENT += [b"ADDR=fe80::1%+0D+0AQUIT", b"ADDR=fe80::1%a+20b", b"DESTADDR=IPV6:fe80::1%(x)"]
BAD_XCLIENT += [b"PORT=", b"PORT=0", b"PORT=-1", b"PORT=65536", b"PORT=0000065536", b"PORT=1+20", b"PORT=+C2+B2"]
BAD_XFORWARD = [b"SOURCE=", b"SOURCE=ELSEWHERE", b"LOGIN=ann", b"IDENT=a+20b", b"NAME=a IDENT"]


class TestArguments:
    @pytest.mark.parametrize(("read", "octets", "expected"), READ)
    def test_are_read(self, read, octets, expected):
        assert expected == read(octets)

    @pytest.mark.parametrize(("read", "octets", "expected"), REFUSED)
    def test_that_are_none_are_refused(self, read, octets, expected):
        with pytest.raises(CommandError) as caught:
            read(octets)

        assert expected == caught.value.reply
        assert (read is read_bdat) == caught.value.ends_session, "nobody knows where the chunk ends"

    @pytest.mark.guards("XC-2", "XF-2")
    @pytest.mark.parametrize(
        ("read", "octets"),
        [(read_xclient, octets) for octets in BAD_XCLIENT] + [(read_xforward, octets) for octets in BAD_XFORWARD],
    )
    def test_that_name_what_can_not_be_are_refused(self, read, octets):
        """
        What a proxy says ends up in trace fields and log lines: no space, no bracket, no line end gets there.
        """
        with pytest.raises(CommandError) as caught:
            read(octets)

        assert reply.BAD_ATTRIBUTE == caught.value.reply

    @given(text=st.text(max_size=12), name=st.sampled_from(sorted(XCLIENT_ATTRIBUTES)))
    def test_hold_only_printable_words(self, text, name):
        try:
            value = read_xclient(b"%b=%b" % (name.encode(), encode_xtext(text))).attributes[name]
        except (CommandError, UnicodeEncodeError):
            return
        assert text == value
        assert value.isascii()
        assert value.isprintable()
        assert not set(value) & set(' ()<>,;\\"')

    def test_are_those_the_answer_to_lhlo_names(self):
        assert ["NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"] == list(XCLIENT_ATTRIBUTES)
        assert ["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"] == list(XFORWARD_ATTRIBUTES)


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [("192.0.2.1", "192.0.2.1"), ("IPV6:::1", "::1"), ("ipv6:2001:db8::1", "2001:db8::1"), ("::1", "::1")],
    )
    def test_has_a_prefix_when_it_is_of_version_6(self, text, expected):
        assert expected == bare_address(text)
