# SPDX-License-Identifier: Apache-2.0
"""
A client's session over sockets: messages in, one result for each recipient out, whatever the server does.
"""

import asyncio
import email.message
import io

import pytest

import lmtp
from lmtp.aio.client import IN_ONE_PIECE
from lmtp.aio.contents import PIECE_BYTES
from lmtp.protocol.extensions import STANDARD
from tests.aio.conftest import Inbox
from tests.aio.peers import PLAIN_LHLO, serving

MESSAGE = b"Subject: hello\r\n\r\n.dot\r\n"
WITHOUT_LIMITS = STANDARD - {"LIMITS"}
FAST = lmtp.ClientDeadlines(**dict.fromkeys(lmtp.ClientDeadlines.__slots__, 0.05))


def envelope(*local_parts, sender="ann@example.org", **parameters):
    return lmtp.OutgoingEnvelope.parse(
        sender,
        *(f"{local_part}@example.org" for local_part in local_parts),
        parameters=lmtp.MailParameters(**parameters),
    )


def outcomes(results):
    return [(type(result.outcome).__name__, result.outcome.status) for result in results]


class Choosy(Inbox):
    """
    A handler that knows no ``nobody``.
    """

    def verify(self, recipient, _transaction):
        is_known = recipient.forward_path.mailbox.local_part != "nobody"
        return lmtp.Accepted() if is_known else lmtp.Failed("5.1.1")


class TestResults:
    async def test_are_one_for_each_recipient_in_the_order_of_the_envelope(self, start):
        inbox = Choosy(full=lmtp.Deferred("4.2.2"), never=lmtp.Failed("5.7.1"))
        async with start(inbox) as server, lmtp.connect(server.endpoints[0]) as client:
            results = await client.send(envelope("bob", "full", "nobody", "never", "bob"), MESSAGE)

        assert [
            ("Delivered", "2.0.0"),
            ("Deferred", "4.2.2"),
            ("Failed", "5.1.1"),
            ("Failed", "5.7.1"),
            ("Delivered", "2.0.0"),
        ] == outcomes(results)
        assert [MESSAGE] == inbox.contents

    async def test_come_as_each_is_known(self, tmp_path):
        may_go_on = asyncio.Event()

        async def talk(peer):
            await peer.greet()
            await peer.take("250 2.1.5 ok", "250 2.1.5 ok", content=["250 2.0.0 stored"])
            await may_go_on.wait()
            peer.say("452 4.2.2 full")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            stream = client.stream(envelope("bob", "carl"), MESSAGE)
            first = await anext(stream)
            may_go_on.set()
            second = await anext(stream)
            rest = [told async for told in stream]

        assert (0, "2.0.0") == (first[0], first[1].outcome.status)
        assert (1, "4.2.2") == (second[0], second[1].outcome.status)
        assert [] == rest

    async def test_that_came_stand_when_the_connection_is_lost(self, tmp_path):
        """
        RFC 2033 §5: who was told 250 must not get the message again; the others must.
        """

        async def talk(peer):
            await peer.greet()
            await peer.take(*["250 2.1.5 ok"] * 3, content=["250 2.0.0 stored", "550 5.7.1 no"])

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            results = await client.send(envelope("bob", "carl", "dora"), MESSAGE)

            assert not client.is_usable
        assert [("Delivered", "2.0.0"), ("Failed", "5.7.1"), ("Deferred", "4.4.2")] == outcomes(results)
        assert "2 of 3 replies came" in results[2].outcome.detail

    async def test_are_read_from_a_server_that_answers_and_closes_while_we_write(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            peer.say("250 2.1.0 ok", "250 2.1.5 ok", "354 go on")
            await peer.reader.readexactly(PIECE_BYTES)
            peer.say("421 4.3.2 enough")

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            (result,) = await client.send(envelope("bob"), b"x" * (40 * PIECE_BYTES))

        assert isinstance(result.outcome, lmtp.Deferred)

    async def test_are_many_for_many(self, start):
        async with start(Inbox()) as server, lmtp.connect(server.endpoints[0]) as client:
            results = await client.send(envelope(*["bob"] * 2500), MESSAGE)

        assert [("Delivered", "2.0.0")] * 2500 == outcomes(results)


class TestRecipientsThatFindNoRoom:
    async def test_are_asked_for_again_in_the_next_transaction(self, start):
        inbox = Inbox()
        limits = lmtp.Limits(recipients=100)
        async with (
            start(inbox, limits=limits, admittance=lmtp.Admittance(extensions=WITHOUT_LIMITS)) as server,
            lmtp.connect(server.endpoints[0]) as client,
        ):
            results = await client.send(envelope(*["bob"] * 250), MESSAGE)

            assert 3 == client.transactions
        assert [("Delivered", "2.0.0")] * 250 == outcomes(results)

    async def test_are_deferred_when_the_content_has_passed_by(self, start):
        async with (
            start(Inbox(), limits=lmtp.Limits(recipients=100)) as server,
            lmtp.connect(server.endpoints[0]) as client,
        ):
            results = await client.send(envelope(*["bob"] * 101), iter([MESSAGE]))

        assert ("Deferred", "4.5.3") == outcomes(results)[100]


class TestContents:
    @pytest.mark.parametrize("uses", [frozenset(), frozenset({"PIPELINING", "CHUNKING"})], ids=["plain", "chunks"])
    @pytest.mark.parametrize("size", [0, 1, IN_ONE_PIECE, 3 * IN_ONE_PIECE + 17])
    async def test_arrive_octet_for_octet(self, start, uses, size):
        content = (b"x" * 76 + b"\r\n.") * (size // 79) + b"\r\n"
        inbox = Inbox()
        settings = lmtp.ClientSettings(uses=uses)
        async with start(inbox) as server, lmtp.connect(server.endpoints[0], settings) as client:
            (result,) = await client.send(envelope("bob"), content)

        assert result.is_delivered
        assert [content] == inbox.contents

    async def test_come_from_wherever_octets_come(self, start, tmp_path):
        async def arriving():
            yield MESSAGE[:5]
            yield MESSAGE[5:]

        (tmp_path / "message.eml").write_bytes(MESSAGE)
        inbox = Inbox()
        contents = [
            bytearray(MESSAGE),
            memoryview(MESSAGE),
            tmp_path / "message.eml",
            io.BytesIO(MESSAGE),
            iter([MESSAGE[:3], b"", MESSAGE[3:]]),
            arriving(),
        ]
        async with start(inbox) as server, lmtp.connect(server.endpoints[0]) as client:
            for content in contents:
                assert (await client.send(envelope("bob"), content))[0].is_delivered

        assert [MESSAGE] * len(contents) == inbox.contents

    async def test_may_be_message_objects(self, start):
        message = email.message.EmailMessage()
        message["Subject"] = "Grüße"
        message["Bcc"] = "carl@example.org"
        message.set_content("Schöne Grüße\n")
        inbox = Inbox()
        async with start(inbox) as server, lmtp.connect(server.endpoints[0]) as client:
            await client.send(envelope("bob"), message)

        arrived = email.message_from_bytes(inbox.contents[0], policy=email.policy.default)
        assert ("Grüße", "Schöne Grüße", None) == (arrived["Subject"], arrived.get_content().rstrip(), arrived["Bcc"])

    async def test_that_are_text_are_refused(self, start):
        async with start(Inbox()) as server, lmtp.connect(server.endpoints[0]) as client:
            with pytest.raises(TypeError, match="encode the text"):
                await client.send(envelope("bob"), "Subject: hello\n\n")

            assert client.is_usable

    async def test_that_fail_on_the_way_are_no_messages(self, start):
        """
        A part of a message must never be taken for all of it.
        """

        def breaking():
            yield MESSAGE
            raise OSError("the disk is gone")

        inbox = Inbox()
        async with start(inbox) as server, lmtp.connect(server.endpoints[0]) as client:
            with pytest.raises(OSError, match="the disk is gone"):
                await client.send(envelope("bob"), breaking())

            assert not client.is_usable
        assert [] == inbox.contents

    async def test_with_octets_above_127_are_not_for_servers_that_know_7_bits(self, tmp_path):
        async def talk(peer):
            await peer.greet(PLAIN_LHLO)
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, talk) as peers, lmtp.connect(f"unix:{path}") as client:
            (result,) = await client.send(envelope("bob"), "Grüße".encode())

            assert client.is_usable
        assert ("Failed", "5.6.3") == outcomes([result])[0]
        assert [b"QUIT\r\n"] == peers[0].heard[1:]

    async def test_that_turn_out_to_have_octets_above_127_are_given_up(self, tmp_path):
        async def talk(peer):
            await peer.greet(PLAIN_LHLO)
            await peer.hear("MAIL")
            peer.say("250 ok")
            await peer.hear("RCPT")
            peer.say("250 ok")
            await peer.hear("DATA")
            peer.say("354 go on")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, talk) as peers, lmtp.connect(f"unix:{path}") as client:
            (result,) = await client.send(envelope("bob"), iter([b"Subject: x\r\n\r\n", "Grüße".encode()]))

            assert not client.is_usable
        assert ("Failed", "5.6.3") == outcomes([result])[0]
        assert b".\r\n" not in b"".join(line for line in peers[0].heard if isinstance(line, bytes))

    async def test_are_written_without_such_octets_when_they_are_message_objects(self, tmp_path):
        async def talk(peer):
            await peer.greet(b"250-store.example\r\n250 PIPELINING\r\n")
            await peer.take("250 ok", content=["250 stored"])
            await peer.is_left()

        message = email.message.EmailMessage()
        message.set_content("Grüße\n")
        path = f"{tmp_path}/peer"
        async with serving(path, talk) as peers, lmtp.connect(f"unix:{path}") as client:
            (result,) = await client.send(envelope("bob"), message)

        assert result.is_delivered
        assert peers[0].heard[-2].isascii()

    async def test_chunk_that_is_refused_ends_the_transaction_and_not_the_session(self, tmp_path):
        async def talk(peer):
            await peer.greet(b"250-store.example\r\n250-CHUNKING\r\n250 8BITMIME\r\n")
            await peer.hear("MAIL")
            peer.say("250 ok")
            await peer.hear("RCPT")
            peer.say("250 ok")
            await peer.hear("BDAT")
            await peer.reader.readexactly(PIECE_BYTES)
            peer.say("552 too much")
            while not peer.reader.at_eof():
                line = await peer.reader.readline()
                if line.startswith(b"BDAT"):
                    await peer.reader.readexactly(int(line.split()[1]))
                    peer.say("503 no")
                elif line.startswith((b"RSET", b"NOOP", b"QUIT")):
                    peer.heard.append(line)
                    peer.say("250 ok")

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            (result,) = await client.send(envelope("bob"), b"x\r\n" * PIECE_BYTES * 2)

            assert (await client.noop()).is_positive
        assert ("Failed", "5.0.0") == outcomes([result])[0]


class TestSending:
    async def test_by_many_tasks_at_once_keeps_their_messages_apart(self, start):
        inbox = Inbox(carl=lmtp.Failed("5.7.1"))
        async with start(inbox) as server, lmtp.connect(server.endpoints[0]) as client:
            results = await asyncio.gather(
                *(client.send(envelope("carl" if number % 3 else "bob", "bob"), b"%d" % number) for number in range(60))
            )

        assert [number % 3 == 0 for number in range(60)] == [result[0].is_delivered for result in results]
        assert {b"%d\r\n" % number for number in range(60)} == set(inbox.contents)

    async def test_goes_on_when_one_message_is_withdrawn_before_its_turn(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "RCPT", "DATA")
            peer.say("250 2.1.0 ok", "250 2.1.5 ok", "250 2.1.5 ok", "354 go on")
            await peer.hear_content()
            arrived.set()
            await may_go_on.wait()
            peer.say("250 2.0.0 stored", "250 2.0.0 stored")
            await peer.take("250 2.1.5 ok")
            await peer.is_left()

        arrived, may_go_on = asyncio.Event(), asyncio.Event()
        path = f"{tmp_path}/peer"
        async with serving(path, talk) as peers, lmtp.connect(f"unix:{path}") as client:
            first = asyncio.create_task(client.send(envelope("bob", "carl"), MESSAGE))
            await arrived.wait()
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            may_go_on.set()
            results = await client.send(envelope("dora"), MESSAGE)

        assert [("Delivered", "2.0.0")] == outcomes(results)
        assert "RCPT TO:<dora@example.org>" in peers[0].heard

    async def test_is_over_when_a_message_is_withdrawn_whose_content_is_wanted(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            asked.set()
            await may_go_on.wait()
            peer.say("250 2.1.0 ok", "250 2.1.5 ok", "354 go on")
            await peer.is_left()

        asked, may_go_on = asyncio.Event(), asyncio.Event()
        path = f"{tmp_path}/peer"
        async with serving(path, talk) as peers, lmtp.connect(f"unix:{path}") as client:
            first = asyncio.create_task(client.send(envelope("bob"), MESSAGE))
            second = asyncio.create_task(client.send(envelope("carl"), MESSAGE))
            await asked.wait()
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            may_go_on.set()
            (result,) = await second

            assert not client.is_usable
        assert ("Deferred", "4.4.2") == outcomes([result])[0]
        assert MESSAGE not in peers[0].heard

    async def test_that_is_withdrawn_while_the_content_is_on_its_way_ends_the_session(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            peer.say("250 2.1.0 ok", "250 2.1.5 ok", "354 go on")
            await peer.is_left()

        async def endless():
            yield MESSAGE
            yield MESSAGE
            has_begun.set()
            await asyncio.Event().wait()

        has_begun = asyncio.Event()
        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            task = asyncio.create_task(client.send(envelope("bob"), endless()))
            await has_begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

            assert not client.is_usable

    async def test_by_a_client_whose_session_is_lost_defers(self, tmp_path):
        async def talk(peer):
            await peer.greet()

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            first = await client.send(envelope("bob"), MESSAGE)
            second = await client.send(envelope("bob", "carl"), MESSAGE)

            assert "connection was" in client.why_lost
            with pytest.raises(lmtp.SessionError, match="connection was"):
                await client.noop()
        assert [("Deferred", "4.4.2")] * 3 == outcomes(first + second)


class TestDeadlines:
    @pytest.mark.parametrize(
        "answers", [[], ["250 ok"], ["250 ok", "250 ok"], ["250 ok", "250 ok", "354 go on"]], ids=len
    )
    async def test_pass_for_each_reply(self, tmp_path, answers):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            peer.say(*answers)
            await peer.is_left()

        path = f"{tmp_path}/peer"
        settings = lmtp.ClientSettings(deadlines=FAST)
        async with serving(path, talk), lmtp.connect(f"unix:{path}", settings) as client:
            (result,) = await client.send(envelope("bob"), MESSAGE)

            assert "waited too long for the reply to" in client.why_lost
        assert ("Deferred", "4.4.2") == outcomes([result])[0]

    async def test_pass_for_a_server_that_takes_no_more_of_a_content(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            peer.say("250 2.1.0 ok", "250 2.1.5 ok", "354 go on")
            peer.writer.transport.pause_reading()
            await asyncio.Event().wait()

        path = f"{tmp_path}/peer"
        settings = lmtp.ClientSettings(deadlines=FAST)
        async with serving(path, talk), lmtp.connect(f"unix:{path}", settings) as client:
            (result,) = await client.send(envelope("bob"), iter([b"x\r\n" * PIECE_BYTES] * 100))

        assert "takes no more" in result.outcome.detail

    async def test_are_short_behind_421_that_answers_a_content(self, tmp_path):
        """
        The other recipients' replies may follow at once, or not at all.
        """

        async def talk(peer):
            await peer.greet()
            await peer.take(*["250 2.1.5 ok"] * 2, content=["421 4.3.2 closing"])
            await peer.is_left()

        path = f"{tmp_path}/peer"
        settings = lmtp.ClientSettings(deadlines=lmtp.ClientDeadlines(after_421_seconds=0.05))
        async with serving(path, talk), lmtp.connect(f"unix:{path}", settings) as client:
            results = await client.send(envelope("bob", "carl"), MESSAGE)

        assert [("Deferred", "4.3.2"), ("Deferred", "4.4.2")] == outcomes(results)

    @pytest.mark.parametrize("name", lmtp.ClientDeadlines.__slots__)
    def test_are_more_than_nothing(self, name):
        with pytest.raises(ValueError, match=f"{name} must be more than 0"):
            lmtp.ClientDeadlines(**{name: 0})


class TestOtherCommands:
    async def test_noop_and_vrfy_give_their_replies(self, start):
        async with start(Inbox()) as server, lmtp.connect(server.endpoints[0]) as client:
            assert 250 == (await client.noop()).code
            assert 252 == (await client.verify("bob@example.org")).code

    async def test_xforward_is_not_said_to_a_server_that_does_not_list_it(self, start):
        async with start(Inbox()) as server, lmtp.connect(server.endpoints[0]) as client:
            assert not await client.forward({"NAME": "mx.example.org"})

    async def test_xforward_says_what_is_known_in_as_many_commands_as_it_takes(self, tmp_path):
        async def talk(peer):
            await peer.greet(b"250-store.example\r\n250 XFORWARD NAME ADDR HELO\r\n")
            await peer.hear("XFORWARD")
            peer.say("250 ok")
            await peer.hear("XFORWARD")
            peer.say("250 ok")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, talk) as peers, lmtp.connect(f"unix:{path}") as client:
            assert await client.forward({"NAME": "m" * 250, "ADDR": None, "HELO": "h" * 250, "IDENT": "unasked"})

        assert "XFORWARD HELO=" + "h" * 250 + " ADDR=[UNAVAILABLE]" == peers[0].heard[2]

    async def test_close_does_not_wait_for_a_server_that_does_not_answer_quit(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.is_left(is_polite=False)

        path = f"{tmp_path}/peer"
        settings = lmtp.ClientSettings(deadlines=lmtp.ClientDeadlines(quit_seconds=0.01))
        async with serving(path, talk) as peers:
            client = await lmtp.connect(f"unix:{path}", settings)
            await client.close()
            await client.close()

        assert [b"QUIT\r\n"] == peers[0].heard[1:]

    async def test_abort_defers_what_is_under_way(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            asked.set()
            await peer.is_left()

        asked = asyncio.Event()
        path = f"{tmp_path}/peer"
        async with serving(path, talk):
            client = await lmtp.connect(f"unix:{path}")
            task = asyncio.create_task(client.send(envelope("bob"), MESSAGE))
            await asked.wait()
            client.abort()

            assert ("Deferred", "4.4.2") == outcomes(await task)[0]
            await client.close()


class Written:
    """
    A transcript in memory.
    """

    def __init__(self):
        self.lines = []

    def client(self, octets):
        self.lines.append(("C", octets))

    def server(self, octets):
        self.lines.append(("S", octets))


class TestTranscripts:
    async def test_have_what_was_said_by_both(self, start):
        written = Written()
        settings = lmtp.ClientSettings(client_name="mx.example.org", transcript=lambda: written)
        async with start(Inbox()) as server, lmtp.connect(server.endpoints[0], settings) as client:
            await client.noop()

        said = [line for who, line in written.lines if who == "C"]
        assert [b"LHLO mx.example.org\r\n", b"NOOP\r\n", b"QUIT\r\n"] == said
        assert ("S", b"220 store.example LMTP ready\r\n") == written.lines[0]
