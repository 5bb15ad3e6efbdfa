# SPDX-License-Identifier: Apache-2.0
"""
A server in the test's own loop, clients that speak plain or encrypted octets, and handlers that do as they are told.
"""

import asyncio
import contextlib
import logging
import ssl

import pytest
import trustme

import lmtp
from lmtp.aio.tls import POLL_SECONDS, ServerTls, TlsSettings
from lmtp.testing.clock import FakeClock

CA = trustme.CA()
STORE = CA.issue_cert("store.example")
RENEWED = CA.issue_cert("store.example")
MX = CA.issue_cert("mx.example.org")


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(autouse=True)
def has_a_quiet_loop(caplog):
    """
    See that the event loop has nothing to complain of: what it catches it only logs.
    """
    yield
    complaints = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [] == complaints


class Recorder:
    """
    An observer that keeps everything.
    """

    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(self, kind, count=1):
        while len(self.of(kind)) < count:
            await asyncio.sleep(0)
        return self.of(kind)


class Inbox:
    """
    A handler that delivers everything, unless told otherwise for a local part.
    """

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.contents = []
        self.transactions = []

    async def deliver(self, transaction):
        self.transactions.append(transaction)
        self.contents.append(transaction.content.read())
        for recipient in transaction.recipients:
            recipient.settle(self.outcomes.get(recipient.forward_path.mailbox.local_part, lmtp.Delivered("here")))


class Client:
    """
    One connection, spoken to in octets.
    """

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    def write(self, octets):
        self.writer.write(octets)

    async def read_line(self):
        return await self.reader.readline()

    async def read_some(self):
        try:
            return await self.reader.read(65536)
        except ConnectionResetError:  # an end like any other, when we said what nobody wanted to read
            return b""

    async def read_reply(self):
        lines = [await self.read_line()]
        while lines[-1][3:4] == b"-":
            lines.append(await self.read_line())
        return b"".join(lines).decode()

    async def read_codes(self, count):
        return [(await self.read_reply())[:3] for _ in range(count)]

    async def say(self, *lines):
        """
        Send lines in one go and return the codes of as many replies.
        """
        self.send(*lines)
        return await self.read_codes(len(lines))

    async def ask(self, line):
        """
        Send a line and return the reply.
        """
        self.send(line)
        return await self.read_reply()

    def send(self, *lines):
        self.write(b"".join(line.encode() + b"\r\n" for line in lines))

    async def open_transaction(self, *local_parts):
        """
        Come as far as the 354.
        """
        await self.say("LHLO client.example", "MAIL FROM:<sender@example.org>")
        await self.say(*(f"RCPT TO:<{local_part}@example.org>" for local_part in local_parts))
        assert ["354"] == await self.say("DATA")

    async def read_to_end(self):
        pieces = []
        while piece := await self.read_some():
            pieces.append(piece)
        return b"".join(pieces).decode()

    def start_tls(self, issued=None):
        """
        Begin to encrypt; who shakes hands is the client that is returned.
        """
        return EncryptedClient(self.reader, self.writer, issued)


class EncryptedClient(Client):
    """
    One connection under TLS, whose segments are cut where the test wants it.
    """

    def __init__(self, reader, writer, issued=None):
        super().__init__(reader, writer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        CA.configure_trust(context)
        if issued is not None:
            issued.configure_cert(context)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="store.example")
        self._read = b""

    async def shake_hands(self):
        await self.shake_hands_but_for_the_end()
        self.flush()
        return self

    async def shake_hands_but_for_the_end(self):
        """
        Come as far as the client's last message, which leaves with the next `flush` or `write`.
        """
        while True:
            try:
                return self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                await self._receive()

    def hello(self):
        """
        Return the first message of the handshake, which `shake_hands` does not send again.
        """
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._outgoing.read()

    def flush(self):
        self.writer.write(self._outgoing.read())

    def write(self, octets):
        self.tls.write(octets)
        self.flush()

    def close_notify(self):
        """
        Say under TLS that nothing more will come.
        """
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()

    async def read_line(self):
        while b"\n" not in self._read:
            octets = await self._decrypt()
            if not octets:
                break
            self._read += octets
        line, end, self._read = self._read.partition(b"\n")
        return line + end

    async def read_some(self):
        octets, self._read = self._read, b""
        return octets or await self._decrypt()

    async def _decrypt(self):
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                await self._receive()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def _receive(self):
        octets = await super().read_some()
        if octets:
            self._incoming.write(octets)
        else:
            self._incoming.write_eof()


@pytest.fixture
def recorder():
    return Recorder()


class Certificate:
    """
    The file of a server's certificate, with a clock that stands still.
    """

    def __init__(self, folder, observer):
        self._file = folder / "store.pem"
        self._authorities = folder / "clients.pem"
        self._authorities.write_bytes(CA.cert_pem.bytes())
        self._observer = observer
        self._now = 0.0
        self.put(STORE)

    def put(self, issued):
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        fresh.replace(self._file)
        self._now += POLL_SECONDS

    async def load(self, clients="none"):
        wanted = {} if clients == "none" else {"client_ca_file": str(self._authorities), "client_certificates": clients}
        settings = TlsSettings(certificate_file=str(self._file), **wanted)
        return await ServerTls.load(settings, self._observer, monotonic=lambda: self._now)


@pytest.fixture
def certificate(tmp_path, recorder):
    return Certificate(tmp_path, recorder)


@pytest.fixture
def start(tmp_path, recorder):
    """
    Start a server for a handler, on a Unix socket, or at another endpoint; yields the server and what connects.
    """

    @contextlib.asynccontextmanager
    async def start_server(handler, *, at=f"unix:{tmp_path}/lmtp.sock", tls=None, authenticator=None, **settings):
        clients = []

        async def open_connection(source):
            kind, _, place = server.endpoints[0].removesuffix(",tls").rpartition(":")
            if kind == "unix":
                return await asyncio.open_unix_connection(place)
            return await asyncio.open_connection(kind, int(place), local_addr=source and (source, 0))

        async def connect(*, greeted=True, issued=None, source=None):
            """
            Connect, and shake hands where the endpoint begins with TLS; without a greeting, only connect.
            """
            client = Client(*await open_connection(source))
            clients.append(client)
            if greeted:
                if at.endswith(",tls"):
                    client = await client.start_tls(issued).shake_hands()
                assert (await client.read_reply()).startswith("220 ")
            return client

        settings = lmtp.ServerSettings(**({"server_name": "store.example"} | settings))
        async with lmtp.serve(
            handler, at, settings=settings, observer=recorder, tls=tls, authenticator=authenticator
        ) as server:
            server.connect = connect
            try:
                yield server
            finally:
                for client in clients:
                    client.writer.close()
                    with contextlib.suppress(OSError):
                        await client.writer.wait_closed()

    return start_server


@pytest.fixture
def clock(monkeypatch, anyio_backend):
    """
    The running loop's clock, in the test's hand.
    """
    if anyio_backend[1]["use_uvloop"]:
        pytest.skip("uvloop keeps its own time")
    clock = FakeClock()
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda _loop: clock())
    return clock
