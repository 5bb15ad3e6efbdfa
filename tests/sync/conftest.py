# SPDX-License-Identifier: Apache-2.0
"""
Servers on threads of their own, for clients that block: real ones, and those that do what a script says.
"""

import contextlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

import lmtp
from lmtp.aio.tls import ServerTls, TlsSettings
from lmtp.testing.background import in_thread
from lmtp.testing.collecting import collecting_server
from lmtp.testing.script_server import scripted_server

CA = trustme.CA()
STORE = CA.issue_cert("store.example")
MESSAGE = b"Subject: hello\r\n\r\n.dot\r\n"
FAST = lmtp.ClientDeadlines(**dict.fromkeys(lmtp.ClientDeadlines.__slots__, 0.05))
BASIC = "offer: ENHANCEDSTATUSCODES, SIZE"


def envelope(*local_parts, sender="ann@example.org", **parameters):
    return lmtp.OutgoingEnvelope.parse(
        sender,
        *(f"{local_part}@example.org" for local_part in local_parts),
        parameters=lmtp.MailParameters(**parameters),
    )


def outcomes(results):
    return [(type(result.outcome).__name__, result.outcome.status) for result in results]


def trusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    CA.configure_trust(context)
    return context


def certified():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    STORE.configure_cert(context)
    return context


@contextlib.asynccontextmanager
async def collecting_under_tls(file, at, **arguments):
    file.write_bytes(STORE.private_key_and_cert_chain_pem.bytes())
    tls = await ServerTls.load(TlsSettings(certificate_file=str(file)), observer=None)
    async with collecting_server(at, tls=tls, **arguments) as server:
        yield server


def answer_lines(listener, replies):
    """
    Take one connection, and answer each line that comes with the next reply; the first is the greeting.
    """
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as lines:
        for reply in replies:
            connection.sendall(reply)
            lines.readline()


@pytest.fixture
def answering():
    """
    Start a server that answers one line after the other, whatever they say; returns its host and port.
    """
    with contextlib.ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor())

        def start(*replies):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threads.submit(answer_lines, listener, replies)
            return listener.getsockname()

        yield start


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def start():
    """
    Enter an asynchronous context manager on a thread, until the test is over.
    """
    with contextlib.ExitStack() as stack:
        yield lambda context: stack.enter_context(in_thread(context))


@pytest.fixture
def script(start):
    """
    Start a server that does what scripts say; it ends when the test does.
    """
    return lambda *scripts, **arguments: start(scripted_server(*scripts, **arguments))


@pytest.fixture
def collect(start):
    """
    Start a real server.
    """
    return lambda *arguments, **settings: start(collecting_server(*arguments, **settings))


@pytest.fixture
def collect_under_tls(start, tmp_path):
    """
    Start a real server with a certificate.
    """
    return lambda at, **arguments: start(collecting_under_tls(tmp_path / "store.pem", at, **arguments))
