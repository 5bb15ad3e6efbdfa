# SPDX-License-Identifier: Apache-2.0
"""
Where `lmtp send` has its messages from: files, folders of files, Maildirs, mboxes and standard input.

Found before anything is sent, read when their turn comes. Nothing is taken from a message but its octets. Not here:
how an mbox is taken apart (message/mbox.py). `open_source` raises NoInputError, or OSError when there is no room for a
copy of standard input; what can't be read later is an item of its own, and the others go on.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from lmtp.message.mbox import BEGINNING, messages_in, without_separator

STANDARD_INPUT: Final = "-"
"""What standard input is called on the command line."""
IN_MEMORY: Final = 1024 * 1024
"""Octets up to which a message is kept in memory; a bigger one stays in its file, or goes into a temporary one."""


class NoInputError(Exception):
    """
    There is nothing to send where the command line says.
    """


@dataclass(frozen=True, slots=True)
class Message:
    """
    One message to send.
    """

    name: str
    """What it is called in reports."""
    content: bytes | Path
    """Its octets, or where they are."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """
    Something that was to be a message.
    """

    name: str
    """What it is called in reports."""
    why: str
    """What is wrong with it."""


Item = Message | Unreadable
"""What comes out of a source."""


@dataclass(frozen=True, slots=True)
class Source:
    """
    The messages of one argument.
    """

    count: int | None
    """How many there are; None: nobody knows yet."""
    items: Iterator[Item]
    """They themselves, once."""


def open_source(name: str, standard_input: BinaryIO, keep: contextlib.ExitStack, *, is_mbox: bool) -> Source:
    """
    Find the messages of one argument.

    Standard input is one message unless it is said to be an mbox. Were it taken for one because of how it begins,
    whoever wrote the message could end it in the middle and begin another, with any header section.

    Args:
        name: A file, a folder, or ``-``.
        standard_input: What ``-`` is.
        keep: What holds temporary files until all is sent.
        is_mbox: What is read is an mbox; else only a file that begins like one is.

    Raises:
        NoInputError: there is nothing.
        OSError: there is no room for a copy of what can be read only once.
    """
    if name == STANDARD_INPUT:
        return _stream("standard input", standard_input, keep, is_mbox=is_mbox)
    path = Path(name)
    try:
        if path.is_dir():
            return _files(_in_folder(path))
        file = path.open("rb")
    except OSError as error:
        raise NoInputError(f"{path}: {error.strerror}") from error
    if not path.is_file():  # a pipe, such as the shell's <(...), is read once
        return _stream(name, keep.enter_context(file), keep, is_mbox=is_mbox)
    with file:
        is_mbox = is_mbox or file.read(len(BEGINNING)) == BEGINNING
    return Source(None, _mbox_file(path)) if is_mbox else _files([path])


def _in_folder(path: Path) -> list[Path]:
    """
    Return the messages of a Maildir, oldest name first, or else the files of a folder that are called ``.eml``.
    """
    boxes = [path / "new", path / "cur"]
    if all(box.is_dir() for box in boxes):
        found = (file for box in boxes for file in box.iterdir() if not file.name.startswith("."))
        return sorted(found, key=lambda file: file.name)
    files = sorted(file for file in path.iterdir() if file.suffix == ".eml")
    if not files:
        raise NoInputError(f"{path}: it is no Maildir, and holds no file whose name ends in .eml")
    return files


def _files(paths: list[Path]) -> Source:
    return Source(len(paths), map(_read, paths))


def _read(path: Path) -> Item:
    try:
        with path.open("rb") as file:
            octets = file.read(IN_MEMORY + 1)
    except OSError as error:
        return Unreadable(str(path), error.strerror or str(error))
    return _item(str(path), octets if len(octets) <= IN_MEMORY else path)


def _item(name: str, content: bytes | Path) -> Item:
    """
    Make an item; an empty one is what is left when whoever was to write the message has failed.
    """
    return Message(name, content) if content else Unreadable(name, "it is empty")


def _stream(name: str, stream: BinaryIO, keep: contextlib.ExitStack, *, is_mbox: bool) -> Source:
    if is_mbox:
        return Source(None, _mbox(name, stream))
    item = _item(name, _copied(stream, keep))
    if isinstance(item, Unreadable):
        raise NoInputError(f"{name}: {item.why}")
    return Source(1, iter([item]))


def _copied(stream: BinaryIO, keep: contextlib.ExitStack) -> bytes | Path:
    """
    Read all there is before anything is sent: what comes once may be needed twice, and its size is to be known.
    """
    octets = stream.read(IN_MEMORY + 1)
    if len(octets) <= IN_MEMORY:
        return without_separator(octets)
    path = Path(keep.enter_context(tempfile.TemporaryDirectory(prefix="lmtp-send-"))) / "message"
    with path.open("wb") as copy:
        copy.write(without_separator(octets))
        shutil.copyfileobj(stream, copy)
    return path


def _mbox_file(path: Path) -> Iterator[Item]:
    try:
        with path.open("rb") as file:
            yield from _mbox(str(path), file)
    except OSError as error:
        yield Unreadable(str(path), error.strerror or str(error))


def _mbox(name: str, lines: Iterable[bytes]) -> Iterator[Item]:
    try:
        for number, octets in enumerate(messages_in(lines), 1):
            yield _item(f"{name} #{number}", octets)
    except ValueError as error:
        yield Unreadable(name, str(error))
