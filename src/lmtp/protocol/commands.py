# SPDX-License-Identifier: Apache-2.0
"""
The commands of a session as values, and the parser that makes them out of lines.

Not here: whether a command may come now (phases.py) or is granted (server.py).
Raises `CommandError` with the reply the line gets. RFC 5321 §4.1.1, RFC 2033 §4.1.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lmtp.protocol import reply
from lmtp.protocol.address import AddressSyntaxError, ForwardPath, ReversePath, parse_domain
from lmtp.protocol.dialect import Dialect
from lmtp.protocol.extensions import MAIL_PARAMETERS
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.parameters import CommandError, MailParameters, parse_parameters


@dataclass(frozen=True, slots=True)
class Greet:
    """
    LHLO, or EHLO in SMTP: the client says who it is.
    """

    client_name: str
    """A domain or an address literal."""


@dataclass(frozen=True, slots=True)
class Mail:
    """
    MAIL FROM: a transaction begins.
    """

    reverse_path: ReversePath
    """Whom failures are reported to."""
    parameters: MailParameters
    """What came behind it."""


@dataclass(frozen=True, slots=True)
class Rcpt:
    """
    RCPT TO: one recipient more.
    """

    forward_path: ForwardPath
    """Whom the message is for."""


@dataclass(frozen=True, slots=True)
class Data:
    """
    DATA: the content follows.
    """


@dataclass(frozen=True, slots=True)
class Rset:
    """
    RSET: forget the transaction.
    """


@dataclass(frozen=True, slots=True)
class Noop:
    """
    NOOP: nothing.
    """


@dataclass(frozen=True, slots=True)
class Vrfy:
    """
    VRFY: does somebody live here?
    """


@dataclass(frozen=True, slots=True)
class Help:
    """
    HELP: what can be said?
    """


@dataclass(frozen=True, slots=True)
class Quit:
    """
    QUIT: goodbye.
    """


Command = Greet | Mail | Rcpt | Data | Rset | Noop | Vrfy | Help | Quit
"""Everything a client may say."""

_BAD_OCTETS: Final = re.compile(rb"[^ -~]")
_NON_ASCII: Final = re.compile(rb"[\x80-\xff]")

# Commands of RFC 5321 and of extensions that this server does not offer: 502 tells them from nonsense (§4.2.4).
_NOT_OFFERED: Final = frozenset(
    {b"EXPN", b"BDAT", b"AUTH", b"STARTTLS", b"ETRN", b"TURN", b"ATRN", b"BURL", b"SEND", b"SOML", b"SAML"}
)


class CommandParser:
    """
    Reads the command lines of one dialect.

    Args:
        dialect: Which greeting is right and which is the other protocol's.
        limits: How long a path may be.
        leniency: Whether a forward-path may lack its domain.
    """

    def __init__(self, dialect: Dialect, limits: Limits, leniency: Leniency) -> None:
        self._path_bytes = limits.path_bytes
        self._domain_optional = Leniency.DOMAIN_OPTIONAL in leniency
        self._wrong_protocol = reply.wrong_protocol(dialect.name, dialect.greeting_verb)
        self._refused = frozenset(verb.encode("ascii") for verb in dialect.refused_verbs)
        self.verbs: Mapping[bytes, Callable[[bytes], Command]] = {
            dialect.greeting_verb.encode("ascii"): _greet,
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": _without_argument(Data),
            b"RSET": _without_argument(Rset),
            b"NOOP": lambda _argument: Noop(),
            b"VRFY": _vrfy,
            b"HELP": lambda _argument: Help(),
            b"QUIT": _without_argument(Quit),
        }
        """How the argument of each verb is read."""

    def parse(self, line: bytes) -> Command:
        """
        Read one line.

        Args:
            line: The line without its CRLF.

        Raises:
            CommandError: it is no command.
        """
        verb, _, argument = line.rstrip(b" \t").partition(b" ")  # RFC 5321 §4.1.1: trailing white space is let pass
        verb = verb.upper()
        if _BAD_OCTETS.search(line.rstrip(b" \t")):
            raise CommandError(_reply_for_bad_octets(verb, argument))
        read = self.verbs.get(verb)
        if read is None:
            raise CommandError(self._reply_for_unknown(verb))
        return read(argument)

    def _reply_for_unknown(self, verb: bytes) -> reply.Reply:
        if verb in self._refused:
            return self._wrong_protocol
        return reply.NOT_IMPLEMENTED if verb in _NOT_OFFERED else reply.UNKNOWN_COMMAND

    def _mail(self, argument: bytes) -> Mail:
        path, rest = self._path(argument, b"FROM:", reply.BAD_REVERSE_PATH)
        try:
            reverse_path = ReversePath.parse(path)
        except AddressSyntaxError as error:
            raise CommandError(reply.BAD_REVERSE_PATH) from error
        values = parse_parameters(rest, MAIL_PARAMETERS)
        return Mail(reverse_path, MailParameters(**values))  # type: ignore[arg-type] # each row names its field

    def _rcpt(self, argument: bytes) -> Rcpt:
        path, rest = self._path(argument, b"TO:", reply.BAD_FORWARD_PATH)
        try:
            forward_path = ForwardPath.parse(path, domain_optional=self._domain_optional)
        except AddressSyntaxError as error:
            raise CommandError(reply.BAD_FORWARD_PATH) from error
        parse_parameters(rest, {})
        return Rcpt(forward_path)

    def _path(self, argument: bytes, label: bytes, bad: reply.Reply) -> tuple[bytes, bytes]:
        """
        Split ``FROM:<path> parameters`` behind the path; a quoted local part may hold ``>`` (RFC 5321 §4.1.2).
        """
        if argument[: len(label)].upper() != label:
            raise CommandError(bad)
        path = _PATH_OCTETS.match(argument, len(label))
        if path is None or argument[path.end() : path.end() + 1] not in (b"", b" "):
            raise CommandError(bad)
        if len(path[0]) > self._path_bytes:
            raise CommandError(reply.PATH_TOO_LONG)
        return path[0], argument[path.end() :]


_PATH_OCTETS: Final = re.compile(rb'<(?:[^">]|"(?:[^"\\]|\\.)*")*>')


def _greet(argument: bytes) -> Greet:
    try:
        client_name = parse_domain(argument)
    except AddressSyntaxError as error:
        raise CommandError(reply.BAD_CLIENT_NAME) from error
    if not client_name:
        raise CommandError(reply.BAD_CLIENT_NAME)
    return Greet(client_name)


def _vrfy(argument: bytes) -> Vrfy:
    if not argument:
        raise CommandError(reply.ARGUMENT_REQUIRED)
    return Vrfy()


def _without_argument(command: Callable[[], Command]) -> Callable[[bytes], Command]:
    def read(argument: bytes) -> Command:
        if argument.strip():
            raise CommandError(reply.NO_ARGUMENT_ALLOWED)
        return command()

    return read


def _reply_for_bad_octets(verb: bytes, argument: bytes) -> reply.Reply:
    """
    Tell an internationalised address from garbage: the sender of the first deserves to know (RFC 6531 §3.5).
    """
    if _NON_ASCII.search(argument):
        if verb == b"MAIL":
            return reply.NON_ASCII_SENDER
        if verb == b"RCPT":
            return reply.NON_ASCII_RECIPIENT
    return reply.BAD_CHARACTERS
