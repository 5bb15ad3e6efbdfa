# SPDX-License-Identifier: Apache-2.0
"""
`smtplib.LMTP` as it should be: the same methods, and one reply read for each accepted recipient.

    from lmtp.compat.smtplib import LMTP        # was: from smtplib import LMTP
    from lmtp.compat import smtplib             # was: import smtplib

It is a subclass, so what checks for smtplib's class and catches its exceptions goes on to do so. Whole messages
(`sendmail`, `send_message`) go by the engine and a blocking link; single commands are smtplib's own, one reply each,
and what is said unasked ends the session. Not here: what a reply means (answers.py). Raises smtplib's exceptions.
RFC 2033 §4.2, cpython issue 76984.
"""

import contextlib
import dataclasses
import smtplib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from smtplib import (
    LMTP_PORT,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from typing import Any, Final, NoReturn

from lmtp.aio.client_settings import ClientDeadlines
from lmtp.aio.listeners import TcpEndpoint
from lmtp.compat.answers import Answer, answer_for, check_whole, no_answer, refused, text_of, worst
from lmtp.compat.options import mail_parameters, rcpt_parameters
from lmtp.protocol.address import AddressSyntaxError, ForwardPath, ReversePath
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.commands import Rcpt
from lmtp.protocol.errors import RemoteProtocolError
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import RcptParameters
from lmtp.protocol.replies import ReplyParser
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result
from lmtp.protocol.stuffing import DotStuffing, LineEnds
from lmtp.sync.link import Link
from lmtp.sync.sending import deliver

__all__ = [
    "LMTP",
    "LMTP_PORT",
    "Answer",
    "SMTPAuthenticationError",
    "SMTPConnectError",
    "SMTPDataError",
    "SMTPException",
    "SMTPHeloError",
    "SMTPNotSupportedError",
    "SMTPRecipientsRefused",
    "SMTPResponseException",
    "SMTPSenderRefused",
    "SMTPServerDisconnected",
]

_READ_BYTES: Final = 64 * 1024
_ENDS_TRANSACTION: Final = frozenset({"LHLO", "MAIL", "RSET", "STARTTLS", "QUIT"})


class LMTP(smtplib.LMTP):
    """
    A session with an LMTP server.

    The arguments are those of `smtplib.LMTP`: ``host`` may be an absolute path, which is a Unix socket, also written
    ``unix:/path``. Port 25 is refused, for it is SMTP's (RFC 2033 §5). Where no ``timeout`` is given whole messages
    have the deadlines of RFC 5321 §4.5.3.2, and single commands none.
    """

    default_port = LMTP_PORT
    """The port where none is given; in smtplib, which forgets about it in `connect`, it is SMTP's."""

    results: Sequence[Answer] = ()
    """What became of each recipient of the last message, in the order in which they were passed."""
    _parser: ReplyParser
    _asked: deque[tuple[str, str]]
    _accepted: list[str]

    # Whole messages

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: Any,  # noqa: ANN401 - a str, or whatever bytes() takes
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> dict[str, tuple[int, bytes]]:
        """
        Send a message.

        Returns:
            Everybody who did not get it, whether refused before or after the content, with code and text. Who was
            passed twice has one entry, for the worse of the two; `results` has all of them in their order. Those whose
            reply never came, because the connection was lost, have code 451; it is closed then.

        Raises:
            SMTPHeloError: the server does not want us.
            SMTPNotSupportedError: the server can't take such a message, or an option is none we know.
            SMTPSenderRefused: it wants no mail from there.
            SMTPRecipientsRefused: nobody got it; before or after the content.
            SMTPDataError: it does not want the content, for anybody.
            SMTPServerDisconnected: it has gone, and nobody got it.
        """
        self.ehlo_or_helo_if_needed()
        to_addrs = [to_addrs] if isinstance(to_addrs, str) else list(to_addrs)
        content = msg.encode("ascii") if isinstance(msg, str) else bytes(msg)
        recipients = _recipients(to_addrs, rcpt_parameters(rcpt_options))
        rcpts = tuple(recipient for recipient in recipients if isinstance(recipient, Rcpt))
        envelope = OutgoingEnvelope(_reverse_path(from_addr), rcpts, mail_parameters(mail_options))
        results = self._deliver(envelope, content) if rcpts else []
        self.results = _in_order(to_addrs, recipients, results)
        asked = [
            answer for answer, recipient in zip(self.results, recipients, strict=True) if isinstance(recipient, Rcpt)
        ]
        check_whole(from_addr, results, asked)
        if not any(answer.is_positive for answer in self.results):
            raise SMTPRecipientsRefused(refused(self.results))
        return refused(self.results)

    def _deliver(self, envelope: OutgoingEnvelope, content: bytes) -> list[Result]:
        connection = self._connected()
        timeout = connection.gettimeout()
        self._check_in_step()
        link = Link(self._engine(), connection, _deadlines(timeout), _Debug(self) if self.debuglevel > 0 else None)
        try:
            results = dict(deliver(link, envelope, content))
            link.settle()
        finally:
            if link.engine.is_idle:
                connection.settimeout(timeout)
            else:  # it is lost, or somebody has interrupted us and replies are owed
                self.close()
        if any(result.point is not Point.CONTENT for result in results.values()):
            self._reset()
        return [results[index] for index in range(len(results))]

    def _engine(self) -> ClientConnection:
        """
        Return an engine that is told what has been said so far.
        """
        lines = (self.ehlo_resp or b"").split(b"\n")
        engine = ClientConnection("localhost")
        engine.receive_data(b"220 \r\n")
        engine.greet()
        engine.data_to_send()
        engine.receive_data(b"".join(b"250-%b\r\n" % line for line in lines[:-1]) + b"250 %b\r\n" % lines[-1])
        return engine

    def _reset(self) -> None:
        """
        End what may still be open at the server; that it has gone is told to the next command (RFC 5321 §4.1.4).
        """
        if self.sock is not None:
            with contextlib.suppress(SMTPServerDisconnected):
                self.rset()

    # Single commands

    def lhlo(self, name: str = "") -> tuple[int, bytes]:
        """
        Say who we are (RFC 2033 §4.1).

        Args:
            name: Our name; empty: `local_hostname`.
        """
        return self.ehlo(name)

    def helo(self, name: str = "") -> tuple[int, bytes]:
        """
        Refuse: LMTP has no HELO (RFC 2033 §4.1).
        """
        raise SMTPNotSupportedError(f"LMTP has no HELO: use lhlo({name!r})")

    def ehlo_or_helo_if_needed(self) -> None:
        """
        Send LHLO if that has not been done.

        Raises:
            SMTPHeloError: the server does not want us.
        """
        if self.ehlo_resp is None or not self.does_esmtp:
            code, text = self.ehlo()
            if not 200 <= code <= 299:
                raise SMTPHeloError(code, text)

    def data(self, msg: Any) -> tuple[int, bytes]:  # noqa: ANN401 - a str, or whatever bytes() takes
        """
        Send DATA and the content, and read one reply for each recipient `rcpt` was answered positively.

        Returns:
            The worst of the replies, for who asks only whether all is well; `results` has all of them in their order.
            Those that never came, because the connection was lost after the first, are 451.

        Raises:
            SMTPDataError: the server does not want the content.
            SMTPServerDisconnected: it has gone without a reply.
        """
        code, text = self.docmd("DATA")
        if code != 354:
            raise SMTPDataError(code, text)
        if not self._accepted:
            self._lose("the server wants a content for no recipients")
        self.send(_on_the_wire(msg.encode("ascii") if isinstance(msg, str) else bytes(msg)))
        addresses, self._accepted = self._accepted, []
        self.results = self._read_answers(addresses)
        return worst(self.results)[1:]

    def _read_answers(self, addresses: list[str]) -> list[Answer]:
        answers: list[Answer] = []
        try:
            answers.extend(Answer(address, *self.getreply()) for address in addresses)
        except SMTPServerDisconnected as error:
            if not answers:
                raise
            why = f"{len(answers)} of {len(addresses)} replies came, then {error}"
            answers += [no_answer(address, why) for address in addresses[len(answers) :]]
        return answers

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:  # noqa: ANN401 - whatever socket takes
        """
        Connect to a server, and read its greeting.

        Args:
            host: A name, an address, or the path of a Unix socket.
            port: The port; 0: the one behind the name, or `default_port`.
            source_address: Host and port to connect from.

        Raises:
            ValueError: the port is 25.
            OSError: nobody answers there.
        """
        self._forget()
        return super().connect(host.removeprefix("unix:"), port, source_address)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        TcpEndpoint(host, port)
        connected: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc] # not in its stubs
        return connected

    def putcmd(self, cmd: str, args: str = "") -> None:
        """
        Send a command; its reply is read by `getreply`.
        """
        self._connected()
        if not self._asked:
            self._check_in_step()
        super().putcmd(cmd, args)
        verb, _, rest = f"{cmd} {args}".partition(" ")
        self._asked.append((verb.upper(), rest))

    def getreply(self) -> tuple[int, bytes]:
        """
        Read one reply, with all its lines.

        Raises:
            SMTPServerDisconnected: the server has gone, or what it says is no reply; the connection is closed.
        """
        reply = self._read_reply()
        verb, args = self._asked.popleft() if self._asked else ("", "")
        if reply.is_positive and verb == "RCPT":
            self._accepted.append(args.partition("<")[2].rpartition(">")[0])
        elif reply.is_positive and verb in _ENDS_TRANSACTION:
            self._accepted = []
        return reply.code, text_of(reply)

    def close(self) -> None:
        """
        Close the connection.
        """
        self._forget()
        super().close()

    def _read_reply(self) -> Reply:
        try:
            while (reply := self._parser.next_reply()) is None:
                octets = self._connected().recv(_READ_BYTES)
                if not octets:
                    self._lose("Connection unexpectedly closed")
                if self.debuglevel > 0:
                    _Debug(self).server(octets)
                self._parser.feed(octets)
        except SMTPServerDisconnected:
            raise
        except (OSError, RemoteProtocolError) as error:
            self._lose(f"Connection unexpectedly closed: {error}", error)
        return reply

    def _check_in_step(self) -> None:
        """
        See that nothing was said unasked: it would be taken for the reply to the next command.
        """
        if not self._parser.beginning:
            self._parser.feed(self._read_unasked())
        if beginning := self._parser.beginning:
            self._lose(f"the server spoke unasked: {beginning.decode('ascii', 'backslashreplace')}")

    def _read_unasked(self) -> bytes:
        connection = self._connected()
        timeout = connection.gettimeout()
        connection.setblocking(False)
        try:
            octets = connection.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            connection.settimeout(timeout)
            return b""
        except OSError as error:
            self._lose(f"Connection unexpectedly closed: {error}", error)
        return octets or self._lose("Connection unexpectedly closed")

    def _connected(self) -> socket.socket:
        if self.sock is None:
            raise SMTPServerDisconnected("please run connect() first")
        return self.sock

    def _lose(self, why: str, error: Exception | None = None) -> NoReturn:
        self.close()
        raise SMTPServerDisconnected(why) from error

    def _forget(self) -> None:
        self._parser, self._asked, self._accepted = ReplyParser(), deque(), []


class _Debug:
    """
    Prints what is said as smtplib does (`set_debuglevel`).
    """

    def __init__(self, session: LMTP) -> None:
        self._print: Callable[..., None] = session._print_debug  # type: ignore[attr-defined]  # noqa: SLF001 - smtplib's

    def client(self, octets: bytes) -> None:
        """
        Print what we said.
        """
        self._print("send:", repr(octets))

    def server(self, octets: bytes) -> None:
        """
        Print what the server said.
        """
        self._print("reply:", repr(octets))


def _deadlines(timeout: float | None) -> ClientDeadlines:
    """
    Give each reply the time a socket's operation has.
    """
    if timeout is None:
        return ClientDeadlines()
    return ClientDeadlines(**{field.name: timeout for field in dataclasses.fields(ClientDeadlines)})


def _reverse_path(from_addr: str) -> ReversePath:
    try:
        return ReversePath.parse(smtplib.quoteaddr(from_addr).encode("utf-8", "surrogatepass"))
    except AddressSyntaxError as error:
        raise SMTPSenderRefused(501, f"5.1.7 {error}".encode(), from_addr) from error


def _recipients(to_addrs: list[str], parameters: RcptParameters) -> list[Rcpt | Answer]:
    """
    Read addresses as smtplib does; what is none has its answer without being asked for.
    """
    return [_recipient(address, parameters) for address in to_addrs]


def _recipient(address: str, parameters: RcptParameters) -> Rcpt | Answer:
    octets = smtplib.quoteaddr(address).encode("utf-8", "surrogatepass")
    try:
        return Rcpt(ForwardPath.parse(octets, domain_optional=True), parameters)
    except AddressSyntaxError as error:
        return Answer(address, 501, f"5.1.3 {error}".encode())


def _in_order(to_addrs: list[str], recipients: list[Rcpt | Answer], results: list[Result]) -> list[Answer]:
    known = iter(results)
    return [
        answer_for(address, next(known)) if isinstance(recipient, Rcpt) else recipient
        for address, recipient in zip(to_addrs, recipients, strict=True)
    ]


def _on_the_wire(content: bytes) -> bytes:
    line_ends, stuffing = LineEnds(), DotStuffing()
    return stuffing.encode(line_ends.encode(content) + line_ends.finish()) + stuffing.finish()
