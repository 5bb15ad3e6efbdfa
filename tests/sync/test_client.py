# SPDX-License-Identifier: Apache-2.0
"""
The blocking client over sockets: messages in, one result for each recipient out, whatever the server does.
"""

import contextlib
import email.message
import io
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

import lmtp
from lmtp.aio.client_feeding import IN_ONE_PIECE
from lmtp.protocol.extensions import STANDARD
from lmtp.sync import connect
from tests.sync.conftest import FAST, MESSAGE, envelope, outcomes

BIG = b"x" * 998 + b"\r\n"
MANY = 3 * IN_ONE_PIECE // len(BIG)


def without(extensions):
    admittance = lmtp.Admittance(extensions=extensions)
    return lmtp.ServerSettings(server_name="store.example", admittance=admittance)


WITHOUT = {
    "CHUNKING": without(STANDARD - {"CHUNKING"}),
    "8BITMIME": without(STANDARD - {"8BITMIME", "SMTPUTF8"}),
}


class TestResults:
    def test_are_one_for_each_recipient_in_the_order_of_the_envelope(self, collect):
        server = collect()
        server.fail("full@*", "452 4.2.2 Full")
        server.fail("never@*", "550 5.7.1 Never")
        server.refuse("nobody@*", "550 5.1.1 Unknown")
        with connect(server.endpoint) as client:
            results = client.send(envelope("bob", "full", "nobody", "never", "bob"), MESSAGE)

        assert [
            ("Delivered", "2.0.0"),
            ("Deferred", "4.2.2"),
            ("Failed", "5.1.1"),
            ("Failed", "5.7.1"),
            ("Delivered", "2.0.0"),
        ] == outcomes(results)
        assert [MESSAGE] == [message.content for message in server.messages]

    def test_come_as_each_is_known(self, script):
        server = script("content 2: 452 4.2.2 full after 0.05 s")
        with connect(server.endpoint) as client:
            stream = client.stream(envelope("bob", "carl"), MESSAGE)

            assert (0, "2.0.0") == ((told := next(stream))[0], told[1].outcome.status)
            assert (1, "4.2.2") == ((told := next(stream))[0], told[1].outcome.status)
            assert [] == list(stream)

    def test_of_a_refused_recipient_comes_before_the_content_is_sent(self, script):
        server = script("rcpt 1: 550 5.1.1 no, data: 354 go on after 0.05 s")
        with connect(server.endpoint) as client:
            stream = client.stream(envelope("nobody", "bob"), MESSAGE)

            assert 0 == next(stream)[0]
            assert [] == server.contents
            assert [1] == [index for index, _ in stream]
            assert 1 == len(server.contents)

    def test_of_a_thousand_recipients_do_not_make_both_wait_for_each_other(self, collect):
        server = collect()
        with connect(server.endpoint) as client:
            results = client.send(envelope(*["bob"] * 2500), MESSAGE)

        assert [("Delivered", "2.0.0")] * 2500 == outcomes(results)
        assert [1000, 1000, 500] == [len(message.recipients) for message in server.messages]

    def test_of_those_who_found_no_room_are_those_of_a_further_transaction(self, script):
        server = script("transaction 1 rcpt 2: 452 4.5.3 too many")
        with connect(server.endpoint) as client:
            results = client.send(envelope("bob", "carl"), MESSAGE)

        assert [("Delivered", "2.0.0")] * 2 == outcomes(results)
        assert 2 == len(server.contents)

    def test_of_those_who_found_no_room_stand_when_the_content_is_gone(self, script):
        server = script("transaction 1 rcpt 2: 452 4.5.3 too many")
        with connect(server.endpoint) as client:
            results = client.send(envelope("bob", "carl"), iter([MESSAGE]))

        assert [("Delivered", "2.0.0"), ("Deferred", "4.5.3")] == outcomes(results)

    def test_are_known_at_once_when_the_server_cannot_take_the_message(self, collect):
        server = collect(settings=WITHOUT["8BITMIME"])
        with connect(server.endpoint) as client:
            results = client.send(envelope("bob"), "Grüße\r\n".encode())

        assert [("Failed", "5.6.3")] == outcomes(results)


class TestContent:
    @pytest.mark.parametrize("settings", [None, WITHOUT["CHUNKING"]], ids=["BDAT", "DATA"])
    @pytest.mark.parametrize("kind", ["octets", "file", "path", "pieces", "nothing"])
    def test_arrives_as_it_was(self, collect, tmp_path, settings, kind):
        octets = b"" if kind == "nothing" else BIG * MANY
        path = tmp_path / "message"
        path.write_bytes(octets)
        server = collect(settings=settings)
        with connect(server.endpoint) as client, path.open("rb") as file:
            content = {"octets": octets, "file": file, "path": path, "pieces": iter([octets])}.get(kind, octets)
            results = client.send(envelope("bob"), content)

        assert [("Delivered", "2.0.0")] == outcomes(results)
        assert [octets] == [message.content for message in server.messages]

    def test_may_be_a_message_object(self, collect):
        message = email.message.EmailMessage()
        message["Subject"] = "hello"
        message["Bcc"] = "eve@example.org"
        message.set_content("Hello.\n")
        server = collect()
        with connect(server.endpoint) as client:
            client.send(envelope("bob"), message)

        assert ["Subject"] == [name for name in server.messages[0].email if name in ("Subject", "Bcc")]

    def test_must_not_have_to_be_waited_for(self, collect):
        async def pieces():
            yield b""

        with connect(collect().endpoint) as client, pytest.raises(TypeError, match="asynchronous"):
            client.send(envelope("bob"), pieces())

    def test_that_cannot_be_read_to_its_end_delivers_nothing(self, collect):
        def pieces():
            yield b"half "
            raise OSError("the disk is gone")

        server = collect()
        with connect(server.endpoint) as client:
            with pytest.raises(OSError, match="the disk is gone"):
                client.send(envelope("bob"), pieces())

            assert not client.is_usable
            assert client.why_lost.endswith("the content can't be read: the disk is gone")
        assert [] == server.messages

    def test_with_octets_above_127_that_nobody_foresaw_fails_where_they_cannot_go(self, collect):
        server = collect(settings=WITHOUT["8BITMIME"])
        with connect(server.endpoint) as client:
            results = client.send(envelope("bob"), iter([b"plain\r\n" * 50_000, b"\xff"]))

        assert [("Failed", "5.6.3")] == outcomes(results)
        assert [] == server.messages

    def test_is_sent_no_further_when_the_server_has_refused_a_chunk(self, script):
        server = script("offer: PIPELINING, ENHANCEDSTATUSCODES, CHUNKING, bdat 1: 552 5.3.4 too big")
        with connect(server.endpoint) as client:
            results = client.send(envelope("bob"), iter([BIG] * MANY))

        assert [("Failed", "5.3.4")] == outcomes(results)


class TestSession:
    def test_is_asked_in_the_words_of_the_other_front(self, script):
        server = script("offer: ENHANCEDSTATUSCODES, XFORWARD ADDR NAME\nvrfy: 252 2.1.5 who knows")
        with connect(server.endpoint) as client:
            assert "XFORWARD" in client.offered
            assert 250 == client.noop().code
            assert 252 == client.verify("bob").code
            assert client.forward({"ADDR": "192.0.2.1", "NAME": None})
            assert not client.forward({"PORT": "25"})
            assert client.is_usable
            assert "" == client.why_lost
            assert server.endpoint == str(client.endpoint)

    def test_takes_the_replies_to_several_commands_that_were_sent_together(self, script):
        attributes = {"NAME": "n" * 255, "HELO": "h" * 255}
        server = script("offer: PIPELINING, XFORWARD NAME HELO")
        with connect(server.endpoint) as client:
            assert client.forward(attributes)
            assert 250 == client.noop().code

    def test_ends_with_quit(self, script):
        server = script()
        with connect(server.endpoint):
            pass

        assert b"QUIT" == server.commands[-1]

    @pytest.mark.parametrize("answer", ["close", "stall", "garbage", "500 no"])
    def test_ends_whatever_is_answered_to_quit(self, script, answer):
        server = script(f"quit: {answer}")
        client = connect(server.endpoint, lmtp.ClientSettings(deadlines=FAST))
        client.close()
        client.close()

        assert not client.is_usable

    def test_that_was_cut_is_over(self, script):
        client = connect(script().endpoint)
        client.abort()

        assert "the client was stopped" == client.why_lost
        assert [("Deferred", "4.4.2")] == outcomes(client.send(envelope("bob"), MESSAGE))
        with pytest.raises(lmtp.SessionError, match="the client was stopped"):
            client.noop()

    def test_is_over_when_the_server_has_gone_meanwhile(self, script):
        server = script("noop: 250 2.0.0 ok; close")
        client = connect(server.endpoint)
        client.noop()
        while client.is_usable:
            pass

        assert "the connection was closed" == client.why_lost
        assert [("Deferred", "4.4.2")] == outcomes(client.send(envelope("bob"), MESSAGE))

    def test_is_over_when_the_server_speaks_unasked(self, script):
        server = script('noop: 250 2.0.0 ok; "250 2.0.0 surplus\\r\\n"')
        client = connect(server.endpoint)
        with contextlib.suppress(lmtp.SessionError):  # when it came in the same segment
            client.noop()
        while client.is_usable:
            pass

        assert [("Deferred", "4.4.2")] == outcomes(client.send(envelope("bob"), MESSAGE))
        assert not [command for command in server.commands if command.startswith(b"MAIL")]

    def test_writes_down_what_is_said(self, script):
        said = []

        class Transcript:
            def client(self, octets):
                said.append(b"C: " + octets)

            def server(self, octets):
                said.append(b"S: " + octets)

        with connect(script().endpoint, lmtp.ClientSettings(client_name="mx.example", transcript=Transcript)):
            pass

        assert b"C: LHLO mx.example\r\n" == said[1]
        assert [b"S", b"C", b"S", b"C", b"S"] == [line[:1] for line in said]


class TestStreamThatIsLeft:
    def test_before_the_content_was_sent_ends_the_session(self, script):
        server = script("rcpt 1: 550 5.1.1 no")
        client = connect(server.endpoint)
        stream = client.stream(envelope("nobody", "bob"), MESSAGE)
        next(stream)
        stream.close()

        assert "the message was withdrawn" in client.why_lost

    def test_while_replies_are_owed_costs_nobody_a_result(self, script):
        server = script("transaction 1 content 2: 452 4.2.2 full, transaction 2 content: 550 5.0.0 second")
        with connect(server.endpoint) as client:
            stream = client.stream(envelope("bob", "carl"), MESSAGE)
            next(stream)
            stream.close()
            results = client.send(envelope("dave"), MESSAGE)

        assert [("Failed", "5.0.0")] == outcomes(results)

    def test_may_be_gone_on_with_after_another_message(self, script):
        server = script("transaction 1 content 2: 452 4.2.2 full after 0.02 s, transaction 2 content: 550 5.0.0 second")
        with connect(server.endpoint) as client:
            stream = client.stream(envelope("bob", "carl"), MESSAGE)
            first = next(stream)
            second = client.send(envelope("dave"), MESSAGE)
            third = next(stream)

        assert [("Delivered", "2.0.0"), ("Failed", "5.0.0"), ("Deferred", "4.2.2")] == outcomes(
            [first[1], *second, third[1]]
        )

    def test_keeps_others_from_speaking_in_the_middle_of_it(self, script):
        with connect(script("rcpt 1: 550 5.1.1 no, data: 354 go on after 0.05 s").endpoint) as client:
            stream = client.stream(envelope("nobody", "bob"), MESSAGE)
            next(stream)

            with pytest.raises(lmtp.LocalProtocolError, match="a message is under way"):
                client.send(envelope("dave"), MESSAGE)
            with pytest.raises(lmtp.LocalProtocolError, match="a message is under way"):
                client.noop()
        assert [("Deferred", "4.4.2")] == outcomes(result for _, result in stream)


POINTS = ["mail", "rcpt 1", "rcpt 2", "data", "content 1", "content 2"]
DEEDS = ["close", "reset", "stall", "garbage"]
EXTENSIONS = {"in lockstep": "offer: ENHANCEDSTATUSCODES", "pipelined": "offer: PIPELINING, ENHANCEDSTATUSCODES"}


class TestServerThatMisbehaves:
    """
    RFC 2033 §5: those who have a reply keep it, all others are tried again, and nobody gets another's reply.
    """

    @pytest.mark.parametrize("offer", EXTENSIONS.values(), ids=EXTENSIONS)
    @pytest.mark.parametrize("deed", DEEDS)
    @pytest.mark.parametrize("point", POINTS)
    def test_at_any_point_leaves_true_results(self, script, point, deed, offer):
        server = script(f"{offer}\n{point}: {deed}")
        client = connect(server.endpoint, lmtp.ClientSettings(deadlines=FAST))
        results = client.send(envelope("bob", "carl"), MESSAGE)
        client.close()

        assert [point == "content 2", False] == [result.is_delivered for result in results]
        assert [point != "content 2", True] == [result.is_deferred for result in results]
        assert client.why_lost

    @pytest.mark.parametrize("point", POINTS)
    def test_by_ending_the_session_defers_those_it_has_not_answered(self, script, point):
        server = script(f"{point}: 421 4.3.2 going")
        client = connect(server.endpoint)
        results = client.send(envelope("bob", "carl"), MESSAGE)
        client.close()

        assert [point == "content 2", point == "content 1"] == [result.is_delivered for result in results]
        assert "421 4.3.2 going" in client.why_lost

    def test_by_saying_that_it_ends_and_then_nothing_is_not_waited_for(self, script):
        server = script("content 1: 421 4.3.2 going, content 2: stall")
        deadlines = lmtp.ClientDeadlines(after_421_seconds=0.02)
        client = connect(server.endpoint, lmtp.ClientSettings(deadlines=deadlines))

        assert [("Deferred", "4.3.2"), ("Deferred", "4.4.2")] == outcomes(client.send(envelope("bob", "carl"), MESSAGE))

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_by_the_number_of_its_replies_is_not_used_again(self, script, count):
        server = script(f"content: {count} replies")
        client = connect(server.endpoint, lmtp.ClientSettings(deadlines=FAST))
        results = client.send(envelope("bob", "carl"), MESSAGE)
        while client.is_usable:  # a surplus reply is seen when it comes
            pass

        assert min(count, 2) == sum(result.is_delivered for result in results)
        assert client.why_lost

    def test_by_going_in_the_midst_of_a_content_delivers_nothing(self, script):
        server = script("during content at 100000: close")
        client = connect(server.endpoint)

        assert [("Deferred", "4.4.2")] == outcomes(client.send(envelope("bob"), iter([BIG] * MANY)))

    def test_by_taking_nothing_any_more_delivers_nothing(self, script):
        server = script("during content: stall")
        client = connect(server.endpoint, lmtp.ClientSettings(deadlines=FAST))

        assert [("Deferred", "4.4.2")] == outcomes(client.send(envelope("bob"), iter([BIG] * 20 * MANY)))
        assert "the server takes nothing more" in client.why_lost

    def test_by_answering_and_going_before_all_was_said_is_heard(self, script):
        server = script("rcpt 1: 550 5.1.1 no, rcpt 2: 550 5.1.1 no; close")
        client = connect(server.endpoint)

        results = client.send(envelope(*["bob"] * 6000), io.BytesIO(MESSAGE))

        assert ["5.1.1", "5.1.1"] == [result.outcome.status for result in results[:2]]
        assert 5998 == sum(result.is_deferred for result in results)


class CutShort:
    """
    A server that does all right, and goes when it has said so many octets.
    """

    OPENING = (b"220 store.example LMTP\r\n", b"250-store.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n")
    REPLIES = (b"250 2.0.0 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n354 go on\r\n", b"250 2.0.0 bob\r\n452 4.2.2 carl\r\n")
    HEARD = (b"", b"LHLO client.example\r\n", b"DATA\r\n", b"\r\n.\r\n")
    SAID = OPENING + REPLIES

    def __init__(self, connection, cut):
        self.connection = connection
        self.octets_left = cut

    def talk(self):
        for heard, said in zip(self.HEARD, self.SAID, strict=True):
            self.hear(heard)
            self.connection.sendall(said[: self.octets_left])
            self.octets_left -= len(said)
            if self.octets_left <= 0:
                return

    def hear(self, end):
        octets = b""
        while not octets.endswith(end):
            octets += self.connection.recv(65536)


class TestConnectionThatIsCut:
    """
    Wherever it is cut, whoever has a whole reply has that one, and everybody else is tried again.
    """

    @pytest.mark.slow
    def test_behind_any_octet_leaves_true_results(self, tmp_path):
        opened = sum(map(len, CutShort.OPENING))
        length = sum(map(len, CutShort.SAID))
        second = length - len(b"452 4.2.2 carl\r\n")
        with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as threads:
            listener.bind(f"{tmp_path}/socket")
            listener.listen()
            for cut in range(1, length + 1):
                talk = threads.submit(self.talk_once, listener, cut)
                status = self.statuses(f"unix:{tmp_path}/socket")
                talk.result()

                # A reply is whole with its LF.
                first = "2.0.0" if cut >= second else "4.4.2"
                last = "4.2.2" if cut == length else "4.4.2"
                assert ([first, last] if cut >= opened else []) == status

    @staticmethod
    def talk_once(listener, cut):
        connection, _ = listener.accept()
        with connection:
            CutShort(connection, cut).talk()

    @staticmethod
    def statuses(endpoint):
        try:
            with connect(endpoint, lmtp.ClientSettings(client_name="client.example")) as client:
                return [result.outcome.status for result in client.send(envelope("bob", "carl"), MESSAGE)]
        except lmtp.SessionError:
            return []
