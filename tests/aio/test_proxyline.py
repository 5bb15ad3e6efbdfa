# SPDX-License-Identifier: Apache-2.0
"""
The PROXY protocol: what is a header, what it says, and that nothing else gets through, however it is cut.
"""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.aio.proxyline import (
    MAX_BLOCK_BYTES,
    MAX_LINE_BYTES,
    InternetAddress,
    ProxyDecoder,
    ProxyError,
    ProxyFamily,
    ProxyTls,
    UnixAddress,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TCP4 = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 24\r\n"
LMTP = b"LHLO client.example\r\n"

PROXIED, LOCAL = 0x21, 0x20
UNSPECIFIED, STREAM4, DATAGRAM4, STREAM6, UNIX = 0x00, 0x11, 0x12, 0x21, 0x31


def decode(octets):
    """
    Decode a whole header, and see that it was all of it.
    """
    decoder = ProxyDecoder()
    header = decoder.receive_data(octets)
    assert b"" == decoder.unread
    assert len(octets) == header.size_bytes
    return header


def refusal_of(octets):
    with pytest.raises(ProxyError) as caught:
        ProxyDecoder().receive_data(octets)
    return str(caught.value)


def block(family, octets, *, command=PROXIED):
    return SIGNATURE + struct.pack("!BBH", command, family, len(octets)) + octets


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def tls(*parts, client=0x07, verify=0):
    return tlv(0x20, struct.pack("!BI", client, verify) + b"".join(parts))


ENDS4 = struct.pack("!4s4sHH", IPv4Address("192.0.2.1").packed, IPv4Address("198.51.100.7").packed, 56324, 24)


def with_tlvs(*tlvs):
    return block(STREAM4, ENDS4 + b"".join(tlvs))


LINES = {
    b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 24\r\n": ("192.0.2.1:56324", "198.51.100.7:24"),
    b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n": ("0.0.0.0:0", "255.255.255.255:65535"),
    b"PROXY TCP6 2001:DB8::1 ::1 1024 24\r\n": ("[2001:db8::1]:1024", "[::1]:24"),
    b"PROXY TCP6 ::ffff:192.0.2.1 :: 1 2\r\n": (f"[{IPv6Address('::ffff:192.0.2.1')}]:1", "[::]:2"),
    b"PROXY UNKNOWN\r\n": (None, None),
    b"PROXY UNKNOWN ffff::1 ::1 65535 65535\r\n": (None, None),
    b"PROXY UNKNOWN \0 whatever\xff\r\n": (None, None),
}
NO_LINES = {
    b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 24\n": "LF alone",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 24\rX\r\n": "CR inside",
    b"PROXY UNKNOWN \r \r\n": "CR inside what is ignored",
    b"PROXY UNKNOWN \n \r\n": "LF inside what is ignored",
    b"PROXY UNKNOWNS\r\n": "no such family",
    b"PROXY TCP5 192.0.2.1 198.51.100.7 56324 24\r\n": "nor this",
    b"PROXY tcp4 192.0.2.1 198.51.100.7 56324 24\r\n": "lower case",
    b"PROXY TCP4\r\n": "no addresses",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n": "one port",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 24 \r\n": "space behind",
    b"PROXY TCP4  192.0.2.1 198.51.100.7 56324 24\r\n": "two spaces",
    b"PROXY TCP4\t192.0.2.1 198.51.100.7 56324 24\r\n": "tab",
    b"PROXY TCP4 192.0.2.01 198.51.100.7 56324 24\r\n": "octal",
    b"PROXY TCP4 192.0.2.256 198.51.100.7 56324 24\r\n": "256",
    b"PROXY TCP4 192.0.2 198.51.100.7 56324 24\r\n": "three numbers",
    b"PROXY TCP4 ::1 ::1 56324 24\r\n": "IPv6 as IPv4",
    b"PROXY TCP6 192.0.2.1 198.51.100.7 56324 24\r\n": "IPv4 as IPv6",
    b"PROXY TCP6 fe80::1%eth0 ::1 56324 24\r\n": "scope",
    b"PROXY TCP6 1::2::3 ::1 56324 24\r\n": "two double colons",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 65536 24\r\n": "port too high",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 024\r\n": "zero before a port",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 -1 24\r\n": "negative port",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 \xd9\xa3\r\n": "Arabic digit",
    b"PROXY \r\n": "nothing",
}
NO_BLOCKS = {
    SIGNATURE + b"\x11\x11\0\0": "version 1",
    SIGNATURE + b"\x31\x11\0\0": "version 3",
    block(STREAM4, ENDS4, command=0x22): "no such command",
    block(0x41, ENDS4): "no such family",
    block(0x13, ENDS4): "no such transport",
    block(STREAM4, ENDS4[:-1]): "IPv4 addresses cut short",
    block(STREAM6, ENDS4): "IPv6 addresses cut short",
    block(UNIX, bytes(215)): "paths cut short",
    block(STREAM4, b""): "no addresses",
    with_tlvs(b"\0"): "one octet behind",
    with_tlvs(b"\x04\0"): "two octets behind",
    with_tlvs(b"\x04\0\1"): "a value that is not there",
    with_tlvs(tlv(0x20, bytes(4))): "TLS part too short",
    with_tlvs(tls(b"\x21\0\7TLSv1")): "value runs out of its part",
    with_tlvs(tls(tlv(0x21, b"\xff"))): "version is no text",
    with_tlvs(tls(tlv(0x22, b"ann\r\nX-Spam: no"))): "line end in a name",
    SIGNATURE + struct.pack("!BBH", PROXIED, STREAM4, MAX_BLOCK_BYTES + 1): "too long, said before it comes",
}
STRANGERS = {
    b"LHLO client.example\r\n": "a client of ours",
    b"\x16\x03\x01": "a TLS handshake",
    b"PROXYTCP4": "no space",
    b"proxy TCP4": "lower case",
    b"\r\n\r\n\0\r\nQUIT\r": "last octet of the signature",
    b"\r\n\r\nNOOP": "empty lines",
    b"X": "a letter",
}


class TestLine:
    """
    Version 1.
    """

    @pytest.mark.parametrize("octets", LINES, ids=repr)
    def test_says_where_the_client_comes_from_and_where_it_went(self, octets):
        header = decode(octets)

        assert LINES[octets] == (header.source and str(header.source), header.destination and str(header.destination))

    @pytest.mark.parametrize("family", ["TCP4", "TCP6", "UNKNOWN"])
    def test_says_the_family(self, family):
        line = next(line for line in LINES if family.encode() in line)

        assert ProxyFamily(family) is decode(line).family

    def test_of_the_greatest_length_is_read(self):
        line = b"PROXY UNKNOWN " + b"x" * (MAX_LINE_BYTES - 16) + b"\r\n"

        assert MAX_LINE_BYTES == decode(line).size_bytes

    def test_that_is_longer_is_refused_without_its_end(self):
        assert "PROXY line too long" == refusal_of(b"PROXY UNKNOWN " + b"x" * (MAX_LINE_BYTES - 14))
        assert "PROXY line too long" == refusal_of(b"PROXY UNKNOWN " + b"x" * (MAX_LINE_BYTES - 15) + b"\r\n")

    @pytest.mark.parametrize("octets", NO_LINES, ids=NO_LINES.values())
    def test_that_is_malformed_is_refused(self, octets):
        assert "PROXY line" in refusal_of(octets)


class TestBlock:
    """
    Version 2.
    """

    def test_of_tcp_over_ipv4(self):
        header = decode(block(STREAM4, ENDS4))

        assert ProxyFamily.TCP4 is header.family
        assert InternetAddress(IPv4Address("192.0.2.1"), 56324) == header.source
        assert InternetAddress(IPv4Address("198.51.100.7"), 24) == header.destination

    def test_of_tcp_over_ipv6(self):
        source, destination = IPv6Address("2001:db8::1"), IPv6Address("::1")
        header = decode(block(STREAM6, struct.pack("!16s16sHH", source.packed, destination.packed, 0, 24)))

        assert ProxyFamily.TCP6 is header.family
        assert (InternetAddress(source, 0), InternetAddress(destination, 24)) == (header.source, header.destination)

    def test_of_a_unix_socket(self):
        header = decode(block(UNIX, struct.pack("!108s108s", b"\0abstract", b"/run/lmtp.sock")))

        assert ProxyFamily.UNIX is header.family
        assert (UnixAddress(b"\0abstract"), UnixAddress(b"/run/lmtp.sock")) == (header.source, header.destination)
        assert "unix" == str(header.source)

    @pytest.mark.parametrize("octets", [b"", ENDS4, b"\xff" * 7])
    @pytest.mark.parametrize("family", [UNSPECIFIED, STREAM4, 0xFF])
    def test_of_the_proxy_itself_is_skipped_whatever_it_holds(self, family, octets):
        header = decode(block(family, octets, command=LOCAL))

        assert (ProxyFamily.LOCAL, None, None) == (header.family, header.source, header.destination)

    @pytest.mark.parametrize("family", [UNSPECIFIED, 0x01, 0x10, DATAGRAM4, 0x22, 0x30, 0x32])
    def test_of_what_is_no_stream_leaves_the_peer_as_it_is(self, family):
        header = decode(block(family, ENDS4))

        assert (ProxyFamily.UNKNOWN, None, None) == (header.family, header.source, header.destination)

    def test_of_the_greatest_length_is_read(self):
        padding = tlv(0x04, bytes(MAX_BLOCK_BYTES - len(ENDS4) - 3))

        assert 16 + MAX_BLOCK_BYTES == decode(with_tlvs(padding)).size_bytes

    @pytest.mark.parametrize("octets", NO_BLOCKS, ids=NO_BLOCKS.values())
    def test_that_is_malformed_is_refused(self, octets):
        assert "PROXY" in refusal_of(octets)


class TestTls:
    """
    Version 2, §2.2.6: the client's TLS, which ended at the proxy.
    """

    PARTS = tlv(0x21, b"TLSv1.3"), tlv(0x23, b"TLS_AES_256_GCM_SHA384"), tlv(0x22, "Jörg".encode())

    def test_is_told_among_other_things(self):
        header = decode(with_tlvs(tlv(0x01, b"lmtp"), tls(*self.PARTS), tlv(0xE0, b"x")))

        expected = ProxyTls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", common_name="Jörg", is_verified=True)
        assert expected == header.tls

    def test_may_be_told_without_words(self):
        assert ProxyTls(version="") == decode(with_tlvs(tls(client=0x01))).tls

    @pytest.mark.parametrize(
        ("client", "verify"), [(0x01, 0), (0x03, 1), (0x05, 19)], ids=["no certificate", "this one bad", "that one bad"]
    )
    def test_has_no_name_when_the_proxy_verified_none(self, client, verify):
        told = decode(with_tlvs(tls(*self.PARTS, client=client, verify=verify))).tls

        assert ("", False) == (told.common_name, told.is_verified)

    def test_is_not_told_without(self):
        assert decode(with_tlvs()).tls is None
        assert decode(with_tlvs(tls(*self.PARTS, client=0x06))).tls is None


class TestDecoder:
    """
    Octets come as they like.
    """

    @pytest.mark.parametrize("header", [TCP4, b"PROXY UNKNOWN\r\n", with_tlvs(tls()), block(UNIX, bytes(216))])
    def test_is_the_same_split_at_every_offset(self, header):
        expected = decode(header)
        for offset in range(len(header) + 1):
            decoder = ProxyDecoder()
            found = decoder.receive_data(header[:offset]) or decoder.receive_data(header[offset:])

            assert expected == found

    @pytest.mark.parametrize("header", [TCP4, with_tlvs()])
    def test_keeps_what_the_client_says_behind(self, header):
        decoder = ProxyDecoder()

        assert len(header) == decoder.receive_data(memoryview(header + LMTP)).size_bytes
        assert LMTP == decoder.unread

    @pytest.mark.parametrize("octets", STRANGERS, ids=STRANGERS.values())
    def test_refuses_a_stranger_at_the_first_wrong_octet(self, octets):
        assert "no PROXY header" == refusal_of(octets)

    def test_waits_when_nothing_came(self):
        assert ProxyDecoder().receive_data(b"") is None

    @pytest.mark.parametrize("octets", [b"PROXY TCP4 192.0.2.1 ", SIGNATURE[:7], SIGNATURE + b"\x21", with_tlvs()[:-1]])
    def test_waits_for_the_rest(self, octets):
        assert ProxyDecoder().receive_data(octets) is None

    def test_tells_nothing_the_peer_sent(self):
        assert "secret" not in refusal_of(b"PROXY TCP4 secret secret 1 1\r\n")

    @pytest.mark.parametrize("header", [*LINES, with_tlvs(tls()), block(UNSPECIFIED, b""), block(UNIX, bytes(216))])
    def test_that_reads_no_more_than_is_needed_takes_nothing_of_the_client(self, header):
        decoder, stream, found = ProxyDecoder(), header + LMTP, None
        while found is None:
            needed = decoder.needed_bytes
            assert needed > 0
            found, stream = decoder.receive_data(stream[:needed]), stream[needed:]

        assert LMTP == stream
        assert b"" == decoder.unread


ports = st.integers(0, 65535)


def ends(addresses):
    return st.tuples(addresses, ports, addresses, ports)


class TestAnything:
    """
    For any octets: a header, none yet, or a `ProxyError`; the same whatever the pieces.
    """

    @given(ends(st.ip_addresses(v=4)) | ends(st.ip_addresses(v=6)), st.booleans())
    def test_comes_back_as_it_was_told(self, told, is_binary):
        source, source_port, destination, destination_port = told
        if is_binary:
            fields = source.packed + destination.packed + struct.pack("!HH", source_port, destination_port)
            header = decode(block(STREAM4 if source.version == 4 else STREAM6, fields))
        else:
            line = f"PROXY TCP{source.version} {source} {destination} {source_port} {destination_port}\r\n"
            header = decode(line.encode())

        assert InternetAddress(ip_address(str(source)), source_port) == header.source
        assert InternetAddress(ip_address(str(destination)), destination_port) == header.destination

    @given(
        st.binary(max_size=200)
        | st.binary(max_size=100).map(b"PROXY ".__add__)
        | st.text("0123456789 .:TCP46UNKOW\r\n").map(lambda text: f"PROXY {text}\r\n".encode())
        | st.binary(max_size=300).map(SIGNATURE.__add__)
        | st.builds(block, st.sampled_from([STREAM4, STREAM6, UNIX]), st.binary(max_size=400))
        | st.binary(max_size=60).map(with_tlvs)
        | st.binary(max_size=60).map(lambda octets: with_tlvs(tlv(0x20, octets))),
        st.integers(1, 30),
    )
    def test_is_never_anything_else(self, octets, piece):
        assert what_becomes_of([octets]) == what_becomes_of(
            [octets[start : start + piece] for start in range(0, len(octets), piece)]
        )


def what_becomes_of(pieces):
    """
    Return the header or the refusal, or nothing yet; and the rest of the pieces.
    """
    decoder = ProxyDecoder()
    for number, piece in enumerate(pieces, start=1):
        try:
            header = decoder.receive_data(piece)
        except ProxyError as error:
            return type(error)
        if header is not None:
            return header, decoder.unread + b"".join(pieces[number:])
    return None
