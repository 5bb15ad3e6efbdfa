# SPDX-License-Identifier: Apache-2.0
"""
What cases talk through: what is found of a server that does not go along.
"""

import asyncio
import contextlib

import pytest

from lmtp.conformance.server import Offers, Server
from lmtp.conformance.session import ExpectationError, NotApplicableError, PreconditionError, Session
from lmtp.conformance.transcript import Transcript
from lmtp.conformance.wire import MAX_UNREAD
from lmtp.testing.scripted import Conversation

DOT = b".\r\n"


@pytest.fixture
def talk(bench):
    """
    Open a session with a server of a kind.
    """

    @contextlib.asynccontextmanager
    async def talk_to(kind=Conversation, **settings):
        async with bench.serving(kind):
            session = Session(Server(bench.setup(**settings), Offers(), Offers()), Transcript())
            try:
                yield session
            finally:
                await session.close()

    return talk_to


class EndsAtTheDot(Conversation):
    codes = (421,)

    def deliver(self, content):
        for code in self.codes:
            self.reply(code, f"{code // 100}.3.2", "Going down")
        self.is_over = True


class EndsBehindTheFirst(EndsAtTheDot):
    codes = (250, 421)


class Loses(Conversation):
    def store(self, mailbox, content):
        pass


class Closes(Conversation):
    async def noop(self, rest):
        self.is_over = True


class Mute(Conversation):
    async def quit(self, rest):
        pass


class TestConnection:
    async def test_is_needed_to_speak(self, talk):
        async with talk() as session:
            with pytest.raises(PreconditionError, match="no connection"):
                await session.say("NOOP")

    async def test_that_ends_is_no_reply(self, talk):
        async with talk(Closes) as session:
            await session.open()
            with pytest.raises(ExpectationError, match="the end of the connection"):
                await session.expect("NOOP", "250")

    async def test_that_has_ended_takes_octets_with_a_note(self, talk):
        async with talk(Closes) as session:
            await session.open()
            with contextlib.suppress(ExpectationError):
                await session.say("NOOP")
            for _ in range(3):
                await session.send(b"NOOP\r\n" * 10_000)

            assert "   (the connection was closed before all of this was sent)" in session.transcript.lines

    async def test_that_stays_open_after_quit_is_told(self, talk):
        async with talk(Mute, timeout_seconds=0.05) as session:
            await session.open()
            with pytest.raises(ExpectationError, match="221 or the end"):
                await session.replies_until_quit()

    async def test_whose_server_does_not_read_is_told(self, talk):
        async with talk(Deaf, timeout_seconds=0.05) as session:
            await session.open()
            with pytest.raises(ExpectationError, match="reads what is sent"):
                await session.send(b"x" * 2**24)

    async def test_silence_is_no_end(self, talk):
        async with talk(Mute, timeout_seconds=0.05) as session:
            await session.open()

            assert await session.read_or_end() is None

    async def test_noise_where_there_should_be_none_is_told(self, talk):
        async with talk() as session:
            await session.open()
            await session.send(b"NOOP\r\n")
            with pytest.raises(ExpectationError, match="came 250"):
                await session.check_quiet("nothing")

    async def test_end_where_there_should_be_silence_is_told_unless_it_may_be(self, talk):
        async with talk(Closes) as session:
            await session.open()
            await session.send(b"NOOP\r\n")
            await session.check_quiet("nothing", may_end=True)
            with pytest.raises(ExpectationError, match="the end"):
                await session.check_quiet("nothing")

    async def test_that_ends_behind_an_answer_loses_none_of_it(self, bench, talk):
        class AnswersAndCloses(Conversation):
            async def noop(self, rest):
                self.reply(501, "5.5.4", "No")
                self.reply(421, "4.5.0", "Closing")
                self.writer.close()
                self.is_over = True

        async with talk(AnswersAndCloses) as session:
            for _ in range(30):
                await session.open()
                await session.send(b"NOOP\r\n")
                # What is sent now meets a socket that is closed, or about to be.
                await asyncio.to_thread(bench.socket.exists)
                await session.send(b"RSET\r\n")
                assert ["501", "421"] == [reply.code for reply in await session.read_to_end()]
                await session.close()

    async def test_a_flood_is_held_back(self, talk):
        class Floods(Conversation):
            async def noop(self, rest):
                while True:
                    self.writer.write(b"250 more\r\n" * 10_000)
                    await self.writer.drain()

        async with talk(Floods) as session:
            await session.open()
            await session.send(b"NOOP\r\n")
            for _ in range(300):
                await session.read()

            assert len(session.wire.pending) < 2 * MAX_UNREAD

    async def test_a_line_without_end_is_cut(self, talk):
        class Endless(Conversation):
            async def noop(self, rest):
                self.writer.write(b"250 " + b"x" * 200_000)

        async with talk(Endless) as session:
            await session.open()
            reply = await session.say("NOOP")

            assert len(reply.lines[0]) < 150_000

    async def test_a_reply_without_end_is_cut(self, talk):
        class Endless(Conversation):
            async def noop(self, rest):
                self.writer.write(b"250-x\r\n" * 2000)

        async with talk(Endless) as session:
            await session.open()

            assert 1000 == len((await session.say("NOOP")).lines)


class Deaf(Conversation):
    async def read_line(self):
        self.writer.transport.pause_reading()
        await asyncio.Event().wait()


class TestContent:
    async def test_answered_421_says_nothing(self, talk):
        async with talk(EndsAtTheDot) as session:
            await session.content("ann@example.org")
            with pytest.raises(PreconditionError, match="ended the session"):
                await session.check_count(session.message() + DOT, 1)

    async def test_answered_421_behind_the_first_says_nothing(self, talk):
        async with talk(EndsBehindTheFirst) as session:
            await session.content("ann@example.org", "bob@example.org")
            with pytest.raises(PreconditionError, match="ended the session"):
                await session.check_count(session.message() + DOT, 2)

    async def test_that_was_refused_was_not_delivered(self, talk):
        async with talk() as session:
            await session.content("failing@example.org")
            with pytest.raises(NotApplicableError, match="not accepted"):
                await session.delivered(session.message() + DOT, 1)

    async def test_that_can_not_be_found_says_that_the_folder_may_be_wrong(self, talk):
        async with talk(Loses) as session:
            await session.content("ann@example.org")
            with pytest.raises(PreconditionError, match="--maildir"):
                await session.delivered(session.message() + DOT, 1)

    async def test_can_not_be_looked_for_without_a_folder(self, talk):
        async with talk(maildir=None) as session:
            with pytest.raises(PreconditionError, match="folder"):
                session.landed()


class TestLogin:
    async def test_needs_credentials(self, talk):
        async with talk() as session:
            with pytest.raises(PreconditionError, match="credentials"):
                session.plain_response()

    async def test_that_tls_does_not_begin_is_seen(self, bench, talk):
        class Refuses(Conversation):
            async def starttls(self, rest):
                self.reply(220, "2.0.0", "Go ahead")
                self.is_over = True

        async with talk(Refuses) as session:
            await session.greet()
            await session.say("STARTTLS")

            assert not await session.tls_begins(bench.untrusting())
