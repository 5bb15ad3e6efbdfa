# SPDX-License-Identifier: Apache-2.0
"""
Read back what landed: messages in Maildirs below a folder, found by a token of their own.

Looks into every ``new`` and ``cur`` there is, so one Maildir will do as well as the root of many. Not here: which
Maildir is whose. Files that vanish while they are read (a mail reader moved them) are left out. Raises OSError when
the folder itself can't be read.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FOLDERS: Final = frozenset({"new", "cur"})


def find(root: Path, token: bytes, *, since: float) -> list[bytes]:
    """
    Return every stored message that has the token in it.

    Args:
        root: Where to look.
        token: What no other message has.
        since: Seconds since the epoch; older files are not opened.
    """
    return [octets for octets in _messages(root, since) if token in octets]


def _messages(root: Path, since: float) -> Iterator[bytes]:
    for folder, _, names in os.walk(root, onerror=_fail):
        if Path(folder).name in _FOLDERS:
            for name in names:
                octets = _read(Path(folder, name), since)
                if octets is not None:
                    yield octets


def _read(path: Path, since: float) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_mtime >= since else None
    except FileNotFoundError:
        return None


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def with_lf(octets: bytes) -> bytes:
    """
    Return a message with LF line ends: whether a store keeps LF or CRLF is its own business.
    """
    return octets.replace(b"\r\n", b"\n")


def header_of(octets: bytes) -> bytes:
    """
    Return a stored message's header section with LF line ends and unfolded fields.
    """
    header = with_lf(octets).partition(b"\n\n")[0] + b"\n"
    return header.replace(b"\n ", b" ").replace(b"\n\t", b" ")


def body_of(octets: bytes) -> bytes:
    """
    Return a stored message's body with LF line ends.
    """
    return with_lf(octets).partition(b"\n\n")[2]


def fields_of(octets: bytes, name: bytes) -> list[bytes]:
    """
    Return the values of all header fields of that name, topmost first.
    """
    lines = (line.partition(b":") for line in header_of(octets).splitlines())
    return [value.strip() for field, _, value in lines if field.strip().lower() == name.lower()]
