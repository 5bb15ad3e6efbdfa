# SPDX-License-Identifier: Apache-2.0
"""
The programmes of the manual run as they are printed there.
"""

import asyncio
import contextlib
import importlib.util
import smtplib
import socket
import threading
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.asynccontextmanager
async def running(main, socket_path):
    task = asyncio.create_task(main)
    while not socket_path.exists():
        await asyncio.sleep(0)
        if task.done():
            await task
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def send(socket_path, *recipients):
    with smtplib.LMTP(str(socket_path)) as client:
        client.ehlo()
        client.mail("me@example.org")
        codes = [client.rcpt(recipient)[0] for recipient in recipients]
        client.docmd("DATA")
        client.send(MESSAGE + b".\r\n")
        return codes, [client.getreply()[0] for code in codes if code == 250]


@pytest.fixture
def socket_path(place):
    return place / "lmtp.sock"


class TestInbox:
    async def test_has_a_row_for_each_recipient(self, tmp_path, monkeypatch, socket_path):
        monkeypatch.chdir(tmp_path)
        inbox = load("inbox")
        async with running(inbox.main(f"unix:{socket_path}"), socket_path):
            replies = await asyncio.to_thread(send, socket_path, "ann@example.org", "ben@example.org")
        rows = inbox.db.execute("SELECT recipient, message FROM inbox").fetchall()
        inbox.db.close()

        assert ([250, 250], [250, 250]) == replies
        assert [("<ann@example.org>", MESSAGE), ("<ben@example.org>", MESSAGE)] == rows


class TestTickets:
    async def test_are_filed_by_queue_and_unknown_queues_refused(self, tmp_path, socket_path):
        tickets = load("tickets")
        async with running(tickets.main(tmp_path, f"unix:{socket_path}"), socket_path):
            replies = await asyncio.to_thread(
                send, socket_path, "support+17@tickets.example", "nobody@tickets.example", "billing@tickets.example"
            )

        assert ([250, 550, 250], [250, 250]) == replies
        assert [MESSAGE] == [file.read_bytes() for file in (tmp_path / "support").iterdir()]
        assert [MESSAGE] == [file.read_bytes() for file in (tmp_path / "billing").iterdir()]

    async def test_that_cannot_be_written_are_deferred(self, tmp_path, socket_path):
        tickets = load("tickets")
        async with running(tickets.main(tmp_path, f"unix:{socket_path}"), socket_path):
            (tmp_path / "support").rmdir()
            replies = await asyncio.to_thread(send, socket_path, "support@tickets.example", "billing@tickets.example")

        assert ([250, 250], [451, 250]) == replies


class TestEngine:
    def test_speaks_lmtp_over_any_transport(self):
        engine = load("engine")
        server, client = socket.socketpair()
        received = []
        thread = threading.Thread(target=lambda: received.append(engine.converse(server)))
        thread.start()
        with server, client, client.makefile("rb") as replies:
            client.sendall(
                b"LHLO me.example\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n" + MESSAGE + b".\r\n"
            )
            client.shutdown(socket.SHUT_WR)
            thread.join()
            server.shutdown(socket.SHUT_WR)
            said = replies.read().decode()

        assert [MESSAGE] == received
        assert said.endswith("451 4.3.2 <ann@example.org> Only printed, not stored\r\n")
