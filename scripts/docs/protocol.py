# SPDX-License-Identifier: Apache-2.0
"""
What the manual says about the protocol: dialects, phases, extensions and replies, from the tables of the code.

A standard reply needs a sentence in `WHEN`, where the code has none; KeyError tells whose is missing.
"""

import errno
from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from lmtp.protocol import reply
from lmtp.protocol.dialect import LMTP, SMTP, Dialect, Replies
from lmtp.protocol.extensions import EXTENSIONS, STANDARD, Extension
from lmtp.protocol.outcome import Deferred, Delivered, Failed, reply_for
from lmtp.protocol.phases import PHASES, SERVER, Phase
from lmtp.protocol.reply import Reply
from lmtp.protocol.status import MEANINGS
from lmtp.stores.base import OS_ERRORS
from scripts.docs.markdown import code, table
from scripts.docs.source import described

SERVER_NAME: Final = "store.example"
"""What a server calls itself in examples."""
WHEN: Final[Mapping[str, str]] = {
    "SENDER_OK": "`MAIL` was taken.",
    "RECIPIENT_OK": "`RCPT` was taken: this recipient is owed one reply after the content.",
    "RESET_OK": "`RSET`.",
    "NOOP_OK": "`NOOP`.",
    "CANNOT_VERIFY": "`VRFY`, whatever it asks for.",
    "START_CONTENT": "`DATA` was taken.",
    "GOODBYE": "`QUIT`; the connection closes.",
    "SHUTTING_DOWN": "The server is going down; the connection closes.",
    "TOO_MANY_CONNECTIONS": "Instead of the greeting, when `connections` sessions run; the connection closes.",
    "IDLE_TOO_LONG": "`command_seconds` or `content_seconds` have passed; the connection closes.",
    "INTERNAL_ERROR": "A fault of the server's own, logged with its traceback; the connection closes.",
    "TOO_MANY_ERRORS": "`limits.bad_commands` refused commands in a row; the connection closes.",
    "TOO_MANY_RECIPIENTS": "`RCPT` beyond `limits.recipients`; those taken before stay taken.",
    "LINE_TOO_LONG": "A command line beyond `limits.command_line_bytes`.",
    "LINE_ENDING": "A command line that ends in a bare LF; nothing up to the next CRLF is obeyed.",
    "BAD_CHARACTERS": "A command with control characters or octets above 127.",
    "UNKNOWN_COMMAND": "A verb nobody knows.",
    "NO_ARGUMENT_ALLOWED": "`DATA`, `RSET` or `QUIT` with an argument.",
    "ARGUMENT_REQUIRED": "`VRFY` without an argument.",
    "BAD_CLIENT_NAME": "`LHLO` without a domain or an address literal.",
    "BAD_REVERSE_PATH": "`MAIL` whose path is none.",
    "BAD_FORWARD_PATH": "`RCPT` whose path is none, or has no domain.",
    "NON_ASCII_SENDER": "`MAIL` with octets above 127 and without SMTPUTF8.",
    "NON_ASCII_RECIPIENT": "`RCPT` with octets above 127 in a transaction without SMTPUTF8.",
    "PATH_TOO_LONG": "A path beyond `limits.path_bytes`.",
    "BAD_PARAMETER": "A parameter with a bad value, or one given twice.",
    "NOT_IMPLEMENTED": "A command of SMTP or of an extension that is not offered, such as `EXPN`.",
    "UNKNOWN_PARAMETER": "A parameter of `MAIL` or `RCPT` that no offered extension brings.",
    "BAD_SEQUENCE": "A command that may not come now; nothing changes.",
    "TOO_MANY_TRANSACTIONS": "`MAIL` beyond `limits.transactions`; the connection closes.",
    "BAD_CHUNK_SIZE": "`BDAT` without a size; the next reply closes the connection.",
    "OUT_OF_STEP": "After a `BDAT` that could not be read: where its chunk ends is not known. The connection closes.",
    "CHUNK_OUT_OF_PLACE": "`BDAT` without an accepted recipient, or after a refused chunk; its octets were read.",
    "BINARY_NEEDS_CHUNKS": "`DATA` in a transaction with `BODY=BINARYMIME`.",
    "START_TLS": "`STARTTLS` was taken: the handshake follows.",
    "NOTHING_AFTER_STARTTLS": "Octets came in clear behind `STARTTLS`; the next reply closes the connection.",
    "TLS_REQUIRED": "Anything but `LHLO`, `NOOP`, `STARTTLS` and `QUIT` where TLS is demanded.",
    "AUTHENTICATED": "`AUTH` succeeded.",
    "AUTHENTICATION_REQUIRED": "`MAIL` where authentication is demanded.",
    "AUTHENTICATION_CANCELLED": "`*` in the place of a response.",
    "BAD_BASE64": "A response, or an initial response, that is no base64.",
    "UNKNOWN_MECHANISM": "`AUTH` with a mechanism that is not listed.",
    "AUTHENTICATION_LINE_TOO_LONG": "A response of more than 12288 octets.",
    "TOO_MANY_FAILURES": "`limits.authentication_failures` wrong credentials; the connection closes.",
    "BAD_ATTRIBUTE": "`XCLIENT`, `XFORWARD` or `TRACE` with what they do not know.",
    "FORWARD_OK": "`XFORWARD` was taken.",
    "TRACE_OK": "`TRACE` was taken.",
    "BAD_PRIORITY": "A bad or repeated `MT-PRIORITY`.",
    "ACCESS_DENIED": "Instead of the greeting, to peers that `access.connect` does not name; the connection closes.",
    "TOO_BIG": "`MAIL` whose `SIZE` is beyond `limits.message_bytes`.",
}
"""When each standard reply is given."""


def dialects() -> str:
    """
    Return the table of all that LMTP and SMTP differ in.
    """
    helps = described("lmtp.protocol.dialect", "Dialect")
    rows = [
        (code(field.name), helps[field.name], _value(LMTP, field.name), _value(SMTP, field.name))
        for field in fields(Dialect)
    ]
    return table(("Field", "What it is", "LMTP", "SMTP"), rows)


def _value(dialect: Dialect, name: str) -> str:
    value = getattr(dialect, name)
    match value:
        case Replies():
            return str(value.value)
        case tuple():
            return ", ".join(map(code, value))
        case _:
            return code(str(value))


def phases_diagram() -> str:
    """
    Return the table of phases as a diagram; steps that lead to the same phase share an arrow.
    """
    arrows: dict[tuple[Phase, Phase], list[str]] = {}
    for (phase, step), following in SERVER.items():
        arrows.setdefault((phase, following), []).append(step.value)
    lines = [
        f"    {_state(phase)} --> {_state(following)}: {', '.join(steps)}"
        for (phase, following), steps in arrows.items()
    ]
    states = [f'    state "{phase.value}" as {_state(phase)}' for phase in Phase]
    first = f"    [*] --> {_state(Phase.CONNECTED)}: 220"
    last = f"    {_state(Phase.CLOSED)} --> [*]"
    return "\n".join(["```mermaid", "stateDiagram-v2", *states, first, *lines, last, "```"])


def _state(phase: Phase) -> str:
    return phase.name.lower()


def phases_table() -> str:
    """
    Return what each phase is, what is waited for in it, and the log's words for it.
    """
    helps = described("lmtp.protocol.phases", "Phase")
    waits = described("lmtp.protocol.phases", "Wait")
    rows = [(code(phase.value), helps[phase.name], waits[info.wait.name], info.doing) for phase, info in PHASES.items()]
    return table(("Phase", "What holds", "The session waits for", "In the log"), rows)


def extensions() -> str:
    """
    Return the table of extensions.
    """
    rows = [(code(each.keyword), each.rfc, _listed(each), _words_of(each), f"{each.summary}.") for each in EXTENSIONS]
    return table(("Keyword", "Defined in", "Offered", "Brings", "What it changes"), rows)


def _listed(extension: Extension) -> str:
    if extension.is_required:
        return "always"
    return "by default" if extension.keyword in STANDARD else "when asked for"


def _words_of(extension: Extension) -> str:
    verbs = [code(verb.decode("ascii")) for verb in extension.verbs]
    mail = [code(f"MAIL {keyword}") for keyword in extension.mail_parameters]
    return ", ".join([*verbs, *mail, *(code(f"RCPT {keyword}") for keyword in extension.rcpt_parameters)])


def replies_to_commands() -> str:
    """
    Return the table of all replies that no directory and no store decides, by code.
    """
    standard = [(value, WHEN[name]) for name, value in vars(reply).items() if isinstance(value, Reply)]
    made = [
        (reply.greeting(SERVER_NAME, LMTP.name), "The greeting."),
        (reply.extension_list(SERVER_NAME, ["PIPELINING"]), "`LHLO` was taken: a line for each extension."),
        (reply.help_text(["LHLO", "MAIL"]), "`HELP`: a word for each command."),
        (reply.wrong_protocol(LMTP.name, LMTP.greeting_verb), "`HELO` or `EHLO`; the session goes on."),
        (reply.no_recipients(LMTP.no_recipients_code), "`DATA` when no recipient was taken."),
    ]
    ordered = sorted([*standard, *made], key=lambda each: (each[0].code, each[0].status or ""))
    return table(
        ("Code", "Enhanced", "Text", "When"),
        [(str(each.code), each.status or "", code(each.text.replace("\n", " / ")), when) for each, when in ordered],
    )


def replies_to_recipients() -> str:
    """
    Return the basic codes and the phrase that go with each enhanced status of a verdict or an outcome.
    """
    rows = [("2.0.0", "250", "", "", Delivered().phrase)]
    for meaning, phrase in MEANINGS.items():
        transient = reply_for(Deferred(f"4.{meaning}"), "<>").code
        permanent = reply_for(Failed(f"5.{meaning}"), "<>").code
        rows.append((f"x.{meaning}", "", str(transient), str(permanent), phrase))
    return table(("Enhanced", "Delivered", "Deferred, x = 4", "Failed, x = 5", "Phrase"), rows)


def replies_to_os_errors() -> str:
    """
    Return the enhanced status of each error of the operating system that has one of its own.
    """
    rows = [(code(errno.errorcode[number]), _wire(status)) for number, status in OS_ERRORS.items()]
    return table(("Error", "Reply"), [*rows, ("any other", _wire("4.3.0"))])


def _wire(status: str) -> str:
    return code(str(reply_for(Deferred(status), "<ann@example.org>")))
