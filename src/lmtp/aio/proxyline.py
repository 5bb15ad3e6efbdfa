# SPDX-License-Identifier: Apache-2.0
"""
The PROXY protocol of HAProxy, versions 1 and 2: what a proxy says of its client before the first octet of that client.

Sans-I/O: octets in, one `ProxyHeader` out. Not here: who may send one (access.py), and what is done with what it says;
a listener expects the header from each peer or from none, for who may choose can say who it likes to be. Raises
`ProxyError` for what is no header, as early as that is certain, with a phrase that holds nothing the peer sent.
HAProxy's proxy-protocol.txt §2.1, §2.2; checksums (§2.2.3) are not looked at: TCP has its own.
"""

import enum
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from lmtp.protocol.errors import RemoteProtocolError

MAX_LINE_BYTES: Final = 107
"""The longest header of version 1, with its CRLF (§2.1)."""
MAX_BLOCK_BYTES: Final = 4096
"""What may follow the first 16 octets of a header of version 2; addresses take 216, a client's TLS a few hundred."""

_LINE_PREFIX: Final = b"PROXY "
_SHORTEST_LINE: Final = len(b"PROXY UNKNOWN\r\n")
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_BYTES: Final = 16

# What follows UNKNOWN is to be ignored up to the CRLF (§2.1), but a stray CR or LF is no part of a line.
_UNKNOWN_LINE: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?")
_PORT: Final = rb"(0|[1-9][0-9]{0,4})"
_TCP_LINE: Final = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) %s %s" % (_PORT, _PORT))
_MAX_PORT: Final = 65535

_VERSION_2: Final = 0x20
_LOCAL: Final = 0x0
_PROXY: Final = 0x1
_MAX_FAMILY: Final = 0x3
_MAX_TRANSPORT: Final = 0x2

_TLV_LAYOUT: Final = struct.Struct("!BH")
_TLS_LAYOUT: Final = struct.Struct("!BI")
_TLV_TLS: Final = 0x20
_TLV_TLS_VERSION: Final = 0x21
_TLV_TLS_COMMON_NAME: Final = 0x22
_TLV_TLS_CIPHER: Final = 0x23
_CLIENT_USED_TLS: Final = 0x01
_CLIENT_HAD_CERTIFICATE: Final = 0x02 | 0x04


class ProxyError(RemoteProtocolError):
    """
    What a peer sent is no PROXY header: the connection is to be closed without another word (§2).
    """


class ProxyFamily(enum.Enum):
    """
    What kind of connection a header is about.
    """

    LOCAL = "LOCAL"
    """The proxy's own, such as a health check: the peer is who it is."""
    UNKNOWN = "UNKNOWN"
    """A client's that the proxy cannot describe, or no stream: the peer is all that is known."""
    TCP4 = "TCP4"
    """TCP over IPv4."""
    TCP6 = "TCP6"
    """TCP over IPv6."""
    UNIX = "UNIX"
    """A Unix socket, on the proxy's machine."""


@dataclass(frozen=True, slots=True)
class InternetAddress:
    """
    One end of a TCP connection.
    """

    host: IPv4Address | IPv6Address
    """The address; an IPv6 one has no scope."""
    port: int
    """The port, which may be 0."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.host.version == 4 else f"[{self.host}]:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """
    One end of a Unix connection.
    """

    path: bytes
    """Where the socket is; empty: it has no name; behind a first NUL: an abstract name."""

    def __str__(self) -> str:
        return "unix"


ProxyAddress = InternetAddress | UnixAddress
"""One end of the connection between the client and the proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTls:
    """
    The TLS between the client and the proxy (§2.2.6).
    """

    version: str
    """Such as ``TLSv1.3``; empty: the proxy does not say."""
    cipher: str = ""
    """OpenSSL's name of the cipher suite; empty: the proxy does not say."""
    common_name: str = ""
    """The common name in the client's certificate; empty unless the proxy verified that."""
    is_verified: bool = False
    """The client had a certificate, and the proxy verified it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeader:
    """
    What a proxy said.
    """

    family: ProxyFamily
    """What kind of connection it is about."""
    source: ProxyAddress | None = None
    """The client's end; None: take the peer's own address (`ProxyFamily.LOCAL`, `ProxyFamily.UNKNOWN`)."""
    destination: ProxyAddress | None = None
    """Where the client went to; None where the source is."""
    tls: ProxyTls | None = None
    """The client's TLS; None: it used none, or the proxy does not say."""
    size_bytes: int
    """Octets of the header."""


class ProxyDecoder:
    """
    Decodes the header at the beginning of one connection, of either version.

    Whoever reads no more than `needed_bytes` at a time never takes an octet that belongs to the client, such as the
    first of a TLS handshake. A version 1 header of the usual length then takes some twenty reads, once a connection.
    """

    def __init__(self) -> None:
        self._octets = bytearray()

    @property
    def needed_bytes(self) -> int:
        """
        How many octets of the header are missing at the least.
        """
        have = len(self._octets)
        if self._octets.startswith(_SIGNATURE):
            return _FIXED_BYTES - have if have < _FIXED_BYTES else _FIXED_BYTES + self._block_bytes - have
        # The shortest header there is ends in the 15th octet; behind that the end of a line is what can be hoped for.
        return max(_SHORTEST_LINE - have, 1 if self._octets.endswith(b"\r") else 2)

    @property
    def unread(self) -> bytes:
        """
        What came in behind the header; of use when that has been returned.
        """
        return bytes(self._octets)

    def receive_data(self, octets: bytes | memoryview) -> ProxyHeader | None:
        """
        Take what came in, and return the header when that is whole; call it no more then. `unread` has the rest.

        Raises:
            ProxyError: it is no header, whatever may follow.
        """
        self._octets += octets
        if self._octets.startswith(_SIGNATURE):
            return self._read_block()
        if self._octets.startswith(_LINE_PREFIX):
            return self._read_line()
        if not _SIGNATURE.startswith(self._octets) and not _LINE_PREFIX.startswith(self._octets):
            raise ProxyError("no PROXY header")
        return None

    def _read_line(self) -> ProxyHeader | None:
        end = self._octets.find(b"\n", 0, MAX_LINE_BYTES)
        if end < 0:
            if len(self._octets) >= MAX_LINE_BYTES:
                raise ProxyError("PROXY line too long")
            return None
        header = _parse_line(bytes(self._octets[: end + 1]))
        del self._octets[: end + 1]
        return header

    @property
    def _block_bytes(self) -> int:
        return int.from_bytes(self._octets[14:16], "big")

    def _read_block(self) -> ProxyHeader | None:
        if len(self._octets) < _FIXED_BYTES:
            return None
        if self._block_bytes > MAX_BLOCK_BYTES:
            raise ProxyError("PROXY header too long")
        end = _FIXED_BYTES + self._block_bytes
        if len(self._octets) < end:
            return None
        header = _parse_binary(bytes(self._octets[:end]))
        del self._octets[:end]
        return header


# Version 1, for people (§2.1).


def _parse_line(line: bytes) -> ProxyHeader:
    if not line.endswith(b"\r\n"):
        raise ProxyError("PROXY line without CRLF")
    text = line[:-2]
    if _UNKNOWN_LINE.fullmatch(text):
        return ProxyHeader(family=ProxyFamily.UNKNOWN, size_bytes=len(line))
    match = _TCP_LINE.fullmatch(text)
    if match is None:
        raise ProxyError("malformed PROXY line")
    version, source, destination, source_port, destination_port = (field.decode("ascii") for field in match.groups())
    return ProxyHeader(
        family=ProxyFamily(f"TCP{version}"),
        source=_parse_end(version, source, source_port),
        destination=_parse_end(version, destination, destination_port),
        size_bytes=len(line),
    )


def _parse_end(version: str, host: str, port: str) -> InternetAddress:
    if int(port) > _MAX_PORT:
        raise ProxyError("no such port in a PROXY line")
    try:
        return InternetAddress(IPv4Address(host) if version == "4" else IPv6Address(host), int(port))
    except ValueError:
        raise ProxyError("malformed address in a PROXY line") from None


# Version 2, for machines (§2.2).

_LAYOUTS: Final = {
    0x11: (ProxyFamily.TCP4, struct.Struct("!4s4sHH")),
    0x21: (ProxyFamily.TCP6, struct.Struct("!16s16sHH")),
    0x31: (ProxyFamily.UNIX, struct.Struct("!108s108s")),
}
"""What follows the first 16 octets, by the octet for family and transport: both hosts, then both ports."""


def _parse_binary(octets: bytes) -> ProxyHeader:
    version, command = octets[12] & 0xF0, octets[12] & 0x0F
    if version != _VERSION_2:
        raise ProxyError("unknown version of the PROXY protocol")
    if command == _LOCAL:
        # Whatever else the header holds is to be skipped, also a family that does not exist.
        return ProxyHeader(family=ProxyFamily.LOCAL, size_bytes=len(octets))
    if command != _PROXY:
        raise ProxyError("unknown command in a PROXY header")
    family, transport = octets[13] >> 4, octets[13] & 0x0F
    if family > _MAX_FAMILY or transport > _MAX_TRANSPORT:
        raise ProxyError("unknown address family in a PROXY header")
    return _parse_proxied(octets)


def _parse_proxied(octets: bytes) -> ProxyHeader:
    if octets[13] not in _LAYOUTS:
        # Datagrams and what is unspecified: nothing here can have come that way.
        return ProxyHeader(family=ProxyFamily.UNKNOWN, size_bytes=len(octets))
    family, layout = _LAYOUTS[octets[13]]
    block = octets[_FIXED_BYTES:]
    if len(block) < layout.size:
        raise ProxyError("PROXY header too short for its addresses")
    source, destination = _ends_of(layout.unpack_from(block))
    tls = _find_tls(block[layout.size :])
    return ProxyHeader(family=family, source=source, destination=destination, tls=tls, size_bytes=len(octets))


def _ends_of(fields: tuple[Any, ...]) -> tuple[ProxyAddress, ProxyAddress]:
    if len(fields) == 2:
        source_path, destination_path = fields
        return UnixAddress(source_path.rstrip(b"\0")), UnixAddress(destination_path.rstrip(b"\0"))
    source, destination, source_port, destination_port = fields
    return InternetAddress(ip_address(source), source_port), InternetAddress(ip_address(destination), destination_port)


def _find_tls(octets: bytes) -> ProxyTls | None:
    value = _parse_tlvs(octets).get(_TLV_TLS)
    if value is None:
        return None
    if len(value) < _TLS_LAYOUT.size:
        raise ProxyError("malformed TLS part of a PROXY header")
    client, verify_error = _TLS_LAYOUT.unpack_from(value)
    parts = _parse_tlvs(value[_TLS_LAYOUT.size :])
    if not client & _CLIENT_USED_TLS:
        return None
    is_verified = client & _CLIENT_HAD_CERTIFICATE != 0 and verify_error == 0
    return ProxyTls(
        version=_text_of(parts, _TLV_TLS_VERSION),
        cipher=_text_of(parts, _TLV_TLS_CIPHER),
        common_name=_text_of(parts, _TLV_TLS_COMMON_NAME) if is_verified else "",
        is_verified=is_verified,
    )


def _parse_tlvs(octets: bytes) -> dict[int, bytes]:
    """
    Return the values by type; the last of a type counts.
    """
    values = {}
    position = 0
    while position < len(octets):
        start = position + _TLV_LAYOUT.size
        if start > len(octets):
            raise ProxyError("malformed end of a PROXY header")
        kind, length = _TLV_LAYOUT.unpack_from(octets, position)
        position = start + length
        if position > len(octets):
            raise ProxyError("malformed end of a PROXY header")
        values[kind] = octets[start:position]
    return values


def _text_of(values: Mapping[int, bytes], kind: int) -> str:
    try:
        text = values.get(kind, b"").decode("utf-8")
    except UnicodeDecodeError:
        raise ProxyError("malformed text in a PROXY header") from None
    # The client chose its common name, and a proxy may hand it on as it is; it ends up in log lines and trace fields.
    if not text.isprintable():
        raise ProxyError("malformed text in a PROXY header")
    return text
