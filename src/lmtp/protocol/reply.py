# SPDX-License-Identifier: Apache-2.0
"""
A reply as a value, and the standard replies by name.

`Reply` is checked when it is made and serialised in one place, so nothing a user wrote starts a new line.
Not here: which outcome gets which reply (outcome.py). RFC 5321 §4.2, RFC 2034 §4.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from lmtp.protocol.status import EnhancedStatus

MAX_LINE: Final = 512
"""Octets of a reply line with code and CRLF (RFC 5321 §4.5.3.1.5)."""
MAX_CHALLENGE_LINE: Final = 12_288 + len("334 \r\n")
"""The same where the reply is a challenge, which has one line and no more (RFC 4954 §4)."""

_CODE: Final = re.compile(r"[2-5][0-9][0-9]")
_UNPRINTABLE: Final = re.compile(r"[^\t -~]")


@dataclass(frozen=True, slots=True)
class Reply:
    r"""
    One reply: a code, an enhanced status (never with 3yz) and one or more lines of text.

    Args:
        code: 200 to 599; of ours none is above 559 (RFC 5321 §4.2), of others a client takes them (RFC 5321 §4.3.2).
        status: The enhanced status, of the same class as the code, or None (RFC 2034 §4).
        text: One or more lines, split at ``\n``; unprintable and non-ASCII characters become ``?``
            (RFC 5321 §4.2: nothing else may stand in a reply), long lines are folded.

    Raises:
        ValueError: code and status do not go together.
    """

    code: int
    """The three digits."""
    status: EnhancedStatus | None
    """The enhanced status code, on every line."""
    text: str
    """What the reply says to people."""
    _wire: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if _CODE.fullmatch(str(self.code)) is None:
            raise ValueError(f"not a reply code: {self.code}")
        if self.status is not None and self.status.category != self.code // 100:
            raise ValueError(f"{self.code} does not go with {self.status}")
        object.__setattr__(self, "_wire", self._serialize())

    @property
    def is_positive(self) -> bool:
        """
        The first digit is 2 (RFC 2033 §4: a positive completion reply).
        """
        return self.code < 300

    def __bytes__(self) -> bytes:
        return self._wire

    def __str__(self) -> str:
        prefix = f"{self.code} {self.status} " if self.status else f"{self.code} "
        return prefix + self.text.replace("\n", " ")

    def _serialize(self) -> bytes:
        code = str(self.code)
        status = f"{self.status} " if self.status else ""
        longest = MAX_CHALLENGE_LINE if self.code == 334 else MAX_LINE
        width = longest - len(code) - 1 - len(status) - 2
        lines = [piece for line in self.text.split("\n") for piece in _pieces(line, width)]
        wire = [f"{code}-{status}{line}\r\n" for line in lines[:-1]]
        wire.append(f"{code} {status}{lines[-1]}\r\n")
        return "".join(wire).encode("ascii")


def _pieces(line: str, width: int) -> list[str]:
    clean = _UNPRINTABLE.sub("?", line.removesuffix("\r"))
    return [clean[i : i + width] for i in range(0, len(clean), width)] or [""]


def _standard(code: int, status: str | None, text: str) -> Reply:
    return Reply(code, EnhancedStatus(status) if status else None, text)


SENDER_OK: Final = _standard(250, "2.1.0", "Sender ok")
RECIPIENT_OK: Final = _standard(250, "2.1.5", "Recipient ok")
RESET_OK: Final = _standard(250, "2.0.0", "Reset")
NOOP_OK: Final = _standard(250, "2.0.0", "Ok")
CANNOT_VERIFY: Final = _standard(252, "2.1.5", "Cannot verify; send the mail and see")
START_CONTENT: Final = _standard(354, None, "Send the message; end with <CRLF>.<CRLF>")
GOODBYE: Final = _standard(221, "2.0.0", "Goodbye")

SHUTTING_DOWN: Final = _standard(421, "4.3.2", "Shutting down")
TOO_MANY_CONNECTIONS: Final = _standard(421, "4.3.2", "Too many connections, try again later")
IDLE_TOO_LONG: Final = _standard(421, "4.4.2", "Waited too long, closing")
ACCESS_DENIED: Final = _standard(554, "5.7.1", "Not for you")
INTERNAL_ERROR: Final = _standard(421, "4.3.0", "Internal error, closing")
TOO_MANY_ERRORS: Final = _standard(421, "4.7.0", "Too many bad commands, closing")
TOO_MANY_RECIPIENTS: Final = _standard(452, "4.5.3", "Too many recipients")

LINE_TOO_LONG: Final = _standard(500, "5.5.2", "Line too long")
LINE_ENDING: Final = _standard(500, "5.5.2", "Lines must end with CRLF")
BAD_CHARACTERS: Final = _standard(500, "5.5.2", "Control or non-ASCII characters in command")
UNKNOWN_COMMAND: Final = _standard(500, "5.5.1", "Command not recognized")
NO_ARGUMENT_ALLOWED: Final = _standard(501, "5.5.4", "This command takes no argument")
ARGUMENT_REQUIRED: Final = _standard(501, "5.5.4", "This command needs an argument")
BAD_CLIENT_NAME: Final = _standard(501, "5.5.4", "A domain or an address literal is required")
BAD_REVERSE_PATH: Final = _standard(501, "5.1.7", "Bad sender address syntax")
BAD_FORWARD_PATH: Final = _standard(501, "5.1.3", "Bad recipient address syntax")
NON_ASCII_SENDER: Final = _standard(550, "5.6.7", "Non-ASCII sender address not permitted")
NON_ASCII_RECIPIENT: Final = _standard(553, "5.6.7", "Non-ASCII recipient address not permitted")
PATH_TOO_LONG: Final = _standard(501, "5.5.4", "Path too long")
BAD_PARAMETER: Final = _standard(501, "5.5.4", "Bad or repeated parameter")
NOT_IMPLEMENTED: Final = _standard(502, "5.5.1", "Command not implemented")
BAD_PRIORITY: Final = _standard(501, "5.5.2", "Bad or repeated priority")
UNKNOWN_PARAMETER: Final = _standard(555, "5.5.4", "Parameter not recognized")
BAD_SEQUENCE: Final = _standard(503, "5.5.1", "Bad sequence of commands")
TOO_BIG: Final = _standard(552, "5.3.4", "Message too big for system")
TOO_MANY_TRANSACTIONS: Final = _standard(421, "4.5.3", "Too many transactions in this session, connect again")

BAD_CHUNK_SIZE: Final = _standard(501, "5.5.4", "A chunk needs its size in octets")
OUT_OF_STEP: Final = _standard(421, "4.5.0", "Can't tell commands from content any more, closing")
CHUNK_OUT_OF_PLACE: Final = _standard(503, "5.5.1", "No transaction to add a chunk to")
BINARY_NEEDS_CHUNKS: Final = _standard(503, "5.5.1", "A BINARYMIME content comes by BDAT")

START_TLS: Final = _standard(220, "2.0.0", "Ready to start TLS")
NOTHING_AFTER_STARTTLS: Final = _standard(554, "5.5.0", "Commands behind STARTTLS, closing")
TLS_REQUIRED: Final = _standard(530, "5.7.0", "Use STARTTLS first")

AUTHENTICATED: Final = _standard(235, "2.7.0", "Authenticated")
AUTHENTICATION_REQUIRED: Final = _standard(530, "5.7.0", "Authentication required")
AUTHENTICATION_CANCELLED: Final = _standard(501, "5.7.0", "Authentication cancelled")
BAD_BASE64: Final = _standard(501, "5.5.2", "That is no base64")
UNKNOWN_MECHANISM: Final = _standard(504, "5.5.4", "Mechanism not offered")
AUTHENTICATION_LINE_TOO_LONG: Final = _standard(500, "5.5.6", "Authentication line too long")
TOO_MANY_FAILURES: Final = _standard(421, "4.7.0", "Too many failed authentications, closing")

BAD_ATTRIBUTE: Final = _standard(501, "5.5.4", "Bad attribute")
FORWARD_OK: Final = _standard(250, "2.0.0", "Noted")
TRACE_OK: Final = _standard(250, "2.0.0", "Noted")


def greeting(server_name: str, dialect_name: str) -> Reply:
    """
    Return the first reply of a session; the server's name comes first, no enhanced status (RFC 5321 §4.2).
    """
    return Reply(220, None, f"{server_name} {dialect_name} ready")


def chunk_ok(octets: int) -> Reply:
    """
    Return the answer to a chunk that was not the last (RFC 3030 §2).
    """
    return Reply(250, EnhancedStatus("2.0.0"), f"{octets} octets received")


def challenge(encoded: str) -> Reply:
    """
    Return what asks for the client's next response; nothing but base64 may stand in it (RFC 4954 §4).
    """
    return Reply(334, None, encoded)


def extension_list(server_name: str, extension_lines: list[str]) -> Reply:
    """
    Return the answer to LHLO: the server's name, then a line for each extension (RFC 5321 §4.1.1.1).
    """
    return Reply(250, None, "\n".join([server_name, *extension_lines]))


def wrong_protocol(dialect_name: str, greeting_verb: str) -> Reply:
    """
    Return the answer to the other protocol's greeting (RFC 2033 §4.1).
    """
    return Reply(500, EnhancedStatus("5.5.1"), f"This is {dialect_name}, use {greeting_verb}")


def no_recipients(code: int) -> Reply:
    """
    Return the answer to DATA when no recipient was accepted; the dialect says with which code.
    """
    return Reply(code, EnhancedStatus("5.5.1"), "No valid recipients")


def help_text(verbs: list[str]) -> Reply:
    """
    Return the answer to HELP: the commands there are.
    """
    return Reply(214, EnhancedStatus("2.0.0"), "Commands: " + " ".join(verbs))
