# SPDX-License-Identifier: Apache-2.0
"""
What a case talks through: commands, the replies they must get, and whole transactions in one call.

`given` and all that ends in a state (`open`, `greet`, `transaction`, `content`) are the way to what a case is about:
when a server does not go along they raise `PreconditionError`, and the case has seen nothing. `expect`, `check` and
`read` are what it is about: they raise `ExpectationError`. A reply of 421 or 530 says nothing of either.
"""

import asyncio
import base64
import secrets
import ssl
import time
from collections.abc import Sequence
from typing import Final

from lmtp.conformance import mailboxes
from lmtp.conformance.replies import WireReply
from lmtp.conformance.server import Offers, Server, Tls
from lmtp.conformance.transcript import Transcript, printable
from lmtp.conformance.wire import Wire

CLIENT_NAME: Final = "client.example"
"""What we call ourselves."""
PATIENCE_SECONDS: Final = 5.0
"""How long a server may take to come back, after a crash or with 421 for too many connections."""
POLL_SECONDS: Final = 0.1
"""How long we wait between two tries."""
MAX_REPLIES: Final = 2000
"""Replies we read at most when we read to the end."""


class ExpectationError(Exception):
    """
    The server did something else than a case expects.
    """

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}; came {came}")
        self.expected = expected
        """What the case expects."""
        self.came = came
        """What the server did."""


class PreconditionError(Exception):
    """
    The server did not let us come to the point.
    """


class NotApplicableError(Exception):
    """
    The case turns out not to concern this server.
    """


class UnreachableError(PreconditionError):
    """
    There is no connection to be had any more.
    """


class Session:
    """
    One case's talk with the server.

    Args:
        server: What is known of it.
        transcript: Where all is recorded.
    """

    def __init__(self, server: Server, transcript: Transcript) -> None:
        self.server = server
        """What is known of the server."""
        self.transcript = transcript
        """What has been said."""
        self.greeting: WireReply | None = None
        """The server's first reply on this connection."""
        self.token = secrets.token_hex(12).encode("ascii")
        """What every message of this case has in it, and no other."""
        self._wire: Wire | None = None
        self._others: list[Session] = []
        self._began = time.time() - 2

    @property
    def users(self) -> Sequence[str]:
        """
        The addresses the server delivers to.
        """
        return self.server.setup.users

    @property
    def wire(self) -> Wire:
        """
        The connection, for what is below commands and replies.
        """
        if self._wire is None:
            raise PreconditionError("there is no connection")
        return self._wire

    async def connect(self) -> None:
        """
        Open a connection; with implicit TLS, that too.

        Raises:
            PreconditionError: there is no TLS to be had.
            UnreachableError: there was no connection to be had for some seconds.
        """
        setup = self.server.setup
        context = setup.tls_context if setup.tls is Tls.IMPLICIT else None
        give_up = time.monotonic() + min(PATIENCE_SECONDS, setup.timeout_seconds)
        while True:
            try:
                self._wire = await Wire.connect(
                    setup.target, self.transcript, tls=context, timeout_seconds=setup.timeout_seconds
                )
            except ssl.SSLError as error:
                raise PreconditionError(f"the TLS handshake failed: {error}") from error
            except OSError as error:
                if time.monotonic() > give_up:
                    raise UnreachableError(f"no connection: {str(error) or 'it took too long'}") from error
                await asyncio.sleep(POLL_SECONDS)
            else:
                return

    async def open_in_clear(self) -> None:
        """
        Come as far as the greeting, without STARTTLS.
        """
        give_up = time.monotonic() + min(PATIENCE_SECONDS, self.server.setup.timeout_seconds)
        while True:
            await self.connect()
            reply = await self._given_reply()
            if reply.code != "421" or time.monotonic() > give_up:
                break
            await self.wire.close()
            await asyncio.sleep(POLL_SECONDS)
        self.greeting = reply
        if reply.code != "220":
            raise PreconditionError(f"the greeting is {reply}")

    async def open(self) -> None:
        """
        Come to where a session begins: behind the greeting, or behind the handshake of STARTTLS.
        """
        await self.open_in_clear()
        context = self.server.setup.tls_context
        if self.server.setup.tls is Tls.STARTTLS and context is not None:
            await self.given(f"LHLO {CLIENT_NAME}", "250")
            await self.given("STARTTLS", "220")
            await self.start_tls(context)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """
        Do the handshake.
        """
        try:
            await self.wire.start_tls(
                context, self.server.setup.target.host, timeout_seconds=self.server.setup.timeout_seconds
            )
        except OSError as error:
            raise PreconditionError(f"the TLS handshake failed: {error}") from error

    async def greet(self) -> Offers:
        """
        Come to where mail can be sent: LHLO has been said, and AUTH if somebody is to log in.
        """
        await self.open()
        reply = await self.given(f"LHLO {CLIENT_NAME}", "250")
        if self.server.setup.credentials is not None:
            await self.given_secret(f"AUTH PLAIN {self.plain_response()}", "AUTH PLAIN [secret]", "235")
            reply = await self.given(f"LHLO {CLIENT_NAME}", "250")
        return Offers.read(reply)

    def plain_response(self) -> str:
        """
        Return what AUTH PLAIN sends for the credentials, in base64 (RFC 4616 §2).
        """
        credentials = self.server.setup.credentials
        if credentials is None:
            raise PreconditionError("there are no credentials")
        return base64.b64encode(f"\0{credentials.name}\0{credentials.password}".encode()).decode("ascii")

    async def another(self) -> "Session":
        """
        Return a second session; it ends with this one.
        """
        other = Session(self.server, self.transcript)
        self._others.append(other)
        self.transcript.note("a second connection")
        return other

    async def close(self) -> None:
        """
        Cut the connection, if there is one.
        """
        for other in self._others:
            await other.close()
        if self._wire is not None:
            await self._wire.close()

    async def send(self, octets: bytes, *, shown: bytes | None = None) -> None:
        """
        Send octets as they are.

        Raises:
            ExpectationError: the server stopped reading.
        """
        timeout = self.server.setup.timeout_seconds
        try:
            await self.wire.send(octets, timeout_seconds=timeout, shown=shown)
        except TimeoutError as error:
            raise ExpectationError("that the server reads what is sent", f"nothing read for {timeout:g} s") from error

    async def read(self, *, is_421_news: bool = True) -> WireReply:
        """
        Read one reply.

        Args:
            is_421_news: 421 ends the case without a verdict, because a server may send it at any time.

        Raises:
            ExpectationError: none came.
            PreconditionError: it is 421 or 530.
        """
        timeout = self.server.setup.timeout_seconds
        try:
            reply = await self.wire.read_reply(timeout)
        except TimeoutError as error:
            raise ExpectationError("a reply", f"none within {timeout:g} s") from error
        if reply is None:
            raise ExpectationError("a reply", "the end of the connection")
        if reply.code == "421" and is_421_news:
            raise PreconditionError(f"the server ended the session: {reply}")
        if reply.code == "530":
            raise PreconditionError(f"the server wants TLS or authentication first: {reply}")
        return reply

    async def say(self, line: str) -> WireReply:
        """
        Send one command and read one reply.
        """
        await self.send(line.encode() + b"\r\n")
        return await self.read()

    async def read_anything(self, line: str) -> WireReply:
        """
        Send one command and read one reply, 421 included.
        """
        await self.send(line.encode() + b"\r\n")
        return await self.read(is_421_news=False)

    async def read_or_end(self) -> WireReply | None:
        """
        Read one reply, or None when the server closes instead.
        """
        try:
            return await self.wire.read_reply(self.server.setup.timeout_seconds)
        except TimeoutError:
            return None

    async def tls_begins(self, context: ssl.SSLContext) -> bool:
        """
        Try the handshake; tell whether the server went along.
        """
        try:
            await self.start_tls(context)
        except PreconditionError:
            return False
        return True

    def other_case(self, case_id: str, came: object) -> PreconditionError:
        """
        Return what to raise when the fault that was met is another case's to tell.
        """
        return PreconditionError(f"this is {case_id}'s to tell: {came}")

    def out_of_scope(self, reason: str) -> NotApplicableError:
        """
        Return what to raise when the case turns out not to concern this server.
        """
        return NotApplicableError(reason)

    async def expect(self, line: str, *patterns: str) -> WireReply:
        """
        Send one command, whose reply must have one of these codes: ``250``, ``50z``, ``5yz``.
        """
        return self.check_code(await self.say(line), *patterns)

    async def expect_reply(self, *patterns: str) -> WireReply:
        """
        Read one reply, which must have one of these codes.
        """
        return self.check_code(await self.read(), *patterns)

    def check_code(self, reply: WireReply, *patterns: str) -> WireReply:
        """
        Demand one of these codes; a transient refusal of what should be accepted says nothing.
        """
        if not reply.matches(*patterns):
            if reply.matches("4yz") and any(pattern.startswith("2") for pattern in patterns):
                raise PreconditionError(f"the server has trouble: {reply}")
            raise ExpectationError(" or ".join(patterns), str(reply))
        return reply

    def check(self, holds: object, expected: str, came: object) -> None:
        """
        Demand that something holds.

        Raises:
            ExpectationError: it does not.
        """
        if not holds:
            raise ExpectationError(expected, printable(came) if isinstance(came, bytes) else str(came))

    async def given(self, line: str, *patterns: str) -> WireReply:
        """
        Send one command on the way to the point; without patterns any 2yz will do.
        """
        return await self.given_secret(line, line, *patterns)

    async def given_secret(self, line: str, shown: str, *patterns: str) -> WireReply:
        """
        Likewise, with something else in the transcript.
        """
        await self.send(line.encode() + b"\r\n", shown=shown.encode() + b"\r\n")
        reply = await self._given_reply()
        if not reply.matches(*(patterns or ("2yz",))):
            raise PreconditionError(f"{shown} was answered {reply}")
        return reply

    async def _given_reply(self) -> WireReply:
        try:
            return await self.read(is_421_news=False)
        except ExpectationError as error:
            raise PreconditionError(f"instead of a reply there was {error.came}") from error

    async def mail(self, parameters: str = "") -> None:
        """
        Open a transaction.
        """
        await self.given(f"MAIL FROM:<{self.server.setup.sender}> {parameters}".rstrip())

    async def transaction(self, *addresses: str, parameters: str = "") -> None:
        """
        Come to a transaction in which these recipients were accepted.
        """
        await self.greet()
        await self.mail(parameters)
        await self.recipients(*addresses)

    async def recipients(self, *addresses: str) -> None:
        """
        Name recipients, who are all accepted.
        """
        for address in addresses:
            await self.given(f"RCPT TO:<{address}>")

    async def content(self, *addresses: str, parameters: str = "") -> None:
        """
        Come to where the content is waited for.
        """
        await self.transaction(*addresses, parameters=parameters)
        await self.given("DATA", "354")

    def message(self, body: bytes = b"This is a test.\r\n") -> bytes:
        """
        Return a small message; as content of DATA it still wants dots stuffed and the final dot.
        """
        return (
            b"From: <lmtp-check@client.example>\r\n"
            b"To: undisclosed-recipients:;\r\n"
            b"Subject: lmtp check, may be deleted\r\n"
            b"Date: Sat, 01 Aug 2026 12:00:00 +0000\r\n"
            b"Message-ID: <" + self.token + b"@client.example>\r\n\r\n" + body
        )

    async def end_content(self, octets: bytes) -> list[WireReply]:
        """
        Send the rest of a content, then QUIT, and return the replies that came before that of QUIT.

        QUIT makes the count certain without waiting: what comes before its 221 was an answer to the content
        (RFC 2920 §3.2: replies come in the order of the commands).
        """
        await self.send(octets)
        first = await self.read(is_421_news=False)
        if first.code == "421":
            raise PreconditionError(f"the server ended the session: {first}")
        return [first, *await self.replies_until_quit()]

    async def replies_until_quit(self) -> list[WireReply]:
        """
        Send QUIT and return the replies that came before its 221, or before the end without one.
        """
        await self.send(b"QUIT\r\n")
        return await self.replies_before("221")

    async def read_to_end(self) -> list[WireReply]:
        """
        Read replies until the server closes.

        Raises:
            ExpectationError: it does not.
        """
        return await self.replies_before(None)

    async def replies_before(self, last_code: str | None) -> list[WireReply]:
        """
        Return the replies that come before one with a code, or before the server closes.

        Raises:
            ExpectationError: neither came.
        """
        timeout = self.server.setup.timeout_seconds
        replies: list[WireReply] = []
        while len(replies) < MAX_REPLIES:
            try:
                reply = await self.wire.read_reply(timeout)
            except TimeoutError as error:
                expected = f"{last_code} or the end" if last_code else "the end of the connection"
                raise ExpectationError(expected, f"nothing within {timeout:g} s") from error
            if reply is None or reply.code == last_code:
                break
            replies.append(reply)
        return replies

    async def check_count(self, octets: bytes, count: int, *patterns: str) -> list[WireReply]:
        """
        Send the rest of a content, which must get exactly so many replies.

        Args:
            octets: The rest, with whatever ends it.
            count: How many replies there must be.
            patterns: The code of each, when it matters.
        """
        replies = await self.end_content(octets)
        came = f"{len(replies)}: {'; '.join(map(str, replies[:5]))}"
        if any(reply.code == "421" for reply in replies):
            raise PreconditionError(f"the server ended the session: {came}")
        self.check(len(replies) == count, f"exactly {count} replies, then 221 for QUIT", came)
        for reply, pattern in zip(replies, patterns, strict=False):
            self.check_code(reply, pattern)
        return replies

    async def delivered(self, octets: bytes, count: int) -> list[bytes]:
        """
        Send the rest of a content, which is accepted for so many recipients, and return the copies that landed.

        Raises:
            NotApplicableError: it was not accepted, which a server may decide.
            PreconditionError: not a copy can be found.
        """
        replies = await self.end_content(octets)
        if len(replies) != count or not all(reply.is_positive for reply in replies):
            raise self.out_of_scope(f"the message was not accepted: {'; '.join(map(str, replies))}")
        copies = self.landed()
        if not copies:
            raise PreconditionError("what was accepted can't be found below the folder of --maildir")
        return copies

    def landed(self) -> list[bytes]:
        """
        Return the copies of this case's messages that have landed so far.
        """
        maildir = self.server.setup.maildir
        if maildir is None:
            raise PreconditionError("there is no folder to look into")
        return mailboxes.find(maildir, self.token, since=self._began)

    async def check_quiet(self, expected: str, *, may_end: bool = False) -> None:
        """
        Demand that nothing comes for a moment, or nothing but the end.
        """
        if await self.wire.is_quiet(self.server.setup.quiet_seconds):
            return
        reply = await self.read_or_end()
        self.check(reply is None and may_end, expected, reply or "the end of the connection")

    async def check_alive(self) -> None:
        """
        Demand that the session goes on.
        """
        await self.expect("NOOP", "250")
