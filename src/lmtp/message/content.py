# SPDX-License-Identifier: Apache-2.0
"""
What the other rooms may ask of a message's content, wherever its octets are kept.

Not here: how it is received and spooled (aio/spool.py). Nothing in this room opens a file.
"""

from collections.abc import Iterator
from typing import Protocol


class Content(Protocol):
    """
    The octets of one message: CRLF line ends, dot transparency undone (RFC 5321 §2.3.9).
    """

    @property
    def size_bytes(self) -> int:
        """
        How many octets there are (RFC 1870 §5: CRLFs counted, stuffed dots not).
        """
        ...

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """
        Yield the octets from offset ``start`` on, in pieces of at most 256 KiB.

        May read a file, so it is called on a worker thread; several threads may do so at once.

        Raises:
            OSError: the spool file can't be read.
        """
        ...
