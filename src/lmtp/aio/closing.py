# SPDX-License-Identifier: Apache-2.0
"""
How a connection is closed on a client that may still be sending.

Whoever closes a TCP connection before all that came in has been read has the system reset it, and a reset takes along
what was said last: replies on their way are thrown away, and a client that can't write any more gives up without
reading. So we stop writing, read on and throw away what comes, for a while. Called by connection.py. Never raises.
RFC 1122 §4.2.2.13; RFC 9112 §9.6 is about the same trap.
"""

import asyncio
import contextlib
import fcntl
import socket
import sys
import termios
from typing import Final

LULL_SECONDS: Final = 1.0
"""Who has sent nothing for so long has nothing more on its way."""
LINGERING_SECONDS: Final = 10.0
"""How long anybody may go on sending: it had its chance to look at our replies."""
LINGERING_BYTES: Final = 64 * 1024 * 1024
"""How much anybody may go on sending: a big message in one go."""

_ROOM_FOR_AN_INT: Final = bytes(4)


class Closing:
    """
    The end of one connection.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._close = self.stop
        self._ends = 0.0
        self._bytes = self._bytes_before = 0

    def begin(self, transport: asyncio.Transport, *, is_client_speaking: bool) -> None:
        """
        Close when what was said last has left, but not on a client that may be sending.

        Args:
            transport: What is to be closed, and is open.
            is_client_speaking: The client has not come to the end of what it was saying.
        """
        if not _may_be_reset(transport, is_client_speaking=is_client_speaking):
            transport.close()
            return
        self._close = transport.close
        self._ends = self._loop.time() + LINGERING_SECONDS
        with contextlib.suppress(OSError):  # the client has cut the connection: we hear of it when we read
            if transport.can_write_eof():  # TLS can't end one way alone
                transport.write_eof()
        transport.resume_reading()
        self._wait()

    def take(self, octets: int) -> None:
        """
        Throw so many octets away.
        """
        self._bytes += octets
        if self._bytes > LINGERING_BYTES:
            self._close()

    def stop(self) -> None:
        """
        Wait for nothing any more: the connection is gone.
        """
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        self._timer = self._loop.call_later(LULL_SECONDS, self._look)

    def _look(self) -> None:
        if self._bytes == self._bytes_before or self._loop.time() >= self._ends:
            self._close()
        else:
            self._bytes_before = self._bytes
            self._wait()


def _may_be_reset(transport: asyncio.Transport, *, is_client_speaking: bool) -> bool:
    """
    Say whether something is unread or may soon be; what was said on a Unix socket stays readable all the same.
    """
    connected = transport.get_extra_info("socket")
    return connected.family != socket.AF_UNIX and (is_client_speaking or _unread_bytes(connected.fileno()) > 0)


def _unread_bytes(descriptor: int) -> int:
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, _ROOM_FOR_AN_INT), sys.byteorder)
