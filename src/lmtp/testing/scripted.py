# SPDX-License-Identifier: Apache-2.0
"""
A small LMTP server that does everything right, made to be broken on purpose.

Each behaviour is a method or an attribute of `Conversation`, so that a subclass with one of them changed is a server
with one fault: what testers of servers are tested with. It knows no limits and no deadlines and must never carry
mail. Messages go into ``new`` of one folder. Raises nothing: a client that goes away ends its conversation.
"""

import asyncio
import base64
import binascii
import contextlib
import itertools
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lmtp.protocol.address import AddressSyntaxError, ForwardPath, Mailbox, ReversePath, parse_domain
from lmtp.testing.talk import Talk

_COMMAND: Final = re.compile(rb"(?P<verb>[A-Za-z]+)(?: (?P<rest>.*?))? *", re.DOTALL)
_PATH: Final = re.compile(rb"(?P<path><(?:[^\">]|\"(?:[^\"\\]|\\.)*\")*>)(?P<parameters>(?: .*)?)", re.DOTALL)
_BDAT: Final = re.compile(rb"(?P<size>[0-9]{1,20})(?P<last> LAST)?", re.IGNORECASE)
_XTEXT: Final = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+"
_NAMES: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Place:
    """
    What all conversations of a server share.
    """

    maildir: Path
    """The Maildir all messages go to; its ``new`` must be there."""
    tls: ssl.SSLContext | None = None
    """What STARTTLS is done with; without it there is none."""


class Conversation(Talk):
    """
    One connection, from the greeting to the end.
    """

    name: str = "scripted.example"
    """What the server calls itself."""
    users: frozenset[str] = frozenset({"ann@example.org", "bob@example.org", "failing@example.org", "postmaster"})
    """Who is accepted; failing@example.org gets nothing all the same."""
    password: str = "tiger"  # noqa: S105 - made up for tests
    """Everybody's."""
    size_limit: int = 200_000
    """Octets of a message at most."""
    most_recipients: int = 200
    """Recipients of a transaction at most."""
    longest_line: int = 2_048
    """Octets of a command line at most."""

    mail_parameters: Mapping[str, str] = {
        "SIZE": r"=[0-9]{1,20}",
        "BODY": r"=(?:7BIT|8BITMIME)",
        "SMTPUTF8": "",
        "RET": r"=(?:FULL|HDRS)",
        "ENVID": f"={_XTEXT}",
        "AUTH": f"=(?:<>|{_XTEXT})",
    }
    """The parameters of MAIL by keyword: what must stand behind it."""
    rcpt_parameters: Mapping[str, str] = {
        "NOTIFY": r"=(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)",
        "ORCPT": f"=[a-z0-9]+;{_XTEXT}",
    }
    """Those of RCPT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place) -> None:
        super().__init__(reader, writer)
        self.place = place
        self.has_tls = False
        self.user = ""
        self.has_greeted = False
        self.reset()

    def reset(self) -> None:
        """
        End the transaction.
        """
        self.sender: str | None = None
        self.recipients: list[Mailbox] = []
        self.chunks: bytearray | None = None
        self.has_failed = False

    def greet(self) -> None:
        """
        Send the greeting.
        """
        self.reply(220, "", f"{self.name} LMTP")

    def offers(self) -> list[str]:
        """
        Return the lines of the answer to LHLO.
        """
        lines = ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", f"SIZE {self.size_limit}", "CHUNKING", "SMTPUTF8"]
        lines += ["DSN", "HELP", f"LIMITS RCPTMAX={self.most_recipients}", "AUTH PLAIN"]
        return [*lines, "STARTTLS"] if self.place.tls and not self.has_tls else lines

    async def run(self) -> None:
        """
        Serve the client to the end.
        """
        try:
            self.greet()
            while not self.is_over:
                line = await self.read_line()
                if not self.is_over:
                    await self.obey(line)
            await self.writer.drain()
            self.writer.close()
            await self.writer.wait_closed()
        except OSError:
            return
        finally:
            self.writer.transport.abort()

    async def obey(self, line: bytes) -> None:
        """
        Do what a line says.
        """
        match = _COMMAND.fullmatch(line)
        if len(line) + 2 > self.longest_line:
            self.reply(500, "5.5.2", "Line too long")
        elif match is None or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line):
            self.reply(500, "5.5.2", "No command")
        else:
            await self.dispatch(match["verb"].decode().upper(), match["rest"] or b"")

    def verbs(self) -> dict[str, Callable[[bytes], Awaitable[None]]]:
        """
        Return what does what.
        """
        return {
            "LHLO": self.lhlo, "MAIL": self.mail, "RCPT": self.rcpt, "DATA": self.data, "BDAT": self.bdat,
            "RSET": self.rset, "NOOP": self.noop, "VRFY": self.vrfy, "HELP": self.help, "QUIT": self.quit,
            "STARTTLS": self.starttls, "AUTH": self.auth,
        }  # fmt: skip

    async def dispatch(self, verb: str, rest: bytes) -> None:
        """
        Run a verb's method.
        """
        method = self.verbs().get(verb)
        if method is None:
            self.reply(500, "5.5.1", "Unknown command")
        elif verb in {"DATA", "RSET", "QUIT", "STARTTLS"} and rest:
            self.reply(501, "5.5.4", "No argument, please")
        else:
            await method(rest)

    def out_of_order(self) -> None:
        """
        Refuse what may not come now.
        """
        self.reply(503, "5.5.1", "Not now")

    async def lhlo(self, rest: bytes) -> None:
        """
        Open the session, or open it again.
        """
        try:
            is_name = bool(parse_domain(rest))
        except AddressSyntaxError:
            is_name = False
        if not is_name:
            self.reply(501, "5.5.4", "A name, please")
            return
        self.has_greeted = True
        self.reset()
        self.reply(250, "", self.name, *self.offers())

    async def noop(self, rest: bytes) -> None:  # noqa: ARG002 - every verb gets its argument
        """
        Do nothing.
        """
        self.reply(250, "2.0.0", "Ok")

    async def rset(self, rest: bytes) -> None:  # noqa: ARG002 - every verb gets its argument
        """
        End the transaction.
        """
        self.reset()
        self.reply(250, "2.0.0", "Reset")

    async def vrfy(self, rest: bytes) -> None:
        """
        Verify nobody.
        """
        if rest:
            self.reply(252, "2.1.5", "Try and see")
        else:
            self.reply(501, "5.5.4", "Whom?")

    async def help(self, rest: bytes) -> None:  # noqa: ARG002 - every verb gets its argument
        """
        List the commands.
        """
        self.reply(214, "2.0.0", "Commands:", *self.verbs())

    async def quit(self, rest: bytes) -> None:  # noqa: ARG002 - every verb gets its argument
        """
        End the session.
        """
        self.reply(221, "2.0.0", "Goodbye")
        self.is_over = True

    def parameters(self, text: bytes, known: Mapping[str, str]) -> dict[str, str] | None:
        """
        Return the parameters by keyword, or None when something was wrong with them and has been answered.
        """
        values: dict[str, str] = {}
        for word in text.decode("ascii", "replace").split():
            keyword, _, value = word.partition("=")
            pattern = known.get(keyword.upper())
            if pattern is None:
                self.reply(555, "5.5.4", "Unknown parameter")
                return None
            if keyword.upper() in values or re.fullmatch(pattern, word[len(keyword) :], re.IGNORECASE) is None:
                self.reply(501, "5.5.4", "Bad parameter")
                return None
            if keyword.upper() == "ENVID" and re.search(r"\+(?:[a-f].|.[a-f])", value):
                self.reply(501, "5.5.4", "Bad xtext")
                return None
            values[keyword.upper()] = value
        return values

    async def mail(self, rest: bytes) -> None:
        """
        Begin a transaction.
        """
        match = _PATH.fullmatch(rest[5:])
        if not self.has_greeted or self.sender is not None:
            self.out_of_order()
        elif rest[:5].upper() != b"FROM:" or match is None:
            self.reply(501, "5.5.4", "MAIL FROM:<path>")
        else:
            values = self.parameters(match["parameters"], self.mail_parameters)
            if values is not None and self.is_small(values) and self.is_path(match["path"], "SMTPUTF8" in values):
                self.sender = match["path"].decode("utf-8")
                self.reply(250, "2.1.0", "Sender ok")

    def is_small(self, values: dict[str, str]) -> bool:
        """
        Tell whether the declared size is acceptable; answer if not.
        """
        if int(values.get("SIZE", 0)) <= self.size_limit:
            return True
        self.reply(552, "5.3.4", "Too big")
        return False

    def is_path(self, path: bytes, has_utf8: bool) -> bool:  # noqa: FBT001 - read at its one call
        """
        Tell whether a reverse-path is acceptable; answer if not.
        """
        try:
            text = path.decode("utf-8" if has_utf8 else "ascii")
            ReversePath.parse(re.sub(r"[^\0-\x7f]", "x", text).encode())
        except (UnicodeDecodeError, AddressSyntaxError):
            self.reply(501, "5.1.7", "Bad sender")
            return False
        return True

    async def rcpt(self, rest: bytes) -> None:
        """
        Take a recipient.
        """
        match = _PATH.fullmatch(rest[3:])
        if self.sender is None or self.chunks is not None or self.has_failed:
            self.out_of_order()
        elif rest[:3].upper() != b"TO:" or match is None:
            self.reply(501, "5.5.4", "RCPT TO:<path>")
        elif self.parameters(match["parameters"], self.rcpt_parameters) is None:
            return
        else:
            self.take(match["path"])

    def take(self, path: bytes) -> None:
        """
        Accept or refuse a forward-path.
        """
        try:
            mailbox = ForwardPath.parse(path).mailbox
        except AddressSyntaxError:
            self.reply(501, "5.1.3", "Bad recipient")
            return
        if len(self.recipients) >= self.most_recipients:
            self.reply(452, "4.5.3", "Too many recipients")
        elif str(mailbox).lower() not in self.users:
            self.reply(550, "5.1.1", "Nobody here")
        else:
            self.accept(mailbox)

    def accept(self, mailbox: Mailbox) -> None:
        """
        Remember a recipient.
        """
        self.recipients.append(mailbox)
        self.reply(250, "2.1.5", "Recipient ok")

    async def data(self, rest: bytes) -> None:  # noqa: ARG002 - every verb gets its argument
        """
        Take a content and deliver it.
        """
        if not self.recipients or self.chunks is not None or self.has_failed:
            self.out_of_order()
            return
        self.reply(354, "", "Go ahead")
        content = await self.read_content()
        if not self.is_over:
            self.deliver(self.unstuff(content))

    async def bdat(self, rest: bytes) -> None:
        """
        Take a chunk; the last one is delivered.
        """
        match = _BDAT.fullmatch(rest)
        if match is None:
            self.reply(501, "5.5.4", "BDAT size, please")
            self.is_over = True
            return
        octets = await self.read_octets(int(match["size"]))
        if self.is_over:
            return
        if self.sender is None or self.has_failed:
            self.out_of_order()
        elif not self.recipients:
            self.chunk_for_nobody(is_last=match["last"] is not None)
        else:
            self.chunks = (self.chunks or bytearray()) + octets
            self.end_chunk(len(octets), is_last=match["last"] is not None)

    def chunk_for_nobody(self, *, is_last: bool) -> None:
        """
        Answer a chunk without recipients: a last one not at all (RFC 2033 §4.3).
        """
        if is_last:
            self.reset()
        else:
            self.has_failed = True
            self.out_of_order()

    def end_chunk(self, size: int, *, is_last: bool) -> None:
        """
        Answer a chunk.
        """
        if is_last:
            self.deliver(bytes(self.chunks or b""))
        else:
            self.reply(250, "2.0.0", f"{size} octets")

    def deliver(self, content: bytes) -> None:
        """
        Store a content for each recipient and answer for each, in order.
        """
        for mailbox in self.recipients:
            if len(content) > self.size_limit:
                self.reply(552, "5.3.4", "Too big")
            elif mailbox.local_part == "failing":
                self.reply(452, "4.2.2", "Full")
            else:
                self.store(mailbox, self.traced(mailbox, content))
                self.reply(250, "2.0.0", "Stored")
        self.reset()

    def traced(self, mailbox: Mailbox, content: bytes) -> bytes:
        """
        Return a content with trace fields on top.
        """
        header, blank, body = content.partition(b"\r\n\r\n")
        kept = re.sub(rb"(?im)^return-path:.*\r\n", b"", header)
        letters = ("S" if self.has_tls else "") + ("A" if self.user else "")
        trace = (
            f"Return-Path: {self.sender}\r\nDelivered-To: {mailbox}\r\n"
            f"Received: from client.example by {self.name} with LMTP{letters} for <{mailbox}>;\r\n"
            "\tSat, 01 Aug 2026 12:00:00 +0000\r\n"
        )
        return trace.encode() + kept + blank + body

    def store(self, mailbox: Mailbox, content: bytes) -> None:  # noqa: ARG002 - for those who override it
        """
        Write a file.
        """
        self.place.maildir.joinpath("new", f"{next(_NAMES)}.scripted").write_bytes(content)

    async def starttls(self, rest: bytes) -> None:  # noqa: ARG002 - every verb gets its argument
        """
        Begin TLS and forget all that was said.
        """
        if self.place.tls is None or self.has_tls or self.sender is not None:
            self.out_of_order()
            return
        self.reply(220, "2.0.0", "Go ahead")
        self.forget_clear_text()
        await self.writer.start_tls(self.place.tls)
        self.has_tls = True

    def forget_clear_text(self) -> None:
        """
        Drop what a client, or somebody in between, has sent before the handshake.
        """
        self.buffer.clear()
        self.has_greeted = False
        self.reset()

    async def auth(self, rest: bytes) -> None:
        """
        Log a user in.
        """
        mechanism, _, response = rest.partition(b" ")
        if not self.has_greeted or self.sender is not None or self.user:
            self.out_of_order()
        elif mechanism.upper() != b"PLAIN":
            self.reply(504, "5.5.4", "PLAIN alone")
        else:
            if not response:
                self.reply(334, "", "")
                response = await self.read_line()
            self.log_in(response)

    def log_in(self, response: bytes) -> None:
        """
        Judge a response.
        """
        try:
            _, name, password = base64.b64decode(response, validate=True).decode().split("\0")
        except (binascii.Error, ValueError):
            self.reply(501, "5.5.2", "No response")
            return
        if password == self.password:
            self.user = name
            self.reply(235, "2.7.0", "Welcome")
        else:
            self.reply(535, "5.7.8", "Wrong")


@contextlib.asynccontextmanager
async def serving(
    kind: type[Conversation], place: Place, path: Path | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[asyncio.Server]:
    """
    Serve conversations of a kind while the block runs; nothing is left of them afterwards.

    Args:
        kind: What they are like.
        place: What they share.
        path: The Unix socket to be made; without it, a port of the loopback the system chooses.
        tls: What connections begin with, if they begin with TLS.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = kind(reader, writer, place)
        conversation.has_tls = tls is not None
        task = asyncio.ensure_future(conversation.run())
        tasks.add(task)
        await asyncio.wait([task])

    if path is None:
        server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=tls)
    else:
        server = await asyncio.start_unix_server(converse, str(path), ssl=tls)
    async with server:
        try:
            yield server
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
