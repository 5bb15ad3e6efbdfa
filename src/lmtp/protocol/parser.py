# SPDX-License-Identifier: Apache-2.0
"""
The parser that makes commands out of lines.

Not here: whether a command may come now (phases.py) or is granted (server.py); the commands that come with extensions
are read in verbs.py. Raises `CommandError` with the reply the line gets. RFC 5321 §4.1.1, RFC 2033 §4.1.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from lmtp.protocol import reply
from lmtp.protocol.address import AddressSyntaxError, ForwardPath, ReversePath, parse_domain
from lmtp.protocol.commands import Command, Data, Greet, Help, Mail, Noop, Quit, Rcpt, Rset, Vrfy
from lmtp.protocol.dialect import Dialect
from lmtp.protocol.extensions import Extension, Offer, offered
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.parameters import CommandError, MailParameters, Parameter, RcptParameters, parse_parameters

_CONTROLS: Final = re.compile(rb"[\x00-\x1f\x7f]")

# The commands that may have UTF-8, and what they are answered where it is not offered (RFC 6531 §3.5).
_NON_ASCII: Final = {
    b"MAIL": reply.NON_ASCII_SENDER,
    b"RCPT": reply.NON_ASCII_RECIPIENT,
    b"VRFY": reply.BAD_CHARACTERS,
}

# Commands of RFC 5321 and of extensions that this server does not offer: 502 tells them from nonsense (§4.2.4).
_NOT_OFFERED: Final = frozenset(
    {b"EXPN", b"BDAT", b"AUTH", b"STARTTLS", b"ETRN", b"TURN", b"ATRN", b"BURL", b"SEND", b"SOML", b"SAML"}
)

# A quoted string may have ">" in it, and so may an address literal of a kind nobody knows (RFC 5321 §4.1.3).
_PATH_OCTETS: Final = re.compile(rb'<(?:[^">\[]|"(?:[^"\\]|\\.)*"|\[[^\]]*\])*>')
_BARE_PATH_OCTETS: Final = re.compile(rb'(?:[^"<> ]|"(?:[^"\\]|\\.)*")+')
_UNDERSCORE: Final = re.compile(rb"(?<=[A-Za-z0-9_-])_(?=[A-Za-z0-9_-])")


class CommandParser:
    """
    Reads the command lines of one session.

    Args:
        dialect: Which greeting is right and which is the other protocol's.
        limits: How long a path may be.
        leniency: Which departures from the grammar are let pass.
        extensions: What is offered.
    """

    def __init__(
        self, dialect: Dialect, limits: Limits, leniency: Leniency, extensions: Iterable[Extension] = ()
    ) -> None:
        self._path_bytes = limits.path_bytes
        self._leniency = leniency
        self._wrong_protocol = reply.wrong_protocol(dialect.name, dialect.greeting_verb)
        self._refused = frozenset(verb.encode("ascii") for verb in dialect.refused_verbs)
        self._mail_parameters: dict[str, Parameter] = {}
        self._rcpt_parameters: dict[str, Parameter] = {}
        verbs: dict[bytes, Callable[[bytes], Command]] = {
            dialect.greeting_verb.encode("ascii"): self._greet,
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": _without_argument(Data),
            b"RSET": _without_argument(Rset),
            b"NOOP": lambda _argument: Noop(),
            b"VRFY": self._vrfy,
            b"HELP": lambda _argument: Help(),
            b"QUIT": _without_argument(Quit),
        }
        for extension in extensions:
            self._mail_parameters |= extension.mail_parameters
            self._rcpt_parameters |= extension.rcpt_parameters
            verbs |= extension.verbs
        self._takes_utf8 = "SMTPUTF8" in self._mail_parameters
        self.verbs: Mapping[bytes, Callable[[bytes], Command]] = verbs
        """How the argument of each verb is read."""

    def parse(self, line: bytes) -> Command:
        """
        Read one line.

        Args:
            line: The line without its CRLF.

        Raises:
            CommandError: it is no command.
        """
        stripped = line.rstrip(b" \t")  # RFC 5321 §4.1.1: trailing white space is let pass
        verb, _, argument = stripped.partition(b" ")
        verb = verb.upper()
        self._check_octets(stripped, verb)
        read = self.verbs.get(verb)
        if read is None:
            raise CommandError(self._reply_for_unknown(verb))
        return read(argument)

    def announces_chunk(self, line: bytes) -> bool:
        """
        Say whether a line that can't be read was to announce a chunk: of that nobody knows where it ends (RFC 3030 §2).
        """
        return b"BDAT" in self.verbs and line[:4].upper() == b"BDAT"

    def _check_octets(self, line: bytes, verb: bytes) -> None:
        """
        Refuse controls, and what is not ASCII unless it may be UTF-8 (RFC 6531 §3.3).
        """
        if _CONTROLS.search(line) or not (line.isascii() or verb in _NON_ASCII):
            raise CommandError(reply.BAD_CHARACTERS, ends_session=self.announces_chunk(line))
        if not (line.isascii() or self._takes_utf8):
            raise CommandError(_NON_ASCII[verb])

    def _reply_for_unknown(self, verb: bytes) -> reply.Reply:
        if verb in self._refused:
            return self._wrong_protocol
        return reply.NOT_IMPLEMENTED if verb in _NOT_OFFERED else reply.UNKNOWN_COMMAND

    def _greet(self, argument: bytes) -> Greet:
        checked = argument
        if Leniency.UNDERSCORE_IN_NAME in self._leniency:
            checked = _UNDERSCORE.sub(b"-", argument)
        try:
            client_name = parse_domain(checked)
        except AddressSyntaxError as error:
            raise CommandError(reply.BAD_CLIENT_NAME) from error
        if not client_name:
            raise CommandError(reply.BAD_CLIENT_NAME)
        return Greet(argument.decode("ascii"))

    def _mail(self, argument: bytes) -> Mail:
        path, rest = self._path(argument, b"FROM:", reply.BAD_REVERSE_PATH)
        try:
            reverse_path = ReversePath.parse(path)
        except AddressSyntaxError as error:
            raise CommandError(reply.BAD_REVERSE_PATH) from error
        values = parse_parameters(rest, self._mail_parameters)
        parameters = MailParameters(**values)  # type: ignore[arg-type] # each row names its field
        if not (path.isascii() or parameters.is_internationalized):
            raise CommandError(reply.NON_ASCII_SENDER)
        return Mail(reverse_path, parameters)

    def _rcpt(self, argument: bytes) -> Rcpt:
        path, rest = self._path(argument, b"TO:", reply.BAD_FORWARD_PATH)
        try:
            forward_path = ForwardPath.parse(path, domain_optional=Leniency.DOMAIN_OPTIONAL in self._leniency)
        except AddressSyntaxError as error:
            raise CommandError(reply.BAD_FORWARD_PATH) from error
        values = parse_parameters(rest, self._rcpt_parameters)
        return Rcpt(forward_path, RcptParameters(**values))  # type: ignore[arg-type] # each row names its field

    def _vrfy(self, argument: bytes) -> Vrfy:
        if not argument or (not argument.isascii() and not argument.upper().endswith(b" SMTPUTF8")):
            raise CommandError(reply.ARGUMENT_REQUIRED)
        return Vrfy()

    def _path(self, argument: bytes, label: bytes, bad: reply.Reply) -> tuple[bytes, bytes]:
        """
        Split ``FROM:<path> parameters`` behind the path; a quoted local part may hold ``>`` (RFC 5321 §4.1.2).
        """
        if argument[: len(label)].upper() != label:
            raise CommandError(bad)
        start = len(label)
        if Leniency.SPACE_BEFORE_PATH in self._leniency:
            start = len(argument) - len(argument[start:].lstrip(b" "))
        path, end = self._path_at(argument, start)
        if path is None or argument[end : end + 1] not in (b"", b" "):
            raise CommandError(bad)
        if len(path) > self._path_bytes:
            raise CommandError(reply.PATH_TOO_LONG)
        return path, argument[end:]

    def _path_at(self, argument: bytes, start: int) -> tuple[bytes | None, int]:
        match = _PATH_OCTETS.match(argument, start)
        if match is not None:
            return match[0], match.end()
        if Leniency.PATH_WITHOUT_BRACKETS in self._leniency and (match := _BARE_PATH_OCTETS.match(argument, start)):
            return b"<%b>" % match[0], match.end()
        return None, start


def _without_argument(command: Callable[[], Command]) -> Callable[[bytes], Command]:
    def read(argument: bytes) -> Command:
        if argument.strip():
            raise CommandError(reply.NO_ARGUMENT_ALLOWED)
        return command()

    return read


@functools.lru_cache(maxsize=64)  # most sessions of a server offer the same
def vocabulary(dialect: Dialect, limits: Limits, leniency: Leniency, offer: Offer) -> tuple[CommandParser, list[str]]:
    """
    Return the parser of what a session understands, and the lines of its reply to LHLO.
    """
    rows = list(offered(offer, limits))
    return CommandParser(dialect, limits, leniency, [row for row, _ in rows]), [line for _, line in rows]
