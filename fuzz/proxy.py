# SPDX-License-Identifier: Apache-2.0
"""
PROXY headers, for any octets: a header or an error, the same whatever the chunking, and not an octet too much is taken.

Raises AssertionError when that does not hold. Called by run.py, and by the tests. HAProxy's proxy-protocol.txt §2.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from lmtp.aio.proxyline import MAX_BLOCK_BYTES, ProxyDecoder, ProxyError, ProxyHeader

DICTIONARY: Final = "proxy.dict"
"""The words of a header."""
LONGEST: Final = 512
"""The addresses and TLS part of a header and some of what follows it."""

_MOST_NEEDED: Final = 16 + MAX_BLOCK_BYTES


def check(octets: bytes) -> None:
    """
    Read the octets at once, one by one, and as those do who take no more than is needed.
    """
    expected = _read(octets, lambda _decoder: len(octets))
    assert expected == _read(octets, lambda _decoder: 1)
    assert expected == _read(octets, _needed)


def _needed(decoder: ProxyDecoder) -> int:
    needed = decoder.needed_bytes
    assert 0 < needed <= _MOST_NEEDED, needed
    return needed


def _read(octets: bytes, count: Callable[[ProxyDecoder], int]) -> ProxyHeader | str | None:
    decoder = ProxyDecoder()
    position, header = 0, None
    while header is None and position < len(octets):
        piece = octets[position : position + count(decoder)]
        position += len(piece)
        try:
            header = decoder.receive_data(piece)
        except ProxyError as error:
            return str(error)
    if header is not None:
        _check_header(header, octets, position - len(decoder.unread))
        assert octets[header.size_bytes : position] == decoder.unread
        assert count is not _needed or decoder.unread == b""
    return header


def _check_header(header: ProxyHeader, octets: bytes, end: int) -> None:
    assert header.size_bytes == end <= len(octets), header
    assert (header.source is None) == (header.destination is None), header
    for text in (header.tls.version, header.tls.cipher, header.tls.common_name) if header.tls else ():
        assert text.isprintable(), header


def _block(family: int, octets: bytes, command: int = 0x21) -> bytes:
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, family, len(octets)) + octets


def _tlv(kind: int, octets: bytes) -> bytes:
    return struct.pack("!BH", kind, len(octets)) + octets


def seeds() -> Iterator[bytes]:
    """
    Make a header of each kind, with the beginning of what follows it.
    """
    ends = bytes.fromhex("c0000201c6336407dc040018")
    names = _tlv(0x21, b"TLSv1.3") + _tlv(0x22, b"mx.example") + _tlv(0x23, b"TLS_AES_256_GCM_SHA384")
    tls = _tlv(0x20, b"\x07\0\0\0\0" + names)
    yield b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 24\r\nLHLO"
    yield b"PROXY TCP6 2001:db8::1 ::1 56324 24\r\n"
    yield b"PROXY UNKNOWN whatever\r\nLHLO"
    yield _block(0x11, ends) + b"LHLO"
    yield _block(0x11, ends + tls + _tlv(0x04, b"\0" * 3)) + b"\x16\x03"
    yield _block(0x21, bytes(15) + b"\1" + bytes(15) + b"\2" + b"\xdc\x04\0\x18")
    yield _block(0x31, b"/run/client".ljust(108, b"\0") + b"/run/server".ljust(108, b"\0"))
    yield _block(0x00, b"", command=0x20) + b"LHLO"
    yield _block(0x12, ends)
