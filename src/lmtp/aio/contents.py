# SPDX-License-Identifier: Apache-2.0
"""
What may be sent as a content, and what a client must know of it before it says MAIL.

Octets, a file, the path of one, an `email.message.EmailMessage`, an iterable or an async iterable of octets. What can
be read twice is measured first, so that SIZE and BODY are true; the rest is sent as it comes.
Not here: line ends and dots on the wire (protocol/stuffing.py). Raises OSError from files, TypeError for anything else.
"""

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from email.generator import BytesGenerator
from email.message import EmailMessage, Message
from email.policy import SMTP, EmailPolicy
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast, runtime_checkable

from lmtp.protocol.offered import Offered
from lmtp.protocol.stuffing import LineEnds, with_crlf

PIECE_BYTES: Final = 256 * 1024
"""How much of a content is in memory at a time when it comes from a file."""

Content = (
    bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO | Message | Iterable[bytes] | AsyncIterable[bytes]
)
"""What may be sent. A file is read from where it stands; text is refused, for nobody knows its encoding."""

_BLIND: Final = ("bcc", "resent-bcc")


@runtime_checkable
class Readable(Protocol):
    """
    A file, or what is like one.
    """

    def read(self, size: int = -1, /) -> bytes:
        """
        Return so many octets, or fewer; none at the end.
        """
        ...


@dataclass(frozen=True, slots=True)
class Measure:
    """
    What was found out about a content before it was sent.
    """

    size_bytes: int | None
    """Octets with every line end a CRLF; None: not known."""
    is_seven_bit: bool | None
    """No octet is above 127; None: not known."""


UNKNOWN: Final = Measure(None, None)
"""Nothing was found out."""


@dataclass(frozen=True, slots=True)
class Octets:
    """
    A content in memory.
    """

    octets: bytes
    """All of it, with every line end a CRLF."""

    def measure(self) -> Measure:
        """
        Measure it.
        """
        has_last_line_end = not self.octets or self.octets.endswith(b"\r\n")
        return Measure(len(self.octets) + (0 if has_last_line_end else 2), self.octets.isascii())

    def pieces(self) -> Iterator[bytes]:
        """
        Yield it whole.
        """
        yield self.octets


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A content in a file that can be read again.
    """

    file: Path | BinaryIO
    """Where the file is, or the file, open; that is left open."""
    start: int = 0
    """Where the content begins in it."""

    def measure(self) -> Measure:
        """
        Measure it, by reading it once.
        """
        line_ends, size_bytes, is_seven_bit = LineEnds(), 0, True
        for piece in self.pieces():
            size_bytes += len(line_ends.encode(piece))
            is_seven_bit = is_seven_bit and piece.isascii()
        return Measure(size_bytes + len(line_ends.finish()), is_seven_bit)

    def pieces(self) -> Iterator[bytes]:
        """
        Yield it piece by piece.
        """
        with self.file.open("rb") if isinstance(self.file, Path) else contextlib.nullcontext(self.file) as file:
            file.seek(self.start)
            yield from _read(file)


@dataclass(frozen=True, slots=True)
class Passing:
    """
    A content that can be read once.
    """

    octets: Iterable[bytes]
    """Where it comes from."""

    def measure(self) -> Measure:
        """
        Say that nothing is known.
        """
        return UNKNOWN

    def pieces(self) -> Iterator[bytes]:
        """
        Yield what comes.
        """
        return iter(self.octets)


@dataclass(frozen=True, slots=True)
class Arriving:
    """
    A content that can be read once, and has to be waited for.
    """

    octets: AsyncIterable[bytes]
    """Where it comes from."""

    def measure(self) -> Measure:
        """
        Say that nothing is known.
        """
        return UNKNOWN


Repeatable = Octets | Stored
"""What can be sent again, to those recipients a server could not take in one transaction."""
Blocking = Octets | Stored | Passing
"""What needs no event loop."""
Source = Blocking | Arriving
"""A content, made ready to be sent."""


def source_of(content: Content, offered: Offered, *, needs_utf8: bool = False, is_binary: bool = False) -> Source:
    """
    Make a content ready to be sent to one server. May read a file from its beginning to its end.

    Args:
        content: The content.
        offered: What the server said of itself: a message object is written without octets above 127 if it must be.
        needs_utf8: The envelope has an address that is not ASCII, so header fields may be UTF-8 too (RFC 6531).
        is_binary: It is sent as BINARYMIME, so its line ends are left as they are (RFC 3030 §3).

    Raises:
        TypeError: it is text, or nothing that can be sent.
        OSError: the file can't be read.
    """
    match content:
        case bytes() | bytearray() | memoryview():
            return _octets(bytes(content), is_binary=is_binary)
        case Message():
            return Octets(flatten(content, eight_bit="8BITMIME" in offered, needs_utf8=needs_utf8))
        case os.PathLike():
            return _stored(Stored(Path(content)), is_binary=is_binary)
        case str():
            raise TypeError("a content is octets: encode the text, or give the path of a file as a Path")
        case AsyncIterable():
            return Arriving(content)
        case _ if isinstance(content, Readable):
            file = cast("BinaryIO", content)
            return _stored(Stored(file, file.tell()), is_binary=is_binary) if file.seekable() else Passing(_read(file))
        case Iterable():
            return Passing(content)
    raise TypeError(f"a {type(content).__name__} is nothing that can be sent")


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        if not isinstance(piece, bytes):
            raise TypeError("a content is octets: open the file in binary mode")
        yield piece


def _octets(octets: bytes, *, is_binary: bool) -> Octets:
    return Octets(octets if is_binary else with_crlf(octets))


def _stored(stored: Stored, *, is_binary: bool) -> Octets | Stored:
    """
    Read a small file at once: most messages are small, and what is in memory needs no thread.
    """
    beginning = next(stored.pieces(), b"")
    return stored if len(beginning) == PIECE_BYTES else _octets(beginning, is_binary=is_binary)


def flatten(message: Message, *, eight_bit: bool, needs_utf8: bool) -> bytes:
    """
    Write a message object as octets with CRLF, without Bcc fields, which are for the sender alone (RFC 5322 §3.6.3).

    Args:
        message: The message; it is not changed.
        eight_bit: Octets above 127 may stand in the body; else such parts are written in base64 or quoted-printable.
        needs_utf8: Header fields may be UTF-8 (RFC 6532).
    """
    shown = copy(message)
    for name in _BLIND:
        del shown[name]
    policy = SMTP if isinstance(message, EmailMessage) else message.policy.clone(linesep="\r\n")
    policy = policy.clone(cte_type="8bit" if eight_bit else "7bit")
    if needs_utf8 and isinstance(policy, EmailPolicy):
        policy = policy.clone(utf8=True)
    written = io.BytesIO()
    BytesGenerator(written, mangle_from_=False, policy=policy).flatten(shown)
    return with_crlf(written.getvalue())


async def pieces_of(source: Source) -> AsyncIterator[bytes]:
    """
    Yield the pieces of a content; files are read on a thread, for a disk may be slow.
    """
    if isinstance(source, Arriving):
        async for piece in source.octets:
            yield piece
    elif isinstance(source, Octets):
        yield source.octets
    else:
        pieces = source.pieces()
        while (octets := await asyncio.to_thread(next, pieces, None)) is not None:
            yield octets
