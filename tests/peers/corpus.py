# SPDX-License-Identifier: Apache-2.0
"""
Messages to send: a handful of our own that are awkward on purpose, and a folder of real ones where there is one.

All as they go over the wire: CRLF line ends, the last line ended, dots not stuffed.
"""

import os
import re
from pathlib import Path
from typing import Final

from tests.peers.programs import ROOT

FOLDER: Final = Path(os.environ.get("LMTP_CORPUS", ROOT.parent / "shared/corpus"))
"""Real messages, one ``.eml`` file each; no part of the project."""

_RETURN_PATH: Final = re.compile(rb"(?im)^Return-Path:.*\r\n(?:[ \t].*\r\n)*")

_HEADER: Final = b"From: ann@example.org\r\nTo: bob@example.org\r\nSubject: "

OWN: Final = {
    "plain": _HEADER + b"plain\r\n\r\nHello Bob.\r\n",
    "empty body": _HEADER + b"nothing to say\r\n\r\n",
    "header section alone": _HEADER + b"no empty line follows\r\n",
    "body alone": b"\r\nno header field precedes\r\n",
    "leading dots": _HEADER + b"dots\r\n\r\n.\r\n..\r\n.hidden\r\n...\r\n.\r\n",
    "8-bit": _HEADER + b"octets\r\n\r\n" + bytes(range(128, 256)) + b"\r\n",
    "8-bit header": _HEADER + "Grüße\r\n\r\nGrüße\r\n".encode(),
    "long line": _HEADER + b"long\r\n\r\n" + b"0123456789" * 3000 + b"\r\n",
    "blanks at line ends": _HEADER + b"blanks\r\n\r\n-- \r\n \r\n\t\r\n",
    "many empty lines": _HEADER + b"empty\r\n\r\n" + b"\r\n" * 50,
    "From at the beginning of a line": _HEADER + b"mbox\r\n\r\nFrom here on\r\n>From there\r\n",
    "trace fields of another's": b"Return-Path: <forged@example.net>\r\nDelivered-To: eve@example.net\r\n"
    + _HEADER
    + b"forged\r\n\r\nx\r\n",
}
"""Our own, by what is special about each."""


def real_messages() -> dict[str, bytes]:
    """
    Return the real messages by file name; none where the folder is absent.
    """
    return {file.stem: on_the_wire(file.read_bytes()) for file in sorted(FOLDER.glob("*.eml"))}


def on_the_wire(octets: bytes) -> bytes:
    """
    Give every line a CRLF, whatever it ended with, the last one too.
    """
    content = re.sub(rb"\r?\n", b"\r\n", octets)
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def on_disk(content: bytes) -> bytes:
    """
    Return what is stored of a message below our trace fields: LF line ends, no Return-Path of anybody else's.
    """
    header, separator, body = content.partition(b"\r\n\r\n")
    if content.startswith(b"\r\n"):
        header, separator, body = b"", b"", content
    return (_RETURN_PATH.sub(b"", header + separator) + body).replace(b"\r\n", b"\n")
