# SPDX-License-Identifier: Apache-2.0
"""
Who a peer is, and the lists in which an operator writes down what kinds of peers may do something.

``127.0.0.1``, ``10.0.0.0/8``, ``fd00::/8``, ``unix``, ``uid:postfix``, ``gid:1000``, ``certificate:*.example.org``: a
peer is admitted when one of them fits; an empty list admits nobody. Names of users and groups are looked up once, when
a list is read. Not here: what is admitted to what, and whether a certificate is genuine (tls.py).
`Peers.parse` raises ValueError for what is no rule; asking raises nothing and makes no system call.
"""

import grp
import os
import pwd
import re
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol

_UCRED: Final = struct.Struct("iII")
"""Linux's struct ucred: pid, uid, gid."""
_SO_PEERGROUPS: Final = 61 if os.uname().machine.startswith("sparc") else 59
"""Linux 4.13 has it, Python has no name for it; where the number means nothing the kernel says so."""
_GROUPS_BYTES: Final = 1024
"""The most Python reads of a socket option: 256 groups."""
_NO_ID: Final = 0xFFFF_FFFF
"""What the kernel says for nobody."""

_DNS_NAME: Final = re.compile(r"(?:[A-Za-z0-9_-]+|\*)(?:\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class PeerCredentials:
    """
    The process at the other end of a Unix socket, as it was when it connected; the kernel vouches for it.
    """

    pid: int
    """The process; 0 when it can't be seen from here, as from another container."""
    uid: int
    """Its effective user."""
    gid: int
    """Its effective group."""
    groups: tuple[int, ...] = ()
    """Its supplementary groups."""


class _Socket(Protocol):
    """
    What is needed of a socket; event loops hand out stand-ins.
    """

    @property
    def family(self) -> int: ...

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def credentials_of(connection: _Socket) -> PeerCredentials | None:
    """
    Ask the kernel who is at the other end of a Unix socket (Linux, unix(7) SO_PEERCRED).

    The groups are those the process has, as for the permissions of a file, and not those a database would give its
    user: nobody waits for a database here, and a process that dropped its groups, as Postfix's do, did it on purpose.

    Args:
        connection: A connected socket, or what a transport gives as ``"socket"``.

    Returns:
        None when it is no Unix socket, when the system knows no such thing, or when it does not say.
    """
    if sys.platform != "linux" or connection.family != socket.AF_UNIX:
        return None
    try:
        octets = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except OSError:
        return None  # not connected any more, or a sandbox that forbids it: then nobody vouches for the peer
    pid, uid, gid = _UCRED.unpack(octets)
    if _NO_ID in (uid, gid):
        return None
    return PeerCredentials(pid, uid, gid, _groups_of(connection))


def _groups_of(connection: _Socket) -> tuple[int, ...]:
    try:
        octets = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        return ()  # an older kernel, or more groups than can be read: less is admitted then, never more
    return struct.unpack(f"{len(octets) // 4}I", octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """
    What is known of the other end of a connection.
    """

    address: IPv4Address | IPv6Address | None = None
    """Where it comes from; None: by a Unix socket."""
    credentials: PeerCredentials | None = None
    """The process, by a Unix socket; None: nobody knows."""
    certificate_names: tuple[str, ...] = ()
    """The names in its certificate, once that has been verified."""

    @property
    def is_unix(self) -> bool:
        """
        It came by a Unix socket.
        """
        return self.address is None


def address_of(host: str) -> IPv4Address | IPv6Address:
    """
    Return the address of a socket's peer; of one that came by IPv4 to an IPv6 socket, the IPv4 one (RFC 4291 §2.5.5.2).

    Args:
        host: As the system writes it, with or without a scope.

    Raises:
        ValueError: it is no address.
    """
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


# The rules: one sort of peer each.


@dataclass(frozen=True, slots=True)
class FromNetwork:
    """
    Peers from a network; an IPv6 one has no IPv4 peers, however they are written.
    """

    network: IPv4Network | IPv6Network
    """The network; one address is a network too."""

    def __str__(self) -> str:
        return str(self.network.network_address if self.network.num_addresses == 1 else self.network)

    def admits(self, peer: Peer) -> bool:
        """
        Tell whether the peer comes from there.
        """
        return peer.address is not None and peer.address in self.network


@dataclass(frozen=True, slots=True)
class FromUnix:
    """
    Peers on a Unix socket, whoever they are: the socket's permissions have let them in.
    """

    def __str__(self) -> str:
        return "unix"

    def admits(self, peer: Peer) -> bool:
        """
        Tell whether the peer came by a Unix socket.
        """
        return peer.is_unix


@dataclass(frozen=True, slots=True)
class OfUser:
    """
    Processes of a user, on a Unix socket.
    """

    uid: int
    """The user."""

    def __str__(self) -> str:
        return f"uid:{self.uid}"

    def admits(self, peer: Peer) -> bool:
        """
        Tell whether the peer is that user's.
        """
        return peer.credentials is not None and peer.credentials.uid == self.uid


@dataclass(frozen=True, slots=True)
class OfGroup:
    """
    Processes of a group, be it their own or a supplementary one, on a Unix socket.
    """

    gid: int
    """The group."""

    def __str__(self) -> str:
        return f"gid:{self.gid}"

    def admits(self, peer: Peer) -> bool:
        """
        Tell whether the peer is in that group.
        """
        credentials = peer.credentials
        return credentials is not None and self.gid in (credentials.gid, *credentials.groups)


@dataclass(frozen=True, slots=True)
class OfCertificate:
    """
    Peers whose certificate has a name.
    """

    name: str
    """The name: exactly this one, domains without case; ``*.`` in front stands for one label (RFC 6125 §6.4.3)."""

    def __str__(self) -> str:
        return f"certificate:{self.name}"

    def admits(self, peer: Peer) -> bool:
        """
        Tell whether one of the names in the peer's certificate is this one.
        """
        return any(self._is(name) for name in peer.certificate_names)

    def _is(self, name: str) -> bool:
        # Only domains: `*.` must not take in ann@mail.example.org or https://example.net/.example.org
        if not _DNS_NAME.fullmatch(name):
            return self.name == name
        wanted, given = self.name.lower(), name.lower()
        if wanted.startswith("*."):
            return wanted.removeprefix("*.") == given.partition(".")[2]
        return wanted == given


Rule = FromNetwork | FromUnix | OfUser | OfGroup | OfCertificate
"""One sort of peer."""


@dataclass(frozen=True, slots=True)
class Peers:
    """
    Those who may do something.
    """

    rules: tuple[Rule, ...] = ()
    """One that fits is enough; without any nobody is in the set."""

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Peers":
        """
        Read rules as people write them, one a text.

        Raises:
            ValueError: one is no rule, or names a user or group that does not exist; the text says which and why.
        """
        return cls(tuple(_parse_rule(text) for text in texts))

    def __str__(self) -> str:
        return ", ".join(map(str, self.rules)) or "nobody"

    def admits(self, peer: Peer) -> bool:
        """
        Tell whether a peer is one of them.
        """
        return any(rule.admits(peer) for rule in self.rules)


def _parse_rule(text: str) -> Rule:
    kind, colon, value = text.partition(":")
    match kind:
        case "unix" if not colon:
            return FromUnix()
        case "uid":
            return OfUser(_user_id(value))
        case "gid":
            return OfGroup(_group_id(value))
        case "certificate":
            return OfCertificate(_checked_name(value))
        case _:
            return FromNetwork(_parse_network(text))


def _parse_network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is no kind of peer: write an address, a network such as 10.0.0.0/8, unix, uid:NAME, gid:NAME "
            "or certificate:NAME"
        ) from None
    if "%" in text:
        raise ValueError(f"{text!r} names an interface: addresses are compared without")
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{text!r} holds IPv4 addresses: write them as such, for peers are compared with those")
    # 10.1.2.3/8 may be meant as one address or as a network; admitting the wrong one of them is not for us to risk.
    if "/" in text and address_of(text.partition("/")[0]) != network.network_address:
        raise ValueError(f"{text!r} is an address and a network at once: write {network} or the address alone")
    return network


def _user_id(name: str) -> int:
    if _is_number(name):
        return _checked_id(int(name))
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        raise ValueError(f"there is no user {name!r}") from None


def _group_id(name: str) -> int:
    if _is_number(name):
        return _checked_id(int(name))
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise ValueError(f"there is no group {name!r}") from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _checked_id(number: int) -> int:
    if number >= _NO_ID:
        raise ValueError(f"{number} is no number of a user or a group")
    return number


def _checked_name(name: str) -> str:
    if not name:
        raise ValueError("certificate: needs a name, such as certificate:mx.example.org")
    if "*" in name and not (name.startswith("*.") and _DNS_NAME.fullmatch(name)):
        raise ValueError(f"certificate:{name} is no name: an asterisk stands for the whole first label of a domain")
    return name
