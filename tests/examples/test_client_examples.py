# SPDX-License-Identifier: Apache-2.0
"""
The programmes of the manual that send mail, each with a real server on the other end.
"""

import asyncio
import sqlite3
import sys

import fastapi.testclient
import pytest
import trio

import lmtp
from tests.examples.test_examples import EXAMPLES, load, running

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"


class Store:
    """
    A store that knows no ``nobody``, and in which ``full`` has no room.
    """

    def __init__(self):
        self.messages = []

    def verify(self, recipient, _transaction):
        is_known = recipient.forward_path.mailbox.local_part != "nobody"
        return lmtp.Accepted() if is_known else lmtp.Failed("5.1.1")

    async def deliver(self, transaction):
        content = transaction.content.read()
        for recipient in transaction.recipients:
            is_full = recipient.forward_path.mailbox.local_part == "full"
            recipient.settle(lmtp.Deferred("4.2.2") if is_full else lmtp.Delivered())
            self.messages += [] if is_full else [(str(recipient.forward_path), content)]


def statuses(results):
    return [result.outcome.status for result in results]


class TestFilter:
    async def test_tells_of_each_recipient_what_the_store_said(self, place):
        store = Store()
        envelope = lmtp.OutgoingEnvelope.parse(
            "me@example.org", "ann@example.org", "full@example.org", "nobody@example.org"
        )
        main = load("filter").main(f"unix:{place}/filter", f"unix:{place}/store")
        async with (
            lmtp.serve(store, f"unix:{place}/store"),
            running(main, place / "filter"),
            lmtp.connect(f"unix:{place}/filter") as client,
        ):
            results = await client.send(envelope, b"Subject: free money\r\n\r\nAct now\r\n")

        assert ["2.0.0", "4.2.2", "5.1.1"] == statuses(results)
        assert [("<ann@example.org>", b"X-Suspicion: 2\r\nSubject: free money\r\n\r\nAct now\r\n")] == store.messages

    async def test_defers_all_while_there_is_no_store(self, place):
        main = load("filter").main(f"unix:{place}/filter", f"unix:{place}/store")
        envelope = lmtp.OutgoingEnvelope.parse("me@example.org", "ann@example.org", "ben@example.org")
        async with running(main, place / "filter"), lmtp.connect(f"unix:{place}/filter") as client:
            results = await client.send(envelope, MESSAGE)

        assert ["4.4.1", "4.4.1"] == statuses(results)


class TestMailingList:
    async def test_sends_a_post_to_all_who_joined_and_again_to_those_who_were_deferred(self, tmp_path, place):
        out, relay = Store(), f"unix:{place}/relay"
        main = load("mailing_list").main(tmp_path, f"unix:{place}/lists", relay)
        async with (
            lmtp.serve(out, relay, settings=lmtp.ServerSettings(server_name="relay.example", dialect=lmtp.SMTP)),
            running(main, place / "lists"),
            lmtp.connect(f"unix:{place}/lists") as client,
        ):
            for member in ("ann@example.org", "ben@example.org"):
                envelope = lmtp.OutgoingEnvelope.parse(member, "friends-join@lists.example")
                assert ["2.0.0"] == statuses(await client.send(envelope, MESSAGE))
            stranger = lmtp.OutgoingEnvelope.parse("eve@example.org", "friends@lists.example", "foes@lists.example")
            refused = await client.send(stranger, MESSAGE)
            posted = await client.send(lmtp.OutgoingEnvelope.parse("ann@example.org", "friends@lists.example"), MESSAGE)
            while len(out.messages) < 2 or list((tmp_path / "posts").iterdir()):
                await asyncio.sleep(0.001)

        assert ["5.7.1", "5.1.1"] == statuses(refused)
        assert ["2.0.0"] == statuses(posted)
        listed = b"List-Id: <friends.lists.example>\r\n" + MESSAGE
        assert [("<ann@example.org>", listed), ("<ben@example.org>", listed)] == out.messages

    async def test_keeps_a_post_while_there_is_no_relay(self, tmp_path, place):
        lists = load("mailing_list")
        async with lmtp.Pool([f"unix:{place}/nobody"]) as pool:
            (tmp_path / "friends.json").write_text('["ann@example.org"]')
            handler = lists.Lists(tmp_path, pool)
            async with (
                lmtp.serve(handler, f"unix:{place}/lists"),
                lmtp.connect(f"unix:{place}/lists") as client,
            ):
                envelope = lmtp.OutgoingEnvelope.parse("ann@example.org", "friends@lists.example")
                assert ["2.0.0"] == statuses(await client.send(envelope, MESSAGE))
            await handler.distribute()

        assert 2 == len(list((tmp_path / "posts").iterdir()))


class TestFastApi:
    @pytest.fixture
    def app(self, monkeypatch, place):
        monkeypatch.setenv("LMTP_STORE", f"unix:{place}/store")
        return load("fastapi_app").app

    def test_answers_with_what_became_of_each_recipient(self, app, lmtp_server, monkeypatch):
        monkeypatch.setenv("LMTP_STORE", lmtp_server.endpoint)
        lmtp_server.fail("full@example.org", "452 4.2.2 full")
        note = {"sender": "me@example.org", "subject": "Grüße", "text": "Hallo\n"}
        with fastapi.testclient.TestClient(app) as client:
            answers = client.post("/notes", json=note | {"recipients": ["ann@example.org", "full@example.org"]}).json()
            broken = client.post("/notes", json=note | {"recipients": ["ann@@example.org"]})

        assert ["delivered", "deferred"] == [answer["outcome"] for answer in answers]
        assert "4.2.2" == answers[1]["status"]
        assert 422 == broken.status_code
        assert "Grüße" == lmtp_server.messages[0].email["Subject"]

    def test_answers_when_there_is_no_store(self, app):
        note = {"sender": "me@example.org", "recipients": ["ann@example.org"], "subject": "Hallo", "text": "Hallo\n"}
        with fastapi.testclient.TestClient(app) as client:
            (answer,) = client.post("/notes", json=note).json()

        assert ("deferred", "4.4.1") == (answer["outcome"], answer["status"])


class TestTrio:
    def test_sends_by_the_same_engine(self, lmtp_server):
        lmtp_server.refuse("nobody@example.org", "550 5.1.1 nobody")
        trio_client = load("trio_client")
        envelope = lmtp.OutgoingEnvelope.parse("me@example.org", "ann@example.org", "nobody@example.org")

        async def send():
            stream = await trio.open_tcp_stream(lmtp_server.host, lmtp_server.port)
            async with stream:
                return await trio_client.send(stream, envelope, MESSAGE)

        assert ["2.0.0", "5.1.1"] == statuses(trio.run(send))
        assert [MESSAGE] == [message.content for message in lmtp_server.messages]


DJANGO = """
import asyncio, sys
sys.path.insert(0, {examples!r})
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django_inbox"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}},
)
django.setup()
from django.core.management import call_command
from django_inbox.models import Mailbox
call_command("migrate", run_syncdb=True, verbosity=0)
Mailbox.objects.create(address="ann@example.org")
call_command("receive_mail", {endpoint!r})
"""


class TestDjango:
    async def test_command_puts_mail_into_rows(self, tmp_path, place):
        database = str(tmp_path / "mail.sqlite")
        code = DJANGO.format(examples=str(EXAMPLES), database=database, endpoint=f"unix:{place}/inbox")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        try:
            while not (place / "inbox").exists() and process.returncode is None:
                await asyncio.sleep(0.01)
            async with lmtp.connect(f"unix:{place}/inbox") as client:
                envelope = lmtp.OutgoingEnvelope.parse("me@example.org", "Ann@example.org", "nobody@example.org")
                results = await client.send(envelope, MESSAGE)
        finally:
            process.terminate()
            await process.wait()
        with sqlite3.connect(database) as connection:
            rows = connection.execute("SELECT sender, content FROM django_inbox_message").fetchall()
        connection.close()

        assert ["2.0.0", "5.1.1"] == statuses(results)
        assert [("<me@example.org>", MESSAGE)] == rows
