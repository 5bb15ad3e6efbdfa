# SPDX-License-Identifier: Apache-2.0
"""
The messages of an mbox: one file, a ``From `` line before each message.

Read as mboxrd: an empty line stands before each separator but the first, and a ``>`` more before whatever looks like
one in a message. Pure; lines go in, one message at a time is in memory. Not here: files, and writing one.
Raises ValueError. RFC 4155 §2 and appendix A.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

BEGINNING: Final = b"From "
"""What an mbox begins with, and no message: it can't be a header field (RFC 5322 §2.2)."""

# With the time of day: careless writers leave a sentence that begins with "From" as it is.
_SEPARATOR: Final = re.compile(rb"From .*[0-9]{1,2}:[0-9]{2}")
_QUOTED: Final = re.compile(rb">+From ")
_EMPTY: Final = frozenset({b"\n", b"\r\n"})


def messages_in(lines: Iterable[bytes]) -> Iterator[bytes]:
    """
    Yield the octets of each message, without its separator and the empty line behind it, line ends as they are.

    Args:
        lines: The lines of the mbox, with their ends.

    Raises:
        ValueError: it is no mbox, for the first line is no separator.
    """
    message: list[bytes] | None = None
    is_after_empty = False
    for line in lines:
        if message is None:
            _check_first(line)
            message = []
        elif is_after_empty and _SEPARATOR.match(line):
            yield _joined(message)
            message = []
        else:
            message.append(line[1:] if _QUOTED.match(line) else line)
        is_after_empty = line in _EMPTY
    if message is not None:
        yield _joined(message)


def without_separator(octets: bytes) -> bytes:
    """
    Return a message without the ``From `` line that some who hand over a single one put before it.
    """
    return octets.partition(b"\n")[2] if octets.startswith(BEGINNING) else octets


def _check_first(line: bytes) -> None:
    if not line.startswith(BEGINNING):
        raise ValueError("it is no mbox: the first line does not begin with 'From '")


def _joined(message: list[bytes]) -> bytes:
    return b"".join(message[:-1] if message and message[-1] in _EMPTY else message)
