# SPDX-License-Identifier: Apache-2.0
"""
Servers that fail at one of their replies, whichever it is, over sockets: to a client, and to a pool.

A server keeps to the protocol up to that reply; every reply about a recipient names whom it is about, and for which
message. Then: nobody is told what was said of somebody else, nobody is forgotten, nobody waits for ever, and the
connection is not used for the next message. RFC 2033 §5, RFC 5321 §3.8 and §4.5.3.2.
"""

import asyncio
import contextlib
import re
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmtp
from lmtp.aio.contents import PIECE_BYTES
from lmtp.aio.pool import PoolSettings
from lmtp.protocol.results import Point
from tests.aio.peers import serving

LHLO = b"250-store.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"
CONTENT = b"Subject: hello\r\n\r\nhello\r\n"

REFUSED = {"carl": "550 5.1.1"}
"""Who is refused at RCPT."""
SETTLED = {"dora": "452 4.2.2", "ed": "554 5.6.0"}
"""Who is refused behind the content; everybody else is told 250."""
MESSAGES = {1: ("bob", "carl", "dora", "ed", "bob"), 2: ("finn",), 3: ("gus", "hal")}
"""Two messages that are sent at once, and one when they are over; bob is asked for twice."""

WAYS = {
    "one by one": frozenset(),
    "pipelined": frozenset({"PIPELINING"}),
    "in chunks": frozenset({"PIPELINING", "CHUNKING"}),
}
LONGER_THAN_ANY_DEADLINE = 1000
KEEPING = PoolSettings(connections=1, first_pause_seconds=1e-9)


class Talk:
    """
    What a server says on one connection: all that it should, but for one place.

    Args:
        at: At which reply it fails, counted from the greeting; None: at none.
        fault: What it does there: takes the talk and the octets that were to be said.
    """

    def __init__(self, at=None, fault=None):
        self.at = at
        self.fault = fault
        self.replies = 0
        self.said = b""
        self.senders = []
        self.has_failed = False
        self.has_gone_silent = asyncio.Event()
        self.is_skipping = False
        self.is_at_last_name = False
        self._names = []

    async def __call__(self, peer):
        self.peer = peer
        with contextlib.suppress(GoneError):
            self.reply("220 store.example LMTP")
            while True:
                await self.take(await peer.reader.readuntil(b"\r\n"))

    async def take(self, line):
        self.is_skipping = False
        verb, _, rest = line.decode().rstrip().partition(" ")
        if verb == "LHLO":
            self.reply(LHLO)
        elif verb == "MAIL":
            self._names = []
            self.senders.append(int(re.search("<([0-9])@", rest)[1]))
            self.reply("250 2.1.0 sender ok")
        elif verb == "RCPT":
            self.take_rcpt(re.search("<(.*)@", rest)[1])
        elif verb == "DATA":
            self.reply("354 go on" if self._names else "503 5.5.1 nobody is here")
            if self._names:
                await self.peer.hear_content()
                self.settle()
        elif verb == "BDAT":
            size, *is_last = rest.split()
            await self.peer.reader.readexactly(int(size))
            self.settle() if is_last else self.reply("250 2.0.0 chunk taken")
        elif verb == "QUIT":
            self.reply("221 2.0.0 bye")
        else:
            self.reply("250 2.0.0 ok")

    def take_rcpt(self, name):
        code = REFUSED.get(name, "250 2.1.5")
        if name not in REFUSED:
            self._names.append(name)
        self.reply(f"{code} <{name}> {self.senders[-1]}")

    def settle(self):
        for number, name in enumerate(self._names, 1):
            self.is_at_last_name = number == len(self._names)
            self.reply(f"{SETTLED.get(name, '250 2.0.0')} <{name}> {self.senders[-1]} settled")

    def reply(self, text):
        octets = text if isinstance(text, bytes) else text.encode() + b"\r\n"
        self.replies += 1
        if self.replies - 1 == self.at:
            before = self.said
            self.fault(self, octets)
            self.has_failed = self.said != before + octets
        elif not self.is_skipping:
            self.say(octets)

    def say(self, octets):
        self.said += octets
        self.peer.say(octets)

    def leave(self):
        self.has_failed = True
        raise GoneError

    def fall_silent(self):
        self.has_gone_silent.set()
        self.say = lambda _: None


class GoneError(Exception):
    """
    The server has closed the connection.
    """


# What a server may do in the place of a reply.


def closes(talk, _):
    talk.leave()


def closes_in_the_middle_of_it(talk, octets):
    talk.say(octets[: len(octets) // 2])
    talk.leave()


def closes_behind_it(talk, octets):
    talk.say(octets)
    talk.leave()


def says_421_and_closes(talk, _):
    talk.say(b"421 4.3.2 closing\r\n")
    talk.leave()


def says_421_and_goes_on(talk, _):
    talk.say(b"421 4.3.2 closing\r\n")


def stalls(talk, _):
    talk.fall_silent()


def stalls_in_the_middle_of_it(talk, octets):
    talk.say(octets[: len(octets) // 2])
    talk.fall_silent()


def skips_it(talk, _):
    talk.is_skipping = True
    talk.has_gone_silent.set()


def says_also(surplus):
    """
    Say something behind it. But not between the replies to one content: those are told apart by nothing else.
    """

    def fault(talk, octets):
        is_followed = octets.endswith(b" settled\r\n") and not talk.is_at_last_name
        talk.say(octets if is_followed else octets + surplus)

    return fault


def says(garbage):
    return lambda talk, _: talk.say(garbage)


LEAVING = [closes, closes_in_the_middle_of_it, closes_behind_it, says_421_and_closes, says_421_and_goes_on]
SILENT = [stalls, stalls_in_the_middle_of_it]
GARBAGE = {
    "words": b"hello there\r\n",
    "octets": b"\x00\xff\xfe\r\n",
    "LF": b"250 2.0.0 ok\n",
    "no digits": b"25x ok\r\n",
    "no such code": b"999 ok\r\n",
    "two codes": b"250-2.0.0 a\r\n251 2.0.0 b\r\n",
    "a preliminary reply": b"150 wait\r\n",
    "no line": b"250 " + b"x" * 100_000,
}
SURPLUS = {
    "positive": b"250 2.0.0 surplus\r\n",
    "negative": b"550 5.0.0 surplus\r\n",
    "354": b"354 surplus\r\n",
    "LF": b"\n",
}


class Conversation:
    """
    Three messages by whatever sends, to servers of which the first fails; and what became of them.

    Args:
        path: Where the servers listen.
        way: How the client speaks, of `WAYS`.
        first: What the first connection's server says; those of later ones don't fail.
        clock: The loop's clock, if it may be put on.
    """

    def __init__(self, path, way, first, clock=None):
        self.path = path
        self.way = way
        self.talks = [first, Talk(), Talk(), Talk()]
        self.results = {}
        self.clock = clock
        self.had_failed = False
        self.contents = in_two_pieces if way == "in chunks" else lambda: CONTENT

    @contextlib.asynccontextmanager
    async def serving(self):
        async with serving(self.path, *self.talks):
            yield lmtp.ClientSettings(uses=WAYS[self.way])

    async def by_client(self):
        async with self.serving() as client_settings:
            opening = asyncio.ensure_future(self.opened(client_settings))
            client = await self.awaited(opening)
            if client is None:
                return
            await self.send_all(client)
            assert client.is_usable or self.talks[0].has_failed, client.why_lost
            await self.awaited(asyncio.ensure_future(client.close()))

    async def opened(self, client_settings):
        try:
            return await lmtp.connect(f"unix:{self.path}", client_settings)
        except OSError:
            assert self.talks[0].has_failed
            return None

    async def by_pool(self):
        async with self.serving() as client_settings:
            pool = lmtp.Pool([f"unix:{self.path}"], client_settings, KEEPING)
            await self.send_all(pool)
            await self.awaited(asyncio.ensure_future(pool.close()))

            assert 0 == pool.statistics.under_way == pool.statistics.waiting

    async def send_all(self, sender):
        await asyncio.gather(self.send(sender, 1), self.send(sender, 2))
        self.had_failed = self.talks[0].has_failed
        if self.clock is not None and self.had_failed:
            await self.clock.advance(LONGER_THAN_ANY_DEADLINE)
        await self.send(sender, 3)

    async def send(self, sender, number):
        envelope = lmtp.OutgoingEnvelope.parse(
            f"{number}@example.org", *(f"{name}@example.net" for name in MESSAGES[number])
        )
        content = self.contents() if number == 1 else CONTENT
        self.results[number] = await self.awaited(asyncio.ensure_future(sender.send(envelope, content)))

    async def awaited(self, task):
        """
        Wait for something; when the server has fallen silent, let time pass until it comes.
        """
        if self.clock is not None:
            silence = asyncio.ensure_future(self.talks[0].has_gone_silent.wait())
            await asyncio.wait({task, silence}, return_when=asyncio.FIRST_COMPLETED)
            silence.cancel()
            while not task.done():
                await self.clock.advance(LONGER_THAN_ANY_DEADLINE)
        return await asyncio.wait_for(task, None if self.clock else 30)

    def check(self, *, counts_are_right=True):
        """
        Whatever has happened: one result for each, from what was said of them; and the connection is not used again.

        A reply too many or too few among those to RCPT may be taken for somebody else's refusal: there are but their
        numbers to tell them apart. It never makes anybody delivered.
        """
        for number, results in self.results.items():
            assert list(MESSAGES[number]) == [result.forward_path.mailbox.local_part for result in results]
            for result in results:
                self.check_result(result, number, counts_are_right=counts_are_right)
        if self.had_failed:
            assert 3 not in self.talks[0].senders

    def check_result(self, result, number, *, counts_are_right):
        name = result.forward_path.mailbox.local_part
        if result.is_delivered:
            assert f"<{name}> {number} settled" == result.reply.text
            assert any(f"250 2.0.0 <{name}> {number} settled\r\n".encode() in talk.said for talk in self.talks)
        elif result.reply is None or result.reply.code == 421:
            assert result.is_deferred, result
        elif counts_are_right:
            assert result.point in {Point.RCPT, Point.CONTENT}
            assert result.reply.text.removesuffix(" settled") == f"<{name}> {number}"
            assert {**REFUSED, **SETTLED}[name] == f"{result.reply.code} {result.reply.status}"

    def check_all_that_was_said(self):
        """
        Whoever was told anything in the end has that result: what came before the failure stands.
        """
        said = b"".join(talk.said for talk in self.talks).decode(errors="replace")
        for number, results in self.results.items():
            told = re.findall(rf"^(...) \S+ <(\w+)> {number} settled\r$", said, re.MULTILINE)
            known = [result for result in results if result.point is Point.CONTENT and result.reply is not None]
            assert told == [
                (str(result.reply.code), result.forward_path.mailbox.local_part)
                for result in known
                if result.reply.code != 421
            ]


async def in_two_pieces():
    yield CONTENT
    yield CONTENT


SENDERS = pytest.mark.parametrize("sender", [Conversation.by_client, Conversation.by_pool], ids=["client", "pool"])
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def every_place(tmp_path):
    """
    Have a conversation for each reply of one that comes to its end, which fails at that reply.
    """

    async def every(sender, way, fault, clock=None):
        whole = Conversation(f"{tmp_path}/whole", way, Talk())
        await sender(whole)
        for at in range(whole.talks[0].replies):
            conversation = Conversation(f"{tmp_path}/{at}", way, Talk(at, fault), clock)
            await sender(conversation)
            yield conversation

    return every


@EVERY_WAY
@SENDERS
class TestServersThat:
    async def test_do_not_fail_give_everybody_a_result(self, tmp_path, sender, way):
        conversation = Conversation(f"{tmp_path}/peer", way, Talk())
        await sender(conversation)

        conversation.check()
        conversation.check_all_that_was_said()
        assert [1, 2, 3] == conversation.talks[0].senders

    @pytest.mark.parametrize("fault", LEAVING)
    async def test_leave_at_any_reply_are_left(self, every_place, sender, way, fault):
        async for conversation in every_place(sender, way, fault):
            conversation.check()
            conversation.check_all_that_was_said()

    @pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
    async def test_talk_nonsense_are_left(self, every_place, sender, way, garbage):
        async for conversation in every_place(sender, way, says(garbage)):
            conversation.check()

    @pytest.mark.parametrize("fault", SILENT)
    async def test_fall_silent_are_waited_for_and_left(self, every_place, clock, sender, way, fault):
        async for conversation in every_place(sender, way, fault, clock):
            conversation.check()
            conversation.check_all_that_was_said()

    async def test_answer_too_few_are_left(self, every_place, clock, sender, way):
        async for conversation in every_place(sender, way, skips_it, clock):
            conversation.check(counts_are_right=False)

    @pytest.mark.parametrize("surplus", SURPLUS.values(), ids=SURPLUS)
    async def test_answer_too_many_are_left(self, every_place, sender, way, surplus):
        async for conversation in every_place(sender, way, says_also(surplus)):
            conversation.check(counts_are_right=False)


class Overwhelmed(Talk):
    """
    What a server says that fails while a content comes in.
    """

    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    async def take(self, line):
        if line.startswith((b"BDAT", b"DATA")):
            if line.startswith(b"DATA"):
                self.say(b"354 go on\r\n")
            await self.peer.reader.readexactly(PIECE_BYTES // 2)
            self.has_failed = True
            self.fault(self, b"250 2.0.0 ok\r\n")
            self.peer.writer.transport.pause_reading()
            self.has_gone_silent.set()
            await asyncio.Event().wait()
        await super().take(line)


async def endless():
    while True:
        yield b"x" * PIECE_BYTES


@SENDERS
@pytest.mark.parametrize("way", ["pipelined", "in chunks"])
class TestServersThatFailWhileTheContentComes:
    async def converse(self, path, way, sender, fault, clock=None):
        conversation = Conversation(path, way, Overwhelmed(fault), clock)
        conversation.contents = endless
        await sender(conversation)
        assert {"bob", "dora", "ed"} == {
            result.forward_path.mailbox.local_part for result in conversation.results[1] if result.is_deferred
        }
        return conversation

    @pytest.mark.parametrize(
        "fault",
        [closes, says_421_and_closes, says_421_and_goes_on, says(b"hello\r\n"), says(b"354 go on\r\n"), says(b"\n")],
    )
    async def test_are_left(self, tmp_path, sender, way, fault):
        conversation = await self.converse(f"{tmp_path}/peer", way, sender, fault)

        conversation.check()

    async def test_and_fall_silent_are_left(self, tmp_path, clock, sender, way):
        conversation = await self.converse(f"{tmp_path}/peer", way, sender, lambda *_: None, clock)

        conversation.check()


class BrokenOff(Talk):
    """
    What a server says up to some octet, and then something else before it goes.
    """

    def __init__(self, offset, last_words):
        super().__init__()
        self._offset = offset
        self._last_words = last_words

    def say(self, octets):
        room = self._offset - len(self.said)
        if len(octets) <= room:
            return super().say(octets)
        super().say(octets[:room] + self._last_words)
        return self.leave()


@SENDERS
class TestServersThatBreakOff:
    @settings(deadline=None, max_examples=150)
    @given(
        st.sampled_from(sorted(WAYS)),
        st.integers(0, 1100),
        st.sampled_from([b"", b"\n", b"\n421 4.3.2 bye\r\n", b"\xff\n", b"x" * 100_000]),
    )
    async def test_at_any_octet_are_left(self, sender, way, offset, last_words):
        with tempfile.TemporaryDirectory() as folder:
            conversation = Conversation(f"{folder}/peer", way, BrokenOff(offset, last_words))
            await sender(conversation)

        conversation.check()


def envelope(*local_parts):
    return lmtp.OutgoingEnvelope.parse("4@example.org", *(f"{name}@example.net" for name in local_parts))


class TestDeadlines:
    """
    Each reply has its time; nothing that is no reply gives it more.
    """

    async def test_are_not_put_off_by_a_server_that_sends_a_reply_octet_by_octet(self, tmp_path, clock):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            for octet in b"250 2.1.0":
                peer.say(bytes([octet]))
                await clock.advance(50)
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            (result,) = await client.send(envelope("bob"), CONTENT)

            assert "waited too long for the reply to MAIL" == client.why_lost
        assert result.is_deferred

    async def test_are_not_put_off_by_what_is_sent_meanwhile(self, tmp_path, clock):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            has_begun.set()
            await peer.is_left()

        has_begun = asyncio.Event()
        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            sending = [asyncio.create_task(client.send(envelope("bob"), CONTENT))]
            await has_begun.wait()
            for _ in range(4):
                await clock.advance(100)
                sending.append(asyncio.create_task(client.send(envelope("carl"), CONTENT)))

            assert all(results[0].is_deferred for results in await asyncio.gather(*sending))
            assert "waited too long for the reply to MAIL" == client.why_lost


class TestRepliesToCommandsOfTheSession:
    async def test_that_come_together_are_all_heard(self, tmp_path):
        async def talk(peer):
            await peer.greet(b"250-store.example\r\n250-PIPELINING\r\n250 XFORWARD NAME HELO\r\n")
            await peer.hear("XFORWARD", "XFORWARD")
            peer.say("250 ok", "550 no")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            assert not await client.forward({"NAME": "n" * 255, "HELO": "h" * 250})
            assert client.is_usable

    async def test_that_nobody_waits_for_any_more_are_not_taken_for_the_next(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("NOOP")
            asked.set()
            await may_go_on.wait()
            peer.say("250 2.0.0 noop")
            await peer.hear("VRFY")
            peer.say("252 2.0.0 perhaps")
            await peer.is_left()

        asked, may_go_on = asyncio.Event(), asyncio.Event()
        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            given_up = asyncio.create_task(client.noop())
            await asked.wait()
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            verifying = asyncio.create_task(client.verify("bob"))
            await asyncio.sleep(0)
            may_go_on.set()

            assert 252 == (await verifying).code

    async def test_do_not_come_when_the_session_is_lost(self, tmp_path):
        async def talk(peer):
            await peer.greet(b"250-store.example\r\n250 XFORWARD NAME\r\n")
            await peer.hear("NOOP")
            peer.say("250 2.0.0 ok", "250 2.0.0 surplus")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, talk), lmtp.connect(f"unix:{path}") as client:
            with pytest.raises(lmtp.SessionError, match="unasked"):
                await client.noop()
            with pytest.raises(lmtp.SessionError, match="unasked"):
                await client.forward({"NAME": "mx.example.org"})


class TestPools:
    async def test_open_another_session_when_the_one_they_made_do_with_is_lost(self, tmp_path):
        """
        Whoever waits must not wait for a second that nobody counts.
        """

        async def lost(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            await has_been_refused.wait()
            while 1 < pool.statistics.limit:  # until the pool knows
                await asyncio.sleep(0)

        async def busy(peer):
            peer.say("421 4.3.2 too many connections")
            has_been_refused.set()
            await peer.is_left()

        has_been_refused = asyncio.Event()
        path = f"{tmp_path}/peer"
        keeping = PoolSettings(connections=2, messages_in_flight=1)
        async with serving(path, lost, busy, Talk()), lmtp.Pool([f"unix:{path}"], keeping=keeping) as pool:
            results = await asyncio.gather(*(pool.send(envelope(name), CONTENT) for name in ("bob", "gus", "bob")))

        assert [True, False, False] == [result.is_deferred for (result,) in results]

    async def test_close_when_all_is_done_also_after_they_were_empty(self, tmp_path):
        async def talk(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            peer.say("250 2.1.0 ok", "250 2.1.5 ok", "354 go on")
            await peer.hear_content()
            arrived.set()
            await may_go_on.wait()
            peer.say("250 2.0.0 stored")
            await peer.is_left()

        arrived, may_go_on = asyncio.Event(), asyncio.Event()
        path = f"{tmp_path}/peer"
        pool = lmtp.Pool([f"unix:{path}"], keeping=PoolSettings(messages_per_session=1))
        async with serving(path, Talk(), talk):
            await pool.send(envelope("gus"), CONTENT)
            sending = asyncio.create_task(pool.send(envelope("bob"), CONTENT))
            await arrived.wait()
            closing = asyncio.create_task(pool.close())
            for _ in range(10):
                await asyncio.sleep(0)
            is_early = closing.done()
            may_go_on.set()
            await closing

            assert not is_early
            assert (await sending)[0].is_delivered
