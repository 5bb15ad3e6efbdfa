# SPDX-License-Identifier: Apache-2.0
"""
A Maildir as a reader finds it on disk, and what we expect in it.

Reads files and nothing else, so that it shares no code with the store it judges.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OURS: Final = (b"Return-Path", b"Delivered-To", b"Received")
"""The trace fields of a final delivery, in their order."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """
    The folder of one recipient.
    """

    path: Path
    """Where tmp, new and cur are."""

    def files(self) -> list[Path]:
        """
        Return the delivered messages nobody has read, oldest name first; none when there is no Maildir.
        """
        new = self.path / "new"
        return sorted(new.iterdir()) if new.is_dir() else []

    def messages(self) -> list[bytes]:
        """
        Return their octets, in no order that means anything.
        """
        return [file.read_bytes() for file in self.files()]

    def leftovers(self) -> list[Path]:
        """
        Return what lies in tmp.
        """
        tmp = self.path / "tmp"
        return sorted(tmp.iterdir()) if tmp.is_dir() else []


def split_trace(message: bytes) -> tuple[dict[str, str], bytes]:
    """
    Split a stored message into the three trace fields it must begin with, by name, and the rest.
    """
    fields: dict[str, str] = {}
    for name in OURS:
        value, message = split_field(name, message)
        fields[name.decode()] = value
    return fields, message


def split_field(name: bytes, message: bytes) -> tuple[str, bytes]:
    """
    Split a stored message into the value of the field it must begin with, and the rest.
    """
    found = re.match(re.escape(name) + rb":([^\n]*\n(?:[ \t][^\n]*\n)*)", message)
    assert found is not None, f"no {name.decode()} where one belongs: {message[:200]!r}"
    return found[1].decode("ascii").strip(), message[found.end() :]
