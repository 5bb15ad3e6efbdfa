# SPDX-License-Identifier: Apache-2.0
"""
The manual pages for man(1): lmtp.toml(5), lmtp(1) and a page for each of its commands.

Lists of options, keys and files come from the code; the text around them stands here. Checked with groff(1).
"""

import re
from collections.abc import Iterable
from typing import Final

from lmtp.cli.send_status import STATUSES
from scripts.docs.settings import Unset, commands, help_of, keys_by_table, options_of

_NAMES: Final = {
    "lmtp": "LMTP, the last hop of mail",
    "lmtp serve": "deliver mail into Maildirs over LMTP",
    "lmtp send": "send messages over LMTP",
    "lmtp check": "test how well a server speaks LMTP",
}

_SERVE_DESCRIPTION: Final = """\
A client, nearly always the queue of a mail server, hands over a message for one or more recipients.
Each gets a reply of its own: 250 once its copy is on stable storage, 4yz when the client must try again,
5yz when it must give up.
Nothing is queued: what could not be stored stays with the client."""
_TOML_DESCRIPTION: Final = """\
A TOML file, read once at the start when --config names it.
What the command line says counts more.
A key that does not exist and a value that can't be used are errors, and all of them are told at once."""
_SIGNALS: Final = (
    ("SIGTERM, SIGINT", "Take nothing new (421), let open transactions come to their end, then end."),
    ("a second one", "End at once. What was answered 250 is stored; what was not will be sent again."),
)
_STATUSES: Final = (
    ("0", "It ended after a signal, with everything answered."),
    ("1", "A second signal ended it."),
    ("2", "The command line could not be read."),
    ("71", "An endpoint could not be opened, or another error of the operating system."),
    ("78", "The settings or the users file can't be used; standard error has a line for each problem."),
)
_CHECK_DESCRIPTION: Final = """\
A line for each case says how it ended, which requirement it is, its level, what a good server does, and the clause.
A failed one also shows what was sent, what came and what was expected.
A case whose extension is not offered, or for which no recipient was named, is skipped with the reason.
One that could not come to its point, as when the server answers 421 or refuses the sender, is inconclusive.
.PP
MUST and SHOULD are those of the standards; what is called quality is asked by none of them."""
_CHECK_STATUSES: Final = (
    ("0", "No MUST failed; with --strict no SHOULD either."),
    ("1", "One did."),
    ("2", "The command line could not be read."),
    ("69", "The server could not be reached or let nobody in, or was gone before the end and nothing had failed."),
)
_CHECK_EXAMPLE: Final = """\
lmtp check unix:/run/lmtp.sock --user ann@example.org --user bob@example.org --unknown nobody@example.org"""
_SEND_DESCRIPTION: Final = """\
A line for each recipient says whether the message was delivered, is to be tried again (deferred) or has failed,
and the reply the server gave for it; where that was not the reply after the content, which it was.
Of more than a hundred messages, those delivered are only counted.
.PP
Standard input is one message unless --mbox is given; a "From " line before it is dropped.
A file that begins with such a line is read as an mbox, a folder with new and cur as a Maildir, and any other folder
for the files in it whose names end in .eml.
Line ends become CRLF; nothing else of a message is changed, and nothing is read from it.
.PP
A message that was in the middle of its way when the connection was lost is deferred, for it may have been delivered;
one that had not begun goes by a new connection.
When there is no connection to be had, the messages after that are left out.
.PP
With --json each line is an object: number, message, recipient, outcome (delivered, deferred, failed or unread),
point (which reply it rests on), code (null when no reply came), status and text."""
_SEND_SYNOPSIS: Final = r"""\
\fBlmtp send\fR \fB\-\-to\fR \fIENDPOINT\fR \fB\-\-from\fR \fIADDR\fR \fB\-\-rcpt\fR \fIADDR\fR... [\fIOPTION\fR]...
[\fIFILE\fR|\fB\-\fR]..."""
_SEND_MIXTURE: Final = """\
For several recipients or messages: 75 if it is right for one of them; else what is right for all that have failed;
69 if that differs."""
_SEND_EXAMPLES: Final = """\
lmtp send --to unix:/run/dovecot/lmtp --from ann@example.org --rcpt ben@example.org message.eml
lmtp send --to 127.0.0.1:24 --from '' --rcpt ben@example.org --connections 4 archive.mbox
lmtp send --to unix:/run/dovecot/lmtp --from="$SENDER" --rcpt="$RECIPIENT" --quiet -"""
_STANDARDS: Final = "RFC 2033; RFC 5321, as far as LMTP inherits it; RFC 2920; RFC 2034; RFC 6152; RFC 1870."
_FILES: Final = (
    ("lmtp.toml", "Settings, when --config names it; see lmtp.toml(5). No file is read unless it is named."),
    ("./mail", "Where Maildirs are made, unless --maildir or the settings say otherwise."),
)
_ENVIRONMENT: Final = (("NO_COLOR", "When it is set and not empty, pretty log lines have no colours."),)
_EXAMPLE: Final = """\
listen = ["unix:/run/lmtp/lmtp.sock,mode=0660,group=postfix"]

[maildir]
root = "/var/mail/lmtp"

[users]
path = "/etc/lmtp/users"

[limits]
message_bytes = "50 MiB\""""


def all_pages() -> dict[str, str]:
    """
    Return all manual pages by file name.
    """
    return {
        "lmtp.1": _lmtp(),
        "lmtp-serve.1": _lmtp_serve(),
        "lmtp-send.1": _lmtp_send(),
        "lmtp-check.1": _lmtp_check(),
        "lmtp.toml.5": _lmtp_toml(),
    }


def _lmtp() -> str:
    outer, *inner = commands()
    return _page(
        "LMTP 1",
        ("NAME", f"lmtp \\- {_NAMES['lmtp']}"),
        ("SYNOPSIS", "\\fBlmtp\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]..."),
        ("DESCRIPTION", _roff("What the command does is the business of its subcommands.")),
        ("COMMANDS", _list((each.name, help_of(each).partition("\n\n")[0]) for each in inner)),
        ("OPTIONS", _list(options_of(outer))),
        ("SEE ALSO", "\\fBlmtp-serve\\fR(1), \\fBlmtp-send\\fR(1), \\fBlmtp-check\\fR(1), \\fBlmtp.toml\\fR(5)"),
    )


def _lmtp_serve() -> str:
    (serve,) = (each for each in commands() if each.name == "lmtp serve")
    return _page(
        "LMTP-SERVE 1",
        ("NAME", f"lmtp-serve \\- {_NAMES[serve.name]}"),
        ("SYNOPSIS", "\\fBlmtp serve\\fR [\\fIOPTION\\fR]..."),
        (
            "DESCRIPTION",
            "\n.PP\n".join([*map(_roff, help_of(serve).split("\n\n")), _roff(_SERVE_DESCRIPTION)]),
        ),
        ("OPTIONS", _list(options_of(serve))),
        ("SIGNALS", _list(_SIGNALS)),
        ("EXIT STATUS", _list(_STATUSES)),
        ("ENVIRONMENT", _list(_ENVIRONMENT)),
        ("FILES", _list(_FILES)),
        (
            "STANDARDS",
            _roff(_STANDARDS),
        ),
        ("SEE ALSO", "\\fBlmtp.toml\\fR(5), \\fBmaildir\\fR(5)"),
    )


def _lmtp_send() -> str:
    (send,) = (each for each in commands() if each.name == "lmtp send")
    description = [*map(_roff, help_of(send).split("\n\n")), *map(_roff, _SEND_DESCRIPTION.split("\n.PP\n"))]
    statuses = ((str(number), text) for number, text in STATUSES)
    return _page(
        "LMTP-SEND 1",
        ("NAME", f"lmtp-send \\- {_NAMES[send.name]}"),
        ("SYNOPSIS", _SEND_SYNOPSIS),
        ("DESCRIPTION", "\n.PP\n".join(description)),
        ("OPTIONS", _list(options_of(send))),
        ("EXIT STATUS", f"{_list(statuses)}\n.PP\n{_roff(_SEND_MIXTURE)}"),
        ("EXAMPLES", f".nf\n{_roff(_SEND_EXAMPLES)}\n.fi"),
        ("SEE ALSO", "\\fBlmtp\\fR(1), \\fBlmtp-serve\\fR(1), \\fBmaildir\\fR(5), \\fBmbox\\fR(5)"),
    )


def _lmtp_check() -> str:
    (check,) = (each for each in commands() if each.name == "lmtp check")
    description = [*map(_roff, help_of(check).split("\n\n")), *map(_roff, _CHECK_DESCRIPTION.split("\n.PP\n"))]
    return _page(
        "LMTP-CHECK 1",
        ("NAME", f"lmtp-check \\- {_NAMES[check.name]}"),
        ("SYNOPSIS", "\\fBlmtp check\\fR \\fIENDPOINT\\fR [\\fIOPTION\\fR]..."),
        ("DESCRIPTION", "\n.PP\n".join(description)),
        ("OPTIONS", _list(options_of(check))),
        ("EXIT STATUS", _list(_CHECK_STATUSES)),
        ("EXAMPLE", f".nf\n{_roff(_CHECK_EXAMPLE)}\n.fi"),
        ("SEE ALSO", "\\fBlmtp\\fR(1), \\fBlmtp-serve\\fR(1)"),
    )


def _lmtp_toml() -> str:
    sections = [(f"[{name}]" if name else "KEYS BEFORE ANY TABLE", keys) for name, keys in keys_by_table().items()]
    return _page(
        "LMTP.TOML 5",
        ("NAME", "lmtp.toml \\- settings of lmtp serve"),
        ("DESCRIPTION", _roff(_TOML_DESCRIPTION)),
        *[
            (title, _list((key.name, _about(key.words, key.default, key.help)) for key in keys))
            for title, keys in sections
        ],
        ("EXAMPLE", f".nf\n{_roff(_EXAMPLE)}\n.fi"),
        ("SEE ALSO", "\\fBlmtp-serve\\fR(1)"),
    )


def _about(words: str, default: str, text: str) -> str:
    return f"{text} Takes {words}. " + (f"Default: {default}" if default else f"It {Unset.DEFAULT.value}.")


def _page(title: str, *sections: tuple[str, str]) -> str:
    head = [
        '.\\" SPDX-License-Identifier: Apache-2.0',
        '.\\" Made by "python -m scripts.docs"; change the code or that.',
        f'.TH {title} "" "lmtp" "lmtp manual"',
    ]
    return "\n".join([*head, *(f'.SH "{name}"\n{text}' for name, text in sections)]) + "\n"


def _list(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f".TP\n\\fB{_roff(name)}\\fR\n{_roff(text)}" for name, text in entries)


def _roff(text: str) -> str:
    """
    Return text in which nothing has a meaning to roff.
    """
    plain = re.sub(r"`+", "", text).replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in plain.splitlines())
