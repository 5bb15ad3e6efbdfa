# SPDX-License-Identifier: Apache-2.0
"""
The class that takes the place of `smtplib.LMTP`: what worked with that goes on to work, and what it says is true.
"""

import email.message
import select
import smtplib
import socket

import pytest

from lmtp.compat import smtplib as ours
from lmtp.compat.smtplib import LMTP
from lmtp.protocol.sasl import Authenticated
from tests.sync.conftest import trusting

SENDER = "ann@example.org"
MESSAGE = "Subject: hello\n\n.dot\n"
ON_THE_WIRE = b"Subject: hello\r\n\r\n.dot\r\n"


def connected(server, **arguments):
    host, _, port = server.endpoint.rpartition(":")
    return LMTP(host, int(port), local_hostname="client.example", **arguments)


def codes(client):
    return [(answer.address.partition("@")[0], answer.code) for answer in client.results]


class Anybody:
    """
    An authenticator that believes whoever says a name.
    """

    def mechanisms(self, _channel):
        return ("PLAIN",)

    def begin(self, _mechanism, _channel):
        return self

    def step(self, _response):
        return Authenticated("ann")


class TestModule:
    def test_has_the_exceptions_of_smtplib(self):
        names = set(ours.__all__) - {"LMTP", "Answer"}

        assert 11 == len(names)
        assert all(getattr(ours, name) is getattr(smtplib, name) for name in names)


class TestSendmail:
    def test_returns_nobody_when_all_got_it(self, collect):
        server = collect()
        with connected(server) as client:
            assert {} == client.sendmail(SENDER, ["bob@example.org", "Carl <carl@example.org>"], MESSAGE)

        assert [ON_THE_WIRE] == [message.content for message in server.messages]
        assert ["bob@example.org", "carl@example.org"] == server.messages[0].recipients

    def test_returns_everybody_who_was_refused_before_and_after_the_content(self, collect):
        server = collect()
        server.refuse("nobody@*", "550 5.1.1 Unknown")
        server.fail("full@*", "452 4.2.2 Full")
        with connected(server) as client:
            refused = client.sendmail(SENDER, ["bob@x", "nobody@x", "full@x"], MESSAGE)

        assert {"nobody@x": (550, b"5.1.1 <nobody@x> Unknown"), "full@x": (452, b"4.2.2 <full@x> Full")} == refused
        assert [("bob", 250), ("nobody", 550), ("full", 452)] == codes(client)

    def test_is_in_step_for_the_next_message(self, collect):
        server = collect()
        server.fail("full@*", "452 4.2.2 Full")
        with connected(server) as client:
            assert {"full@x"} == client.sendmail(SENDER, ["bob@x", "full@x"], MESSAGE).keys()
            assert {} == client.sendmail(SENDER, "bob@x", MESSAGE)
            assert {"full@x"} == client.sendmail(SENDER, ["full@x", "bob@x"], MESSAGE).keys()

        assert 3 == len(server.messages)

    @pytest.mark.parametrize(
        ("first", "second", "worse"),
        [
            ("250 2.0.0 ok", "452 4.2.2 f", 452),
            ("550 5.0.0 n", "452 4.2.2 f", 550),
            ("451 4.0.0 l", "550 5.0.0 n", 550),
        ],
    )
    def test_returns_the_worse_of_two_replies_for_one_address(self, script, first, second, worse):
        server = script(f"content 1: {first}, content 2: {second}, content 3: 250 2.0.0 ok")
        with connected(server) as client:
            refused = client.sendmail(SENDER, ["bob@x", "bob@x", "carl@x"], MESSAGE)

        assert {"bob@x": worse} == {address: code for address, (code, _) in refused.items()}
        assert [int(first[:3]), int(second[:3]), 250] == [answer.code for answer in client.results]

    def test_returns_what_is_no_address_without_asking_for_it(self, collect):
        server = collect()
        with connected(server) as client:
            assert {"x@@y": (501, b"5.1.3 no path")} == client.sendmail(SENDER, ["x@@y", "bob@x"], MESSAGE)

    def test_returns_those_whose_replies_never_came(self, script):
        server = script("content 2: close")
        client = connected(server)
        refused = client.sendmail(SENDER, ["bob@x", "carl@x"], MESSAGE)

        assert {"carl@x": (451, b"4.4.2 1 of 2 replies came, then the connection was closed")} == refused
        assert client.sock is None

    def test_keeps_lines_of_a_reply_apart(self, script):
        server = script("content 2: 452 4.2.2 full / 4.2.2 really")
        with connected(server) as client:
            refused = client.sendmail(SENDER, ["bob@x", "carl@x"], MESSAGE)

        assert {"carl@x": (452, b"4.2.2 full\n4.2.2 really")} == refused

    def test_sends_octets_with_the_line_ends_of_mail(self, collect):
        server = collect()
        with connected(server) as client:
            client.sendmail(SENDER, "bob@x", bytearray(b"a\nb\rc\r\n\xff"))

        assert b"a\r\nb\r\nc\r\n\xff\r\n" == server.messages[0].content

    def test_passes_options_on(self, script):
        server = script("offer: DSN, SMTPUTF8, 8BITMIME")
        with connected(server) as client:
            client.sendmail(SENDER, "bob@x", MESSAGE, ["BODY=8BITMIME", "smtputf8", "RET=HDRS"], ["NOTIFY=NEVER"])

        assert [b"MAIL FROM:<ann@example.org> SMTPUTF8 BODY=8BITMIME RET=HDRS", b"RCPT TO:<bob@x> NOTIFY=NEVER"] == (
            server.commands[1:3]
        )

    def test_of_text_that_is_not_ascii_is_a_mistake(self, collect):
        with connected(collect()) as client, pytest.raises(UnicodeEncodeError):
            client.sendmail(SENDER, "bob@x", "Grüße")

    def test_gives_each_reply_the_time_of_the_socket(self, script):
        server = script("content: stall")
        client = connected(server, timeout=0.05)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="0 of 1 replies came, then waited too long"):
            client.sendmail(SENDER, "bob@x", MESSAGE)

        assert client.sock is None


class TestMessageThatFailsAsAWhole:
    """
    smtplib's exceptions; the session is in step afterwards, unless it is over.
    """

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ("mail: 550 5.7.1 no", smtplib.SMTPSenderRefused(550, b"5.7.1 no", SENDER)),
            ("rcpt: 550 5.1.1 no", smtplib.SMTPRecipientsRefused({"bob@x": (550, b"5.1.1 no")})),
            ("data: 451 4.3.0 no", smtplib.SMTPDataError(451, b"4.3.0 no")),
            ("content: 552 5.2.2 no", smtplib.SMTPRecipientsRefused({"bob@x": (552, b"5.2.2 no")})),
        ],
    )
    def test_raises_what_smtplib_does(self, script, said, error):
        server = script(f"transaction 1 {said}")
        with connected(server) as client:
            with pytest.raises(type(error)) as caught:
                client.sendmail(SENDER, ["bob@x"], MESSAGE)
            assert {} == client.sendmail(SENDER, ["bob@x"], MESSAGE)

        assert error.args == caught.value.args

    def test_is_answered_to_its_last_command_before_the_next(self, script):
        server = script("transaction 1 mail: 550 5.7.1 no, transaction 1 rcpt: 503 5.5.1 no after 0.02 s")
        with connected(server) as client:
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.sendmail(SENDER, ["bob@x"], MESSAGE)
            assert 250 == client.noop()[0]

    @pytest.mark.parametrize("point", ["mail", "rcpt", "data", "content"])
    def test_closes_the_session_when_the_server_does(self, script, point):
        client = connected(script(f"{point}: 421 4.3.2 going"))
        with pytest.raises(smtplib.SMTPException):
            client.sendmail(SENDER, ["bob@x"], MESSAGE)

        assert client.sock is None
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail(SENDER, ["bob@x"], MESSAGE)

    def test_tells_of_the_content_that_was_not_wanted_though_some_were_refused_before(self, script):
        server = script("rcpt 1: 550 5.1.1 no, data: 451 4.3.0 later")
        with connected(server) as client:
            with pytest.raises(smtplib.SMTPDataError):
                client.sendmail(SENDER, ["nobody@x", "bob@x"], MESSAGE)
            assert [("nobody", 550), ("bob", 451)] == codes(client)

    def test_says_that_the_server_has_gone_when_nobody_got_it(self, script):
        client = connected(script("content: close"))
        with pytest.raises(smtplib.SMTPServerDisconnected, match="0 of 2 replies came"):
            client.sendmail(SENDER, ["bob@x", "carl@x"], MESSAGE)
        assert [("bob", 451), ("carl", 451)] == codes(client)

    def test_is_too_big_before_it_is_sent(self, script):
        with (
            connected(script("offer: SIZE 10, ENHANCEDSTATUSCODES")) as client,
            pytest.raises(smtplib.SMTPSenderRefused) as caught,
        ):
            client.sendmail(SENDER, ["bob@x"], MESSAGE)
        assert 552 == caught.value.smtp_code

    def test_cannot_go_where_octets_above_127_cannot(self, script):
        with connected(script("offer: SIZE")) as client, pytest.raises(smtplib.SMTPNotSupportedError, match="8BITMIME"):
            client.sendmail(SENDER, ["bob@x"], b"\xff")

    def test_cannot_go_with_options_nobody_knows(self, collect):
        with connected(collect()) as client, pytest.raises(smtplib.SMTPNotSupportedError, match="XYZ=1: Param"):
            client.sendmail(SENDER, ["bob@x"], MESSAGE, ["XYZ=1"])

    def test_has_no_sender_that_is_no_address(self, collect):
        with connected(collect()) as client, pytest.raises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail("x@@y", ["bob@x"], MESSAGE)
        assert (501, "x@@y") == (caught.value.smtp_code, caught.value.sender)

    @pytest.mark.parametrize("recipients", [[], ["x@@y"]])
    def test_has_nobody_to_go_to(self, collect, recipients):
        with connected(collect()) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            client.sendmail(SENDER, recipients, MESSAGE)
        assert recipients == list(caught.value.recipients)

    def test_is_interrupted_and_leaves_no_session_out_of_step(self, script, monkeypatch):
        client = connected(script())
        client.lhlo()
        monkeypatch.setattr("lmtp.sync.link.Link.work", interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.sendmail(SENDER, ["bob@x"], MESSAGE)
        assert client.sock is None


def interrupt(_link):
    raise KeyboardInterrupt


class TestSendMessage:
    def test_takes_addresses_from_the_header_and_leaves_bcc_off(self, collect):
        message = email.message.EmailMessage()
        message["From"] = SENDER
        message["To"] = "bob@x.example"
        message["Bcc"] = "carl@x.example"
        message.set_content("Hello.\n")
        server = collect()
        server.fail("carl@*", "452 4.2.2 Full")
        with connected(server) as client:
            assert {"carl@x.example"} == client.send_message(message).keys()

        assert b"Bcc" not in server.messages[0].content

    def test_goes_to_addresses_that_are_not_ascii(self, collect):
        message = email.message.EmailMessage()
        message["From"] = SENDER
        message["To"] = "grüße@x.example"
        message.set_content("Hello.\n")
        server = collect()
        with connected(server) as client:
            assert {} == client.send_message(message)

        assert ["grüße@x.example"] == server.messages[0].recipients


class TestSingleCommands:
    def test_data_reads_one_reply_for_each_accepted_recipient(self, collect):
        server = collect()
        server.refuse("nobody@*", "550 5.1.1 Unknown")
        server.fail("full@*", "452 4.2.2 Full")
        with connected(server) as client:
            assert 250 == client.lhlo()[0]
            assert [250, 250, 550, 250] == [
                client.mail(SENDER)[0],
                *(client.rcpt(f"{name}@x")[0] for name in ("full", "nobody", "bob")),
            ]
            assert (452, b"4.2.2 <full@x> Full") == client.data(MESSAGE)
            assert [("full", 452), ("bob", 250)] == codes(client)
            assert (250, b"2.0.0 Ok") == client.noop()

        assert [ON_THE_WIRE] == [message.content for message in server.messages]

    def test_data_counts_the_recipients_of_its_own_transaction_alone(self, collect):
        with connected(collect()) as client:
            client.lhlo()
            client.mail(SENDER)
            client.rcpt("bob@x")
            client.rset()
            client.docmd("MAIL FROM:<>")
            client.docmd("rcpt", "TO:<carl@x>")
            assert 250 == client.data(b"a\nb")[0]
            assert [("carl", 250)] == codes(client)

    def test_data_without_recipients_is_refused(self, collect):
        with connected(collect()) as client:
            client.lhlo()
            client.mail(SENDER)
            with pytest.raises(smtplib.SMTPDataError):
                client.data(MESSAGE)

    def test_data_that_is_wanted_for_nobody_ends_the_session(self, script):
        client = connected(script("data: 354 go on"))
        client.lhlo()
        client.mail(SENDER)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="for no recipients"):
            client.data(MESSAGE)
        assert client.sock is None

    def test_data_knows_of_those_whose_replies_never_came(self, script):
        client = connected(script("content 2: close"))
        client.lhlo()
        client.mail(SENDER)
        client.rcpt("bob@x")
        client.rcpt("carl@x")

        assert 451 == client.data(MESSAGE)[0]
        assert [("bob", 250), ("carl", 451)] == codes(client)

    def test_data_without_any_reply_is_the_end(self, script):
        client = connected(script("content: close"))
        client.lhlo()
        client.mail(SENDER)
        client.rcpt("bob@x")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.data(MESSAGE)

    def test_may_be_sent_before_the_replies_are_read(self, collect):
        with connected(collect()) as client:
            client.lhlo()
            client.putcmd("MAIL", "FROM:<>")
            client.putcmd("RCPT", "TO:<bob@x>")
            assert [250, 250] == [client.getreply()[0], client.getreply()[0]]
            assert 250 == client.data(MESSAGE)[0]

    def test_are_those_of_smtplib(self, collect):
        with connected(collect()) as client:
            assert client.sock is not None
            client.ehlo_or_helo_if_needed()
            client.ehlo_or_helo_if_needed()
            assert client.does_esmtp
            assert client.has_extn("pipelining")
            assert "52428800" == client.esmtp_features["size"]
            assert 252 == client.verify("bob")[0]
            assert 502 == client.expn("bob")[0]
            assert client.help().startswith(b"2.0.0 Commands: ")
            assert isinstance(client, smtplib.LMTP)

    def test_have_no_helo(self, collect):
        with connected(collect()) as client, pytest.raises(smtplib.SMTPNotSupportedError, match="lhlo"):
            client.helo()

    def test_log_in(self, collect):
        with connected(collect(authenticator=Anybody())) as client:
            assert 235 == client.login("ann", "secret")[0]
            assert {} == client.sendmail(SENDER, "bob@x", MESSAGE)

    def test_encrypt(self, collect_under_tls):
        server = collect_under_tls("127.0.0.1:0")
        with connected(server) as client:
            client._host = "store.example"
            client.starttls(context=trusting())
            assert client.sock.version()
            assert {} == client.sendmail(SENDER, ["bob@x"] * 50, MESSAGE * 10_000)
            assert 250 == client.noop()[0]

    def test_print_what_is_said(self, collect, capsys):
        with connected(collect()) as client:
            client.set_debuglevel(1)
            client.sendmail(SENDER, "bob@x", MESSAGE)

        said = capsys.readouterr().err
        assert "send: b'MAIL FROM:<ann@example.org>" in said
        assert "reply: b'250 2.0.0 <bob@x> Delivered" in said
        assert "reply: b'250-localhost" in said


class TestServerThatIsOutOfStep:
    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ('noop: 250 2.0.0 ok; "250 2.0.0 surplus\\r\\n"', "the server spoke unasked: 250"),
            ("noop: 250 2.0.0 ok; 421 4.3.2 going; close", "the server spoke unasked: 421"),
            ("noop: 250 2.0.0 ok; close", "Connection unexpectedly closed"),
        ],
    )
    def test_is_not_spoken_to_any_more(self, script, said, why):
        client = connected(script(said))
        client.lhlo()
        client.noop()
        while not (client._parser.beginning or has_something(client.sock)):
            pass
        with pytest.raises(smtplib.SMTPServerDisconnected, match=why):
            client.noop()
        assert client.sock is None

    @pytest.mark.parametrize("said", ["noop: garbage", "noop: close", "noop: stall"])
    def test_is_not_waited_for(self, script, said):
        client = connected(script(said), timeout=0.05)
        client.lhlo()
        with pytest.raises(smtplib.SMTPServerDisconnected, match="Connection unexpectedly closed"):
            client.noop()
        assert client.sock is None

    def test_is_lost_when_the_network_is(self, script, monkeypatch):
        class Broken(socket.socket):
            def recv(self, _size):
                raise ConnectionResetError("reset")

        client = connected(script())
        broken = Broken(fileno=client.sock.detach())
        client.sock = broken
        with pytest.raises(smtplib.SMTPServerDisconnected, match="reset"):
            client.noop()


def has_something(connection):
    return bool(select.select([connection], [], [], 5)[0])


class TestConnecting:
    @pytest.mark.parametrize("prefix", ["", "unix:"])
    def test_to_a_path(self, collect, tmp_path, prefix):
        collect(f"unix:{tmp_path}/socket")
        with LMTP(f"{prefix}{tmp_path}/socket") as client:
            assert {} == client.sendmail(SENDER, "bob@x", MESSAGE)

    def test_to_a_host_with_its_port(self, collect):
        with LMTP(timeout=5) as client:
            assert 220 == client.connect(collect().endpoint)[0]

    def test_to_the_port_of_smtp_is_refused(self):
        with pytest.raises(ValueError, match="port 25"):
            LMTP("localhost", 25)

    def test_goes_to_the_port_of_smtplibs_lmtp_where_none_is_named(self, monkeypatch):
        asked = []
        monkeypatch.setattr(socket, "create_connection", lambda address, *_: asked.append(address) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            LMTP().connect("localhost")

        assert [("localhost", 2003)] == asked

    def test_to_a_server_that_wants_nobody_raises(self, script):
        with pytest.raises(smtplib.SMTPConnectError):
            connected(script("greeting: 554 5.7.1 no"))

    def test_to_a_server_that_does_not_want_us_raises(self, script):
        with connected(script("lhlo: 550 5.7.1 no")) as client, pytest.raises(smtplib.SMTPHeloError):
            client.sendmail(SENDER, "bob@x", MESSAGE)

    def test_is_needed_before_anything_else(self):
        client = LMTP()
        client.close()
        for command in (client.noop, client.lhlo, lambda: client.sendmail(SENDER, "bob@x", MESSAGE)):
            with pytest.raises(smtplib.SMTPServerDisconnected, match="connect"):
                command()

    def test_may_be_done_again(self, collect):
        server = collect()
        client = connected(server)
        client.sendmail(SENDER, "bob@x", MESSAGE)
        client.quit()
        client.connect(server.host, server.port)
        assert {} == client.sendmail(SENDER, "bob@x", MESSAGE)
        client.quit()
