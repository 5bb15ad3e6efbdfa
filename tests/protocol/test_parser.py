# SPDX-License-Identifier: Apache-2.0
"""
Command lines and what they mean, or which reply a line gets that means nothing.
"""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol import reply
from lmtp.protocol.address import ForwardPath, Mailbox, ReversePath
from lmtp.protocol.commands import Data, Greet, Help, Mail, Noop, Quit, Rcpt, Rset, Vrfy
from lmtp.protocol.dialect import LMTP, SMTP
from lmtp.protocol.extensions import EXTENSIONS, STANDARD
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.parameters import Body, CommandError, MailParameters
from lmtp.protocol.parser import CommandParser
from lmtp.testing.strategies import forward_paths, international, reverse_paths

ANN = ForwardPath(Mailbox("ann", "example.org"))

UNDERSTOOD = {
    b"LHLO mx.example": Greet("mx.example"),
    b"LHLO MX": Greet("MX"),
    b"lhlo [192.0.2.1]": Greet("[192.0.2.1]"),
    b"LHLO [IPv6:::1]": Greet("[IPv6:::1]"),
    b"MAIL FROM:<>": Mail(ReversePath(), MailParameters()),
    b"mail from:<Ann@Example.org>": Mail(ReversePath(Mailbox("Ann", "Example.org")), MailParameters()),
    b"MAIL FROM:<> SIZE=1000 BODY=8BITMIME": Mail(ReversePath(), MailParameters(size_bytes=1000, body=Body.EIGHT_BIT)),
    b"MAIL FROM:<> body=7bit": Mail(ReversePath(), MailParameters(body=Body.SEVEN_BIT)),
    b"RCPT TO:<ann@example.org>": Rcpt(ANN),
    b"rCpT tO:<ann@example.org>": Rcpt(ANN),
    b"RCPT TO:<@a.example,@b.example:ann@example.org>": Rcpt(ANN),
    b'RCPT TO:<"ann"@example.org>': Rcpt(ANN),
    b'RCPT TO:<"a>b c"@example.org>': Rcpt(ForwardPath(Mailbox("a>b c", "example.org"))),
    b"RCPT TO:<ann@[x:<a>]>": Rcpt(ForwardPath(Mailbox("ann", "[x:<a>]"))),
    b"RCPT TO:<Postmaster>": Rcpt(ForwardPath(Mailbox("Postmaster", ""))),
    b"DATA": Data(),
    b"data \t ": Data(),
    b"RSET": Rset(),
    b"NOOP": Noop(),
    b"NOOP whatever there is": Noop(),
    b"VRFY ann": Vrfy(),
    b"HELP": Help(),
    b"HELP MAIL": Help(),
    b"QUIT": Quit(),
}

REFUSED = {
    b"": reply.UNKNOWN_COMMAND,
    b" NOOP": reply.UNKNOWN_COMMAND,
    b"NOOPS": reply.UNKNOWN_COMMAND,
    b"XYZZY": reply.UNKNOWN_COMMAND,
    b"MAILFROM:<>": reply.UNKNOWN_COMMAND,
    b"HELO mx.example": reply.wrong_protocol("LMTP", "LHLO"),
    b"ehlo mx.example": reply.wrong_protocol("LMTP", "LHLO"),
    b"EXPN staff": reply.NOT_IMPLEMENTED,
    b"STARTTLS": reply.NOT_IMPLEMENTED,
    b"LHLO": reply.BAD_CLIENT_NAME,
    b"LHLO two words": reply.BAD_CLIENT_NAME,
    b"LHLO under_score": reply.BAD_CLIENT_NAME,
    b"LHLO [300.1.1.1]": reply.BAD_CLIENT_NAME,
    b"LHLO " + b"a." * 127 + b"aa": reply.BAD_CLIENT_NAME,
    b"MAIL": reply.BAD_REVERSE_PATH,
    b"MAIL FROM:": reply.BAD_REVERSE_PATH,
    b"MAIL FROM: <ann@example.org>": reply.BAD_REVERSE_PATH,
    b"MAIL FROM:ann@example.org": reply.BAD_REVERSE_PATH,
    b"MAIL FROM:<ann>": reply.BAD_REVERSE_PATH,
    b"MAIL FROM:<>SIZE=1": reply.BAD_REVERSE_PATH,
    b"MAIL TO:<ann@example.org>": reply.BAD_REVERSE_PATH,
    b"MAIL FROM:<> SIZE=x": reply.BAD_PARAMETER,
    b"MAIL FROM:<> SIZE=1 SIZE=1": reply.BAD_PARAMETER,
    b"MAIL FROM:<> BODY=BINARYMIME": reply.BAD_PARAMETER,
    b"MAIL FROM:<> SMTPUTF8=1": reply.BAD_PARAMETER,
    b"MAIL FROM:<> RET=FULL": reply.UNKNOWN_PARAMETER,
    b"RCPT": reply.BAD_FORWARD_PATH,
    b"RCPT TO:<>": reply.BAD_FORWARD_PATH,
    b"RCPT TO:<ann>": reply.BAD_FORWARD_PATH,
    b"RCPT TO:<ann@example.org": reply.BAD_FORWARD_PATH,
    b'RCPT TO:<"ann@example.org>': reply.BAD_FORWARD_PATH,
    b"RCPT TO:<ann@example.org>x": reply.BAD_FORWARD_PATH,
    b"RCPT TO:<ann@example.org> NOTIFY=NEVER": reply.UNKNOWN_PARAMETER,
    b"DATA now": reply.NO_ARGUMENT_ALLOWED,
    b"RSET now": reply.NO_ARGUMENT_ALLOWED,
    b"QUIT now": reply.NO_ARGUMENT_ALLOWED,
    b"VRFY": reply.ARGUMENT_REQUIRED,
    b"NOOP\0": reply.BAD_CHARACTERS,
    b"NOOP\tx": reply.BAD_CHARACTERS,
    b"RSET\rQUIT": reply.BAD_CHARACTERS,
    b"NOOP \xff": reply.BAD_CHARACTERS,
    b"\xff": reply.BAD_CHARACTERS,
    "MAIL FROM:<jörg@example.org>".encode(): reply.NON_ASCII_SENDER,
    "MAIL FROM:<jörg@example.org> SMTPUTF8".encode("latin-1"): reply.BAD_REVERSE_PATH,
    "RCPT TO:<jörg@example.org>".encode("latin-1"): reply.BAD_FORWARD_PATH,
    "LHLO exämple.org".encode(): reply.BAD_CHARACTERS,
    "VRFY jörg".encode(): reply.ARGUMENT_REQUIRED,
    b"BDAT 1\0": reply.BAD_CHARACTERS,
    "BDAT ä".encode(): reply.BAD_CHARACTERS,
    b"BDAT\t1": reply.BAD_CHARACTERS,
    b"BDAT": reply.BAD_CHUNK_SIZE,
    b"BDAT -1": reply.BAD_CHUNK_SIZE,
    b"BDAT 1 FIRST": reply.BAD_CHUNK_SIZE,
    b"BDAT 111111111111111111111": reply.BAD_CHUNK_SIZE,
}


OFFERED = [extension for extension in EXTENSIONS if extension.keyword in STANDARD]


def parse(line, dialect=LMTP, leniency=Leniency.NONE, **limits):
    return CommandParser(dialect, Limits(**limits), leniency, OFFERED).parse(line)


def refusal(line, **settings):
    with pytest.raises(CommandError) as caught:
        parse(line, **settings)
    return caught.value.reply


class TestParser:
    """
    RFC 5321 §4.1.1, §2.4: verbs and labels in any case, one space, no more.
    """

    @pytest.mark.parametrize("line", UNDERSTOOD)
    def test_understands(self, line):
        assert UNDERSTOOD[line] == parse(line)

    @pytest.mark.parametrize("line", REFUSED)
    def test_refuses_with_the_reply_that_says_why(self, line):
        assert REFUSED[line] == refusal(line)

    @pytest.mark.guards("CH-5")
    @pytest.mark.parametrize("line", [b"BDAT", b"BDAT x", b"BDAT 1\0", b"bdat\t1", b"BDAT\xff"])
    def test_says_of_a_chunk_whose_size_it_can_not_read_that_the_session_is_over(self, line):
        assert ends_session(line)
        assert not ends_session(line, extensions=[])
        assert not ends_session(b"BDA" + line)

    @given(path=reverse_paths())
    def test_reads_every_reverse_path_as_it_is_written(self, path):
        assert Mail(path, MailParameters()) == parse(f"MAIL FROM:{path}".encode())

    @given(path=forward_paths())
    def test_reads_every_forward_path_as_it_is_written(self, path):
        assert Rcpt(path) == parse(f"RCPT TO:{path}".encode())

    @given(line=st.binary(max_size=200) | st.binary(max_size=80).map(lambda octets: b"MAIL FROM:<" + octets))
    def test_obeys_or_refuses_anything(self, line):
        with contextlib.suppress(CommandError):
            parse(line)


def ends_session(line, extensions=OFFERED):
    with pytest.raises(CommandError) as caught:
        CommandParser(LMTP, Limits(), Leniency.NONE, extensions).parse(line)
    return caught.value.ends_session


class TestInternationalized:
    """
    RFC 6531 §3.3: UTF-8 in the paths of MAIL and RCPT and in VRFY, where it is offered; what a path needs, MAIL says.
    """

    @given(path=international(reverse_paths()))
    def test_reverse_paths_are_read_as_they_are_written(self, path):
        line = f"MAIL FROM:{path} SMTPUTF8".encode()

        assert Mail(path, MailParameters(is_internationalized=True)) == parse(line)
        assert str(path).isascii() or reply.NON_ASCII_SENDER == refusal(line.removesuffix(b" SMTPUTF8"))

    @given(path=international(forward_paths()))
    def test_forward_paths_are_read_as_they_are_written(self, path):
        assert Rcpt(path) == parse(f"RCPT TO:{path}".encode())

    @pytest.mark.guards("U8-7")
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("MAIL FROM:<jörg@x> SMTPUTF8", reply.NON_ASCII_SENDER),
            ("RCPT TO:<jörg@x>", reply.NON_ASCII_RECIPIENT),
            ("VRFY jörg SMTPUTF8", reply.BAD_CHARACTERS),
            ("NOOP jörg", reply.BAD_CHARACTERS),
        ],
    )
    def test_commands_are_refused_where_they_are_not_offered(self, line, expected):
        with pytest.raises(CommandError) as caught:
            CommandParser(LMTP, Limits(), Leniency.NONE).parse(line.encode())

        assert expected == caught.value.reply

    def test_question_for_somebody_says_that_it_is_one(self):
        assert Vrfy() == parse("VRFY jörg SMTPUTF8".encode())
        assert Vrfy() == parse("VRFY jörg smtputf8".encode())


class TestDialect:
    """
    RFC 2033 §4.1: each protocol has a greeting of its own and refuses the other's with 500.
    """

    def test_smtp_greets_with_ehlo(self):
        assert Greet("mx.example") == parse(b"EHLO mx.example", SMTP)

    def test_smtp_refuses_lhlo_and_names_its_own_verb(self):
        assert reply.wrong_protocol("ESMTP", "EHLO") == refusal(b"LHLO mx.example", dialect=SMTP)


class TestLimits:
    """
    RFC 5321 §4.5.3.1.3: a longest path, its brackets counted.
    """

    def test_longest_path_is_read(self):
        line = b"RCPT TO:<" + b"a" * (256 - 4) + b"@b>"

        assert isinstance(parse(line, path_bytes=256), Rcpt)

    @pytest.mark.parametrize("verb", [b"MAIL FROM", b"RCPT TO"])
    def test_longer_path_is_refused(self, verb):
        line = verb + b":<" + b"a" * (256 - 3) + b"@b>"

        assert reply.PATH_TOO_LONG == refusal(line, path_bytes=256)


class TestLeniency:
    def test_domain_may_be_missing_when_that_is_asked_for(self):
        assert Rcpt(ForwardPath(Mailbox("ann", ""))) == parse(b"RCPT TO:<ann>", leniency=Leniency.DOMAIN_OPTIONAL)

    @pytest.mark.parametrize(
        ("line", "leniency", "expected"),
        [
            (b"RCPT TO:  <ann@example.org>", Leniency.SPACE_BEFORE_PATH, Rcpt(ANN)),
            (b"MAIL FROM: <> SIZE=1", Leniency.SPACE_BEFORE_PATH, Mail(ReversePath(), MailParameters(size_bytes=1))),
            (b"RCPT TO:ann@example.org", Leniency.PATH_WITHOUT_BRACKETS, Rcpt(ANN)),
            (b'RCPT TO:"ann"@example.org', Leniency.PATH_WITHOUT_BRACKETS, Rcpt(ANN)),
            (b"RCPT TO:<ann@example.org>", Leniency.PATH_WITHOUT_BRACKETS, Rcpt(ANN)),
            (b"LHLO mail_1.example", Leniency.UNDERSCORE_IN_NAME, Greet("mail_1.example")),
            (b"LHLO a__b", Leniency.UNDERSCORE_IN_NAME, Greet("a__b")),
            (b"LHLO a_" + b"b." * 126 + b"c", Leniency.UNDERSCORE_IN_NAME, Greet("a_" + "b." * 126 + "c")),
        ],
    )
    def test_quirk_is_let_pass_when_that_is_asked_for_and_not_otherwise(self, line, leniency, expected):
        assert expected == parse(line, leniency=leniency)
        assert (leniency is Leniency.PATH_WITHOUT_BRACKETS and b"<" in line) or refusal(line, leniency=~leniency)

    @pytest.mark.parametrize(
        "line",
        [b"RCPT TO:", b"RCPT TO: ", b"RCPT TO:<ann@example.org", b"RCPT TO:ann@example.org>", b'RCPT TO:"ann@example',
         b"RCPT TO:ann@example.org SIZE", b"RCPT TO: \xff@x", b"MAIL FROM:", b"MAIL FROM:ann", b"LHLO _a", b"LHLO a_",
         b"LHLO a._b", b"LHLO _", b"LHLO a b"],
    )  # fmt: skip
    def test_of_every_kind_lets_nothing_else_pass(self, line):
        everything = ~Leniency.NONE & ~Leniency.DOMAIN_OPTIONAL

        assert refusal(line, leniency=everything).code in (501, 555)

    def test_reverse_path_needs_its_domain_all_the_same(self):
        assert reply.BAD_REVERSE_PATH == refusal(b"MAIL FROM:<ann>", leniency=Leniency.DOMAIN_OPTIONAL)
