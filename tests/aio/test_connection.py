# SPDX-License-Identifier: Apache-2.0
"""
A session over a real socket: what the client sees, what the observer is told, and what a bad handler can't break.
"""

import asyncio
import errno

import pytest

import lmtp
from lmtp.aio.connection import Connection
from lmtp.aio.spool import Spool
from lmtp.observe import events as observed
from lmtp.protocol.events import ClientGreeted, ContentCompleted
from tests.aio.conftest import Inbox


class TestReplies:
    """
    RFC 2033 §4.2, §5: one reply per accepted recipient, in order, each as soon as it is known.
    """

    @pytest.mark.guards("LMTP-4.2-3", "LMTP-4.2-5")
    async def test_each_recipient_gets_its_own(self, start):
        async with start(Inbox(full=lmtp.Deferred("4.2.2"), gone=lmtp.Failed("5.2.1"))) as server:
            client = await server.connect()
            await client.open_transaction("ann", "full", "gone", "ann")
            client.send("Subject: hello", "", "hello", ".")

            assert ["250", "452", "550", "250"] == await client.read_codes(4)

    @pytest.mark.guards("LMTP-4.2-10")
    async def test_first_reply_does_not_wait_for_a_slow_second(self, start):
        may_go_on = asyncio.Event()

        class Slow:
            async def deliver(self, transaction):
                first, second = transaction.recipients
                first.settle(lmtp.Delivered())
                await may_go_on.wait()
                second.settle(lmtp.Delivered())

        async with start(Slow()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send(".")

            assert ["250"] == await client.read_codes(1)

            may_go_on.set()

            assert ["250"] == await client.read_codes(1)

    @pytest.mark.guards("LMTP-4.2-3", "LMTP-4.2-10")
    async def test_fast_second_recipient_waits_for_a_slow_first(self, start):
        may_go_on = asyncio.Event()

        class Reversed:
            async def deliver(self, transaction):
                first, second = transaction.recipients
                second.settle(lmtp.Failed("5.2.1"))
                await may_go_on.wait()
                first.settle(lmtp.Delivered())

        async with start(Reversed()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send(".")
            may_go_on.set()

            assert ["250", "550"] == await client.read_codes(2)

    @pytest.mark.guards("PL-12")
    async def test_next_transaction_may_be_pipelined_behind_the_dot(self, start):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("one", ".", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA")

            assert ["250", "250", "250", "250", "354"] == await client.read_codes(5)

    @pytest.mark.guards("T60", "ST-8")
    async def test_all_are_sent_before_the_close_that_quit_asks_for(self, start):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.open_transaction(*(f"user{number}" for number in range(50)))
            client.send("hello", ".", "QUIT")
            said = await client.read_to_end()

            assert 50 == said.count("250 2.0.0")
            assert said.endswith("221 2.0.0 Goodbye\r\n")

    @pytest.mark.guards("ST-12")
    async def test_client_that_closes_its_half_still_gets_its_replies(self, start):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")
            client.writer.write_eof()

            assert 2 == (await client.read_to_end()).count("250 2.0.0")


class TestContent:
    """
    What the handler gets is what the client sent, wherever it was kept.
    """

    @pytest.mark.guards("TX-2")
    @pytest.mark.parametrize("size", [0, 1, 4096, 256 * 1024 - 2, 256 * 1024 + 1, 3_000_000])
    async def test_arrives_octet_for_octet(self, start, size):
        content = b"".join(b".%06d is a line\r\n" % number for number in range(size // 17))
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.writer.write(content.replace(b"\r\n.", b"\r\n..").replace(b".", b"..", 1) + b".\r\n")

            assert ["250"] == await client.read_codes(1)
            assert [content] == inbox.contents

    async def test_small_ones_stay_in_memory_and_big_ones_go_to_a_file(self, start):
        inbox = Inbox()
        async with start(inbox, spool_threshold_bytes=1000) as server:
            client = await server.connect()
            for size in (10, 2000):
                await client.open_transaction("ann")
                client.writer.write(b"x" * size + b"\r\n.\r\n")
                await client.read_codes(1)

        assert [True, False] == [transaction.content.is_in_memory for transaction in inbox.transactions]

    @pytest.mark.guards("LMTP-4.2-8")
    async def test_that_can_not_be_spooled_is_deferred_for_every_recipient(self, start, tmp_path):
        async with start(Inbox(), spool_threshold_bytes=10, spool_folder=str(tmp_path / "missing")) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.writer.write(b"x" * 1000 + b"\r\n" * 500 + b".\r\n")

            assert ["451", "451"] == await client.read_codes(2)
            assert ["250"] == await client.say("NOOP")

    @pytest.mark.guards("LMTP-4.2-8")
    async def test_that_finds_the_disk_full_is_told_so_for_every_recipient(self, start, monkeypatch):
        def full(*_arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Spool, "_write_to_file", full)
        async with start(Inbox(), spool_threshold_bytes=10) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.writer.write(b"x" * 1000 + b"\r\n.\r\n")

            assert ["452", "452"] == await client.read_codes(2)


class TestHandler:
    """
    Whatever the programme behind the server does, every recipient gets its reply.
    """

    @pytest.mark.guards("LMTP-4.2-8")
    async def test_that_raises_defers_those_it_left_and_is_reported_with_its_traceback(self, start, recorder):
        class Broken:
            async def deliver(self, transaction):
                transaction.recipients[0].settle(lmtp.Delivered())
                raise KeyError("secret")

        async with start(Broken()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob", "cat")
            client.send("hello", ".")
            replies = [await client.read_reply() for _ in range(3)]

            assert ["250", "451", "451"] == [reply[:3] for reply in replies]
            assert "451 4.3.0 <bob@example.org> Mail system trouble\r\n" == replies[1]
            assert ["250"] == await client.say("NOOP")
        [failure] = recorder.of(observed.HandlerFailed)
        assert isinstance(failure.error, KeyError)
        assert failure.error.__traceback__ is not None

    async def test_that_forgets_a_recipient_defers_it_and_is_reported(self, start, recorder):
        class Forgetful:
            async def deliver(self, transaction):
                transaction.recipients[1].settle(lmtp.Delivered())

        async with start(Forgetful()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")

            assert ["451", "250"] == await client.read_codes(2)
        assert 1 == len(recorder.of(observed.HandlerFailed))

    @pytest.mark.guards("T57", "LMTP-4.2-8")
    async def test_that_hangs_defers_those_it_left_when_its_time_is_over(self, start, recorder, clock):
        started = asyncio.Event()

        class Hanging:
            async def deliver(self, transaction):
                transaction.recipients[0].settle(lmtp.Delivered())
                started.set()
                await asyncio.Event().wait()

        async with start(Hanging()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")
            await started.wait()
            await clock.advance(server.settings.deadlines.delivery_seconds + 1)

            assert ["250", "451"] == await client.read_codes(2)
            assert ["250"] == await client.say("NOOP")
        assert isinstance(recorder.of(observed.HandlerFailed)[0].error, TimeoutError)

    async def test_that_settles_twice_is_told_so_and_the_client_hears_the_first(self, start, recorder):
        class Twice:
            async def deliver(self, transaction):
                transaction.recipients[0].settle(lmtp.Failed("5.2.1"))
                transaction.recipients[0].settle(lmtp.Delivered())

        async with start(Twice()) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.send("hello", ".")

            assert ["550"] == await client.read_codes(1)
        assert isinstance(recorder.of(observed.HandlerFailed)[0].error, lmtp.LocalProtocolError)

    @pytest.mark.parametrize("nonsense", [None, "250", lmtp.Accepted()])
    async def test_that_settles_with_nonsense_defers_those_it_left(self, start, recorder, nonsense):
        class Nonsensical:
            async def deliver(self, transaction):
                transaction.recipients[0].settle(nonsense)

        async with start(Nonsensical()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")

            assert ["451", "451"] == await client.read_codes(2)
            assert ["250"] == await client.say("NOOP")
        assert isinstance(recorder.of(observed.HandlerFailed)[0].error, lmtp.LocalProtocolError)

    async def test_that_awaits_what_somebody_cancelled_defers_those_it_left(self, start, recorder):
        class Unlucky(Inbox):
            async def verify(self, recipient, transaction):
                if recipient.forward_path.mailbox.local_part == "bob":
                    raise asyncio.CancelledError
                return lmtp.Accepted()

            async def deliver(self, transaction):
                raise asyncio.CancelledError

        async with start(Unlucky()) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")

            assert ["250", "451", "354"] == await client.say("RCPT TO:<ann@x>", "RCPT TO:<bob@x>", "DATA")

            client.send("hello", ".")

            assert ["451"] == await client.read_codes(1)
        assert ["verifying <bob@x>", "delivering"] == [each.doing for each in recorder.of(observed.HandlerFailed)]

    @pytest.mark.guards("T55", "DUP-2")
    async def test_housekeeping_after_the_last_outcome_holds_up_nobody(self, start):
        may_end = asyncio.Event()

        class Housekeeper(Inbox):
            async def deliver(self, transaction):
                await super().deliver(transaction)
                await may_end.wait()

        async with start(Housekeeper()) as server:
            client = await server.connect()
            for _ in range(2):
                await client.open_transaction("ann")
                client.send("hello", ".")

                assert ["250"] == await client.read_codes(1)
            may_end.set()

    @pytest.mark.guards("T59")
    async def test_state_of_one_transaction_does_not_reach_the_next(self, start):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            for local_parts in (["ann", "bob"], ["cat"]):
                await client.open_transaction(*local_parts)
                client.send("for " + local_parts[0], ".")
                await client.read_codes(len(local_parts))

        assert [b"for ann\r\n", b"for cat\r\n"] == inbox.contents
        assert [2, 1] == [len(transaction.recipients) for transaction in inbox.transactions]
        assert 2 == len({transaction.transaction_id for transaction in inbox.transactions})

    async def test_fault_of_our_own_is_answered_and_reported(self, start, recorder, monkeypatch):
        def stumble(self, event):
            raise AssertionError("cannot happen")

        monkeypatch.setitem(Connection._REACTIONS, ContentCompleted, stumble)
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")

            assert ["451", "451", "421"] == [line[:3] for line in (await client.read_to_end()).splitlines()]
        assert isinstance(recorder.of(observed.HandlerFailed)[0].error, AssertionError)

    async def test_fault_of_our_own_outside_a_transaction_is_answered_too(self, start, recorder, monkeypatch):
        def stumble(self, event):
            raise AssertionError("cannot happen")

        monkeypatch.setitem(Connection._REACTIONS, ClientGreeted, stumble)
        async with start(Inbox()) as server:
            client = await server.connect()
            client.send("LHLO x")

            assert (await client.read_to_end()).endswith("421 4.3.0 Internal error, closing\r\n")
        assert "" == recorder.of(observed.HandlerFailed)[0].transaction_id


class TestVerification:
    """
    RFC 5321 §3.3: a recipient is accepted or refused at RCPT, by whoever can tell.
    """

    async def test_pipelined_recipients_are_asked_for_at_the_same_time_and_answered_in_order(self, start):
        asked = []
        all_asked = asyncio.Event()

        class Concurrent(Inbox):
            async def verify(self, recipient, transaction):
                asked.append(recipient)
                if len(asked) == 3:
                    all_asked.set()
                await all_asked.wait()
                is_known = recipient.forward_path.mailbox.local_part != "bob"
                return lmtp.Accepted("account") if is_known else lmtp.Failed("5.1.1")

        inbox = Concurrent()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            recipients = [f"RCPT TO:<{local_part}@example.org>" for local_part in ("ann", "bob", "cat")]

            assert ["250", "550", "250", "354"] == await client.say(*recipients, "DATA")

            client.send(".")

            assert ["250", "250"] == await client.read_codes(2)
        assert ["account", "account"] == [each.account for each in inbox.transactions[0].recipients]

    async def test_that_raises_defers_the_recipient(self, start, recorder):
        class Broken(Inbox):
            async def verify(self, recipient, transaction):
                raise ZeroDivisionError

        async with start(Broken()) as server:
            client = await server.connect()

            assert ["250", "250", "451", "503"] == await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@x>", "DATA")
        assert 1 == len(recorder.of(observed.HandlerFailed))

    async def test_that_says_nonsense_defers_the_recipient(self, start, recorder):
        class Nonsensical(Inbox):
            async def verify(self, recipient, transaction):
                return None

        async with start(Nonsensical()) as server:
            client = await server.connect()

            assert ["250", "250", "451", "250"] == await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@x>", "NOOP")
        assert 1 == len(recorder.of(observed.HandlerFailed))

    async def test_that_knows_at_once_need_not_be_a_coroutine(self, start, recorder):
        class Ready(Inbox):
            def verify(self, recipient, transaction):
                match recipient.forward_path.mailbox.local_part:
                    case "bob":
                        return lmtp.Failed("5.1.1")
                    case "carol":
                        raise lmtp.TransientError("4.4.3", "the directory is down")
                    case "dave":
                        raise ZeroDivisionError
                    case _:
                        return lmtp.Accepted("account")

        async with start(inbox := Ready()) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            names = ("ann", "bob", "carol", "dave")

            assert ["250", "550", "451", "451"] == await client.say(*(f"RCPT TO:<{name}@x>" for name in names))

            assert ["354", "250"] == await client.say("DATA", "hello\r\n.")
        assert "account" == inbox.transactions[0].recipients[0].account
        assert 1 == len(recorder.of(observed.HandlerFailed))

    async def test_driver_says_with_which_status_it_could_not_tell(self, start, recorder):
        class Down(Inbox):
            async def verify(self, recipient, transaction):
                raise lmtp.TransientError("4.4.3", "the directory is down")

        async with start(Down()) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            client.send("RCPT TO:<ann@x>")

            assert (await client.read_reply()).startswith("451 4.4.3 <ann@x>")
        [refused] = recorder.of(observed.RecipientRefused)
        assert "the directory is down" == refused.verdict.detail
        assert not recorder.of(observed.HandlerFailed)

    async def test_that_hangs_defers_the_recipient_when_its_time_is_over(self, start, clock):
        started = asyncio.Event()

        class Hanging(Inbox):
            async def verify(self, recipient, transaction):
                started.set()
                await asyncio.Event().wait()

        async with start(Hanging()) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            client.send("RCPT TO:<ann@x>")
            await started.wait()
            await clock.advance(server.settings.deadlines.verify_seconds + 1)

            assert ["451"] == await client.read_codes(1)


class TestDeadlines:
    """
    RFC 5321 §4.5.3.2: nobody is waited for without end, and nobody is cut off without a word.
    """

    @pytest.mark.guards("RP-10", "SD-2")
    async def test_idle_client_is_told_421_and_closed(self, start, clock, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            await clock.advance(server.settings.deadlines.command_seconds - 1)

            assert ["250"] == await client.say("LHLO x")

            await clock.advance(server.settings.deadlines.command_seconds - 1)

            assert ["250"] == await client.say("NOOP")

            await clock.advance(server.settings.deadlines.command_seconds + 1)

            assert "421 4.4.2 Waited too long, closing\r\n" == await client.read_to_end()
        [closed] = recorder.of(observed.SessionClosed)
        assert closed.reason.startswith("421 4.4.2")

    @pytest.mark.guards("DUP-6")
    async def test_content_that_stops_coming_leaves_nothing_and_is_told_421(self, start, clock, recorder):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.send("half of it")
            await clock.advance(0)
            await clock.advance(server.settings.deadlines.content_seconds + 1)

            assert "421 4.4.2 Waited too long, closing\r\n" == await client.read_to_end()
        assert [] == inbox.transactions
        assert 1 == len(recorder.of(observed.TransactionAborted))

    async def test_shorter_deadline_holds_from_when_it_applies(self, start, clock):
        async with start(Inbox(), deadlines=lmtp.Deadlines(content_seconds=10)) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            await clock.advance(11)

            assert (await client.read_to_end()).startswith("421 4.4.2")

    async def test_half_a_command_buys_no_time(self, start, clock):
        async with start(Inbox(), deadlines=lmtp.Deadlines(command_seconds=10)) as server:
            client = await server.connect()
            for octet in b"LHLO":
                client.writer.write(bytes([octet]))
                await clock.advance(0)
                await clock.advance(3)

            assert (await client.read_to_end()).startswith("421 4.4.2")

    async def test_client_does_not_pay_for_a_slow_handler(self, start, clock):
        may_go_on = asyncio.Event()

        class Slow(Inbox):
            async def deliver(self, transaction):
                await may_go_on.wait()
                await super().deliver(transaction)

        async with start(Slow(), deadlines=lmtp.Deadlines(command_seconds=10, delivery_seconds=1000)) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.send("hello", ".")
            await clock.advance(0)
            await clock.advance(15)
            await clock.advance(15)
            may_go_on.set()

            assert ["250"] == await client.read_codes(1)


class TestFlow:
    """
    A session never holds more than its share, whatever the client does.
    """

    async def test_client_that_does_not_read_is_not_read_from(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            client.writer.write(b"LHLO x\r\n" + b"HELP\r\n" * 20_000)
            said = b""
            while said.count(b"214 ") < 20_000:
                said += await client.reader.read(65536)

            assert said.endswith(b"\r\n")

    async def test_connection_that_is_cut_while_nothing_is_read_from_it_is_forgotten(self, start, recorder):
        """
        What its client had pipelined behind a message that is still being delivered is obeyed no more.
        """
        started, may_go_on = asyncio.Event(), asyncio.Event()

        class Slow(Inbox):
            async def deliver(self, transaction):
                started.set()
                await may_go_on.wait()
                await super().deliver(transaction)

        async with start(inbox := Slow()) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.write(b"hello\r\n.\r\n" + b"NOOP\r\n" * 10_000)
            await started.wait()
            [connection] = server._connections
            while not connection._is_reading_paused:
                await asyncio.sleep(0)
            connection.cut()
            while not recorder.of(observed.SessionClosed):
                await asyncio.sleep(0)
            may_go_on.set()
        assert [b"hello\r\n"] == inbox.contents
        assert 1 == len(recorder.of(observed.RepliesLost))

    async def test_thousand_recipients_in_one_piece_are_all_answered(self, start):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            codes = await client.say(*(f"RCPT TO:<u{number}@example.org>" for number in range(1005)), "DATA")

            assert {"250": 1000, "452": 5, "354": 1} == {code: codes.count(code) for code in codes}

            client.send("hello", ".")

            assert ["250"] * 1000 == await client.read_codes(1000)


class TestObserver:
    """
    Everything an operator greps for is told once.
    """

    async def test_is_told_what_became_of_each_recipient(self, start, recorder):
        async with start(Inbox(full=lmtp.Deferred("4.2.2", detail="12 of 10 MB"))) as server:
            client = await server.connect()
            await client.open_transaction("ann", "full")
            client.send("hello", ".")
            await client.read_codes(2)
        ann, full = recorder.of(observed.RecipientSettled)

        assert ("<sender@example.org>", "<ann@example.org>", 7) == (ann.reverse_path, ann.forward_path, ann.size_bytes)
        assert lmtp.Delivered("here") == ann.outcome
        assert "12 of 10 MB" == full.outcome.detail
        assert "452 4.2.2 <full@example.org> Mailbox full" == str(full.reply)
        assert ann.transaction_id == full.transaction_id

    async def test_is_told_of_recipients_of_a_message_that_was_refused_as_a_whole(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.writer.write(b"bare\nline\r\n.\r\n")

            assert ["554", "554"] == await client.read_codes(2)
        assert 2 == len(recorder.of(observed.RecipientSettled))

    @pytest.mark.guards("DUP-4")
    async def test_is_told_whose_replies_the_client_did_not_wait_for(self, start, recorder):
        started, may_go_on = asyncio.Event(), asyncio.Event()

        class Slow:
            async def deliver(self, transaction):
                transaction.recipients[0].settle(lmtp.Delivered())
                started.set()
                await may_go_on.wait()
                transaction.recipients[1].settle(lmtp.Delivered())

        async with start(Slow()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")
            await started.wait()
            client.writer.transport.abort()
            while not recorder.of(observed.RepliesLost):
                await asyncio.sleep(0)
            may_go_on.set()

        assert [("<bob@example.org>",)] == [event.forward_paths for event in recorder.of(observed.RepliesLost)]
        assert 2 == len(recorder.of(observed.RecipientSettled)), "what was delivered is still told"

    @pytest.mark.guards("DUP-4")
    async def test_is_told_also_of_replies_held_behind_another(self, start, recorder):
        started, may_go_on = asyncio.Event(), asyncio.Event()

        class Reversed:
            async def deliver(self, transaction):
                transaction.recipients[1].settle(lmtp.Delivered())
                started.set()
                await may_go_on.wait()
                transaction.recipients[0].settle(lmtp.Delivered())

        async with start(Reversed()) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")
            await started.wait()
            client.writer.write_eof()
            while not recorder.of(observed.RepliesLost):
                await asyncio.sleep(0)
            client.writer.transport.abort()
            may_go_on.set()

        assert [("<ann@example.org>", "<bob@example.org>")] == [
            event.forward_paths for event in recorder.of(observed.RepliesLost)
        ]

    async def test_is_told_of_a_message_refused_for_the_size_it_was_said_to_have(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()

            assert ["250", "552"] == await client.say("LHLO x", "MAIL FROM:<ann@x> SIZE=99999999")
        [refused] = recorder.of(observed.TransactionRefused)

        assert ("<ann@x>", 552) == (refused.reverse_path, refused.reply.code)

    async def test_is_told_of_recipients_beyond_the_limit(self, start, recorder):
        async with start(Inbox(), limits=lmtp.Limits(recipients=100)) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", *(f"RCPT TO:<u{number}@x>" for number in range(101)))
        [refused] = recorder.of(observed.RecipientRefused)

        assert ("<u100@x>", 452) == (refused.forward_path, refused.reply.code)

    async def test_is_told_what_was_refused(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.say("GET / HTTP/1.1")
        [refused] = recorder.of(observed.CommandRefused)

        assert ("GET / HTTP/1.1", 500) == (refused.command, refused.reply.code)
