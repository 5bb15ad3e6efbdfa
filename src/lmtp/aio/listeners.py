# SPDX-License-Identifier: Apache-2.0
"""
Endpoints: where a server listens, how they are written, and how their sockets are opened.

``127.0.0.1:2424``, ``[::1]:2424,tls``, ``unix:/run/lmtp.sock`` and ``unix:/run/lmtp.sock,mode=0660,group=postfix``.
Not here: what happens on a connection. Raises ValueError for a bad endpoint, OSError when one can't be opened.
"""

import asyncio
import contextlib
import errno
import fcntl
import grp
import ipaddress
import os
import pwd
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

BACKLOG: Final = 1024
"""Connections that may wait to be accepted; asyncio's 100 answers a burst of 200 on a Unix socket with EAGAIN."""

_SMTP_PORT: Final = 25
_TCP: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:]+)):(?P<port>[0-9]{1,5})(?P<tls>,tls)?")


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """
    A TCP port.

    Raises:
        ValueError: the port is none, or is 25, which belongs to SMTP (RFC 2033 §5).
    """

    host: str
    """A host name or an address, without brackets."""
    port: int
    """0 lets the system choose."""
    is_tls: bool = False
    """A connection begins with TLS, without STARTTLS."""

    def __post_init__(self) -> None:
        if self.port == _SMTP_PORT:
            raise ValueError("LMTP must not be used on TCP port 25, which is SMTP's (RFC 2033 §5); 24 is customary")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"there is no port {self.port}")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{',tls' if self.is_tls else ''}"

    @property
    def is_local(self) -> bool:
        """
        Only this machine can reach it.
        """
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """
    A Unix socket.

    Raises:
        ValueError: there is no path, or no such mode.
    """

    path: str
    """Where the socket is made; its folder must be there."""
    mode: str = "0666"
    """Who may connect, in octal: the folder's permissions say who can reach it at all."""
    owner: str = ""
    """A user's name or number; empty: whoever runs the server."""
    group: str = ""
    """A group's name or number; empty: that of whoever runs the server."""

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("a Unix endpoint needs a path: unix:/run/lmtp.sock")
        if re.fullmatch(r"0?[0-7]{3}", self.mode) is None:
            raise ValueError(f"{self.mode!r} is no file mode such as 0660")

    def __str__(self) -> str:
        return f"unix:{self.path}"

    @property
    def is_local(self) -> bool:
        """
        Only this machine can reach it.
        """
        return True


Endpoint = TcpEndpoint | UnixEndpoint
"""Where a server can listen."""


def parse_endpoint(text: str) -> Endpoint:
    """
    Read an endpoint as people write it.

    Raises:
        ValueError: it is none; the text says what is wrong.
    """
    if text.startswith("unix:"):
        return _parse_unix(text.removeprefix("unix:"))
    match = _TCP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no endpoint: write host:port, [v6-address]:port or unix:/path")
    return TcpEndpoint(match["v6"] or match["host"], int(match["port"]), is_tls=match["tls"] is not None)


def _parse_unix(text: str) -> UnixEndpoint:
    path, *settings = text.split(",")
    known = {field.name for field in fields(UnixEndpoint)} - {"path"}
    values = dict(setting.partition("=")[::2] for setting in settings)
    for name in values:
        if name not in known:
            raise ValueError(f"unix: endpoints have {', '.join(sorted(known))}, not {name!r}")
    return UnixEndpoint(path, **values)


async def listen(endpoint: Endpoint, factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
    """
    Open an endpoint; each connection gets a protocol from the factory.

    Raises:
        OSError: it can't be opened, or somebody listens there already.
    """
    loop = asyncio.get_running_loop()
    if isinstance(endpoint, TcpEndpoint):
        return await loop.create_server(factory, endpoint.host, endpoint.port, backlog=BACKLOG)
    return await loop.create_unix_server(factory, sock=open_unix_socket(endpoint), backlog=BACKLOG)


def open_unix_socket(endpoint: UnixEndpoint) -> socket.socket:
    """
    Make a listening Unix socket with its owner and mode.

    It gets its final name only when both are right and it listens, so nobody ever meets it half made; what a dead
    server left there is replaced in the same instant.

    Raises:
        OSError: it can't be made, or somebody listens there already.
    """
    path = Path(endpoint.path)
    with _alone_in(path.parent):
        _refuse_if_served(endpoint.path)
        return _make_unix_socket(endpoint, path.with_name(f".{os.getpid()}"))


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """
    Keep other servers from looking and putting their sockets there while we do; the lock leaves no file behind.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_unix_socket(endpoint: UnixEndpoint, unfinished: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unfinished.unlink(missing_ok=True)
        listener.bind(str(unfinished))
        unfinished.chmod(int(endpoint.mode, 8))
        os.chown(unfinished, _user_id(endpoint.owner), _group_id(endpoint.group))
        listener.listen(BACKLOG)
        listener.setblocking(False)
        unfinished.rename(endpoint.path)
    except OSError:
        listener.close()
        unfinished.unlink(missing_ok=True)
        raise
    return listener


def _refuse_if_served(path: str) -> None:
    """
    Raise EADDRINUSE when a server answers there, or when what is there is no socket at all.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if Path(path).exists() and not Path(path).is_socket():
                raise OSError(errno.EADDRINUSE, "there is a file that is no socket", path) from None
            return
    raise OSError(errno.EADDRINUSE, "somebody listens there already", path)


def remove_unix_socket(endpoint: UnixEndpoint, identity: tuple[int, int]) -> None:
    """
    Remove the socket from the file system, unless another server has put its own there meanwhile.

    Args:
        endpoint: Where it was made.
        identity: Its device and inode then (`socket_identity`).
    """
    with contextlib.suppress(FileNotFoundError):
        if socket_identity(endpoint) == identity:
            Path(endpoint.path).unlink()


def socket_identity(endpoint: UnixEndpoint) -> tuple[int, int]:
    """
    Return device and inode of the socket at an endpoint.
    """
    status = Path(endpoint.path).lstat()
    return status.st_dev, status.st_ino


def _user_id(name: str) -> int:
    if not name:
        return -1
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise OSError(errno.EINVAL, f"there is no user {name!r}") from None


def _group_id(name: str) -> int:
    if not name:
        return -1
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise OSError(errno.EINVAL, f"there is no group {name!r}") from None
