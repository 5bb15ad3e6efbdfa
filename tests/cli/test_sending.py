# SPDX-License-Identifier: Apache-2.0
"""
The loop below `lmtp send`: order, lost sessions, servers that are away, and what becomes of what was not tried.
"""

import asyncio

import pytest

from lmtp.cli.send_sources import Message, Unreadable
from lmtp.cli.sending import IN_FLIGHT, Plan, Sending
from lmtp.protocol.errors import SessionError
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, lost, outcome_of

ENVELOPE = OutgoingEnvelope.parse("", "ann@example.org", "bob@example.org")
OK = Reply(250, None, "Ok")
CLOSING = Reply(421, None, "Enough")


def results(reply=OK, point=Point.CONTENT):
    return [Result(rcpt.forward_path, outcome_of(reply, point), point, reply) for rcpt in ENVELOPE.recipients]


class Session:
    """
    Answers each message as its script says, the last entry for ever; what ends the session does.
    """

    def __init__(self, *script):
        self.script = list(script) or [results()]
        self.contents = []
        self.forwarded = []
        self.is_usable = True
        self.is_closed = False
        self.has_been_cut = False

    async def send(self, envelope, content):
        assert envelope == ENVELOPE
        self.contents.append(content)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return results()
        if isinstance(answer, Exception):
            raise answer
        if answer[0].point is not Point.CONTENT:
            self.is_usable = False
        return answer

    async def forward(self, attributes):
        self.forwarded.append(attributes)
        if "LOST" in attributes:
            raise SessionError("gone")
        return "NAME" in attributes

    async def close(self):
        self.is_closed = True

    def abort(self):
        self.has_been_cut = True


class Server:
    """
    Hands out sessions, and errors instead.
    """

    def __init__(self, *sessions):
        self.sessions = list(sessions)
        self.opened = []

    async def connect(self):
        session = self.sessions.pop(0)
        if isinstance(session, Exception):
            raise session
        self.opened.append(session)
        return session


def messages(count):
    return [Message(f"m{number}", b"%d" % number) for number in range(1, count + 1)]


def sending_of(server, items, told=None, **plan):
    sent = []
    sending = Sending(Plan(connect=server.connect, envelope=ENVELOPE, **plan), iter(items), told or sent.append)
    return sending, sent


def words(sent):
    return [type(result.outcome).__name__ for result in sent.results]


class TestMessages:
    async def test_are_told_with_their_numbers_and_results(self):
        session = Session()
        sending, sent = sending_of(Server(session), messages(2))
        await sending.run()

        assert [(1, "m1"), (2, "m2")] == [(each.number, each.name) for each in sent]
        assert [["Delivered"] * 2] * 2 == [words(each) for each in sent]
        assert [b"1", b"2"] == session.contents
        assert session.is_closed
        assert (0, "", False) == (sending.under_way, sending.why_stopped, sending.has_left_out)

    async def test_are_sent_as_often_as_asked(self):
        sending, sent = sending_of(Server(Session()), messages(2), copies=2)
        await sending.run()

        assert ["m1", "m1", "m2", "m2"] == [each.name for each in sent]

    async def test_are_told_in_order_whichever_is_first(self):
        slow = asyncio.Event()
        sending, sent = sending_of(Server(Session(slow, results())), messages(3))
        task = asyncio.create_task(sending.run())
        while sending._feed.taken < 3:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert [] == sent
        slow.set()
        await task

        assert [1, 2, 3] == [each.number for each in sent]

    async def test_are_on_their_way_several_at_a_time(self):
        slow = asyncio.Event()
        session = Session(slow)
        sending, _ = sending_of(Server(session), messages(IN_FLIGHT + 3))
        task = asyncio.create_task(sending.run())
        while len(session.contents) < IN_FLIGHT:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert IN_FLIGHT == len(session.contents)
        slow.set()
        await task

        assert IN_FLIGHT + 3 == len(session.contents)

    async def test_use_all_connections_that_can_be_had(self):
        server = Server(Session(), OSError("no more"), Session())
        sending, sent = sending_of(server, messages(40), connections=3)
        await sending.run()

        assert 40 == len(sent)
        assert 40 == sum(len(session.contents) for session in server.opened)
        assert "" == sending.why_stopped

    async def test_that_are_none_need_no_server(self):
        sending, sent = sending_of(Server(), [])
        await sending.run()

        assert [] == sent

    async def test_that_could_not_be_read_are_told(self):
        sending, sent = sending_of(Server(Session()), [Unreadable("m1", "gone"), *messages(1)])
        await sending.run()

        assert ["gone", ""] == [each.why_unread for each in sent]
        assert [] == sent[0].results

    @pytest.mark.parametrize(("error", "words"), [(OSError(5, "bad disk"), "bad disk"), (OSError("odd"), "odd")])
    async def test_whose_file_fails_later_are_told(self, error, words):
        sending, sent = sending_of(Server(Session(error, results())), messages(2))
        await sending.run()

        assert [words, ""] == [each.why_unread for each in sent]


class TestLostSession:
    @pytest.mark.parametrize("reply", [CLOSING, None])
    async def test_is_opened_again_for_what_was_not_on_its_way(self, reply):
        outcome = outcome_of(reply, Point.MAIL) if reply else lost("closed")
        enough = [Result(rcpt.forward_path, outcome, Point.MAIL, reply) for rcpt in ENVELOPE.recipients]
        server = Server(Session(results(), enough), Session())
        sending, sent = sending_of(server, messages(2))
        await sending.run()

        assert [["Delivered"] * 2] * 2 == [words(each) for each in sent]
        assert [b"2"] == server.opened[1].contents
        assert server.opened[0].is_closed

    async def test_is_opened_again_as_long_as_that_gets_anywhere(self):
        enough = results(CLOSING, Point.MAIL)
        server = Server(*(Session(results(), enough) for _ in range(5)))
        sending, sent = sending_of(server, messages(5))
        await sending.run()

        assert [["Delivered"] * 2] * 5 == [words(each) for each in sent]
        assert 5 == len(server.opened)

    async def test_that_was_of_no_use_leaves_the_message_deferred(self):
        server = Server(Session(results(CLOSING, Point.MAIL)))
        sending, sent = sending_of(server, messages(1))
        await sending.run()

        assert ["Deferred"] * 2 == words(sent[0])

    async def test_is_not_made_good_for_a_content_that_was_on_its_way(self):
        ended = [Result(rcpt.forward_path, lost("closed"), Point.CONTENT) for rcpt in ENVELOPE.recipients]
        session = Session(ended)
        sending, sent = sending_of(Server(session), messages(1))
        await sending.run()

        assert ["Deferred"] * 2 == words(sent[0])
        assert [b"1"] == session.contents

    async def test_that_cant_be_opened_again_stops_it(self):
        server = Server(Session(results(), results(CLOSING, Point.MAIL)), OSError(111, "Connection refused"))
        sending, sent = sending_of(server, messages(100))
        await sending.run()

        assert "Connection refused" == sending.why_stopped
        assert sending.has_left_out
        assert {"Delivered", "Deferred"} == {word for each in sent for word in words(each)}
        assert len(sent) <= 2 * IN_FLIGHT


class TestServerThatIsAway:
    async def test_defers_one_message_and_leaves_out_the_others(self):
        server = Server(SessionError("not today"), SessionError("not today"))
        sending, sent = sending_of(server, messages(9), connections=2)
        await sending.run()

        (one,) = sent
        assert ["Deferred"] * 2 == words(one)
        assert "not today" == one.results[0].outcome.detail
        assert "not today" == sending.why_stopped
        assert sending.has_left_out

    async def test_leaves_out_nothing_when_there_was_but_one(self):
        sending, sent = sending_of(Server(OSError("no")), messages(1))
        await sending.run()

        assert 1 == len(sent)
        assert not sending.has_left_out


class TestForwarding:
    async def test_goes_before_each_message_one_at_a_time(self):
        session = Session()
        sending, sent = sending_of(Server(session), messages(3), forwarded={"NAME": "x"})
        await sending.run()

        assert [{"NAME": "x"}] * 3 == session.forwarded
        assert 3 == len(sent)
        assert sending.is_heeded

    @pytest.mark.parametrize(("attribute", "is_heeded"), [("IDENT", False), ("LOST", True)])
    async def test_that_is_not_heeded_is_noted_and_the_message_sent(self, attribute, is_heeded):
        sending, sent = sending_of(Server(Session()), messages(1), forwarded={attribute: None})
        await sending.run()

        assert is_heeded == sending.is_heeded
        assert ["Delivered"] * 2 == words(sent[0])


class TestInterruption:
    async def test_tells_what_was_done_and_cuts_the_connection(self):
        session = Session(asyncio.Event(), results(), asyncio.Event())
        sending, sent = sending_of(Server(session), messages(3))
        task = asyncio.create_task(sending.run())
        while len(session.contents) < 3:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert [2] == [each.number for each in sent]
        assert 2 == sending.under_way
        assert session.has_been_cut
