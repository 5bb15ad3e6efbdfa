# SPDX-License-Identifier: Apache-2.0
"""
TLS for servers: what is spoken, whom it takes, and what happens when its files change; all by real handshakes.
"""

import asyncio
import contextlib
import hashlib
import ssl
import threading

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from lmtp.aio import tls as tls_module
from lmtp.aio.tls import (
    POLL_SECONDS,
    ClientCertificates,
    ServerTls,
    TlsError,
    TlsFacts,
    TlsSettings,
    TlsVersion,
    facts_of,
    identities,
)

CA = trustme.CA()
FOREIGN_CA = trustme.CA()
STORE = CA.issue_cert("store.example")
RENEWED = CA.issue_cert("store.example")
RSA_STORE = CA.issue_cert("store.example", key_type=trustme.KeyType.RSA)
MX = CA.issue_cert("mx.example.org", "postmaster@example.org", common_name="Mail Exchanger")
STRANGER = FOREIGN_CA.issue_cert("mx.example.org")


def certificate_of(issued):
    return issued.cert_chain_pems[0].bytes()


def key_of(issued):
    return issued.private_key_pem.bytes()


def der_of(issued):
    return ssl.PEM_cert_to_DER_cert(certificate_of(issued).decode())


def key_with_password(issued, form):
    key = serialization.load_pem_private_key(key_of(issued), None)
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"secret"))


class House:
    """
    The files of a server, with a clock that stands still and an observer that writes down.
    """

    def __init__(self, folder):
        self.folder = folder
        self.certificate = folder / "cert.pem"
        self.key = folder / "key.pem"
        self.authorities = folder / "ca.pem"
        self.told = []
        self.now = 1000.0
        self.put(STORE)
        self.write(self.authorities, CA.cert_pem.bytes())

    def observe(self, event):
        assert "TLS" == event.subject
        self.told.append(event.detail.replace(f"{self.folder}/", ""))

    def write(self, path, octets):
        fresh = path.with_suffix(".new")
        fresh.write_bytes(octets)
        fresh.replace(path)

    def put(self, issued):
        self.write(self.certificate, certificate_of(issued))
        self.write(self.key, key_of(issued))

    def settings(self, **settings):
        return TlsSettings(**({"certificate_file": str(self.certificate), "key_file": str(self.key)} | settings))

    def settings_for_clients(self, certificates):
        return self.settings(client_certificates=certificates, client_ca_file=str(self.authorities))

    async def load(self, settings=None, **arguments):
        return await ServerTls.load(settings or self.settings(), self, monotonic=lambda: self.now, **arguments)

    def time_to_look(self):
        self.now += POLL_SECONDS


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def client(issued=None, *, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    CA.configure_trust(context)
    if issued is not None:
        issued.configure_cert(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def handshake(server_context, client_context=None, *, name="store.example", session=None):
    """
    Shake hands in memory; returns the server's end and the client's, or raises what the server does.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    peer = (client_context or client()).wrap_bio(to_client, to_server, server_hostname=name, session=session)
    for _ in range(3):
        for end in (peer, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return server, peer


def shown_by(server_context, **arguments):
    """
    Return the certificate that a server shows, in DER.
    """
    return handshake(server_context, **arguments)[1].getpeercert(binary_form=True)


class TestSettings:
    def test_need_a_certificate(self):
        with pytest.raises(ValueError, match="certificate_file"):
            TlsSettings(certificate_file="")

    @pytest.mark.parametrize(
        "settings",
        [
            {"client_ca_file": "ca.pem"},
            {"client_certificates": ClientCertificates.OPTIONAL},
            {"client_certificates": ClientCertificates.REQUIRED},
        ],
    )
    def test_need_authorities_when_clients_are_asked_for_certificates_and_only_then(self, settings):
        with pytest.raises(ValueError, match="need each other"):
            TlsSettings(certificate_file="cert.pem", **settings)

    @pytest.mark.parametrize("name", ["certificate_file", "key_file"])
    def test_have_no_file_with_nul(self, name):
        with pytest.raises(ValueError, match="NUL"):
            TlsSettings(**({"certificate_file": "cert.pem"} | {name: "a\0b"}))

    def test_have_ciphers_that_exist(self):
        with pytest.raises(ValueError, match="knows none of 'ROT13'"):
            TlsSettings(certificate_file="cert.pem", ciphers="ROT13")


class TestHandshake:
    async def test_comes_to_the_newest_version(self, house):
        server, _ = handshake((await house.load()).context)

        assert "TLSv1.3" == facts_of(server).version

    async def test_may_come_to_the_minimum(self, house):
        server, _ = handshake((await house.load()).context, client(version=ssl.TLSVersion.TLSv1_2))

        assert "TLSv1.2" == facts_of(server).version

    async def test_fails_below_the_minimum(self, house):
        tls = await house.load(house.settings(minimum_version=TlsVersion.TLS_1_3))

        assert "TLSv1.3" == facts_of(handshake(tls.context)[0]).version
        with pytest.raises(ssl.SSLError, match=r"(?i)unsupported.protocol"):
            handshake(tls.context, client(version=ssl.TLSVersion.TLSv1_2))

    async def test_uses_the_ciphers_of_the_settings(self, house):
        tls = await house.load(house.settings(ciphers="ECDHE-ECDSA-CHACHA20-POLY1305"))
        server, _ = handshake(tls.context, client(version=ssl.TLSVersion.TLSv1_2))

        assert "ECDHE-ECDSA-CHACHA20-POLY1305" == facts_of(server).cipher

    async def test_finds_the_key_in_the_certificate_file(self, house):
        house.write(house.certificate, STORE.private_key_and_cert_chain_pem.bytes())

        assert der_of(STORE) == shown_by((await house.load(house.settings(key_file=""))).context)

    async def test_is_a_whole_one_each_time(self, house):
        context, client_context = (await house.load()).context, client()
        server, peer = handshake(context, client_context)
        server.write(b"220 ")
        peer.read(4)
        again, _ = handshake(context, client_context, session=peer.session)

        assert not again.session_reused

    async def test_leaves_no_way_to_compress_renegotiate_or_resume_with_a_ticket(self, house):
        context = (await house.load()).context

        wanted = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        assert wanted == context.options & wanted
        assert 0 == context.num_tickets

    async def test_is_known_afterwards(self, house):
        server, peer = handshake((await house.load()).context)

        assert TlsFacts(
            version="TLSv1.3", cipher=peer.cipher()[0], end_point=hashlib.sha256(der_of(STORE)).digest()
        ) == facts_of(server)

    async def test_is_not_known_before(self, house):
        server = (await house.load()).context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)

        with pytest.raises(ValueError, match="handshake"):
            facts_of(server)

    def test_of_a_context_of_others_has_no_end_point(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        STORE.configure_cert(context)

        assert b"" == facts_of(handshake(context)[0]).end_point


class TestClientCertificates:
    async def test_are_not_asked_for_by_default(self, house):
        server, _ = handshake((await house.load()).context, client(MX))

        assert not facts_of(server).is_verified

    @pytest.mark.parametrize("certificates", [ClientCertificates.OPTIONAL, ClientCertificates.REQUIRED])
    async def test_of_an_authority_give_the_client_its_names(self, house, certificates):
        server, _ = handshake((await house.load(house.settings_for_clients(certificates))).context, client(MX))
        facts = facts_of(server)

        assert facts.is_verified
        assert {"mx.example.org", "postmaster@example.org"} == set(facts.client_names)

    async def test_may_be_missing_when_optional(self, house):
        tls = await house.load(house.settings_for_clients(ClientCertificates.OPTIONAL))
        facts = facts_of(handshake(tls.context)[0])

        assert (False, ()) == (facts.is_verified, facts.client_names)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_may_not_be_missing_when_required(self, house, version):
        tls = await house.load(house.settings_for_clients(ClientCertificates.REQUIRED))

        with pytest.raises(ssl.SSLError, match=r"(?i)peer.did.not.return.a.certificate"):
            handshake(tls.context, client(version=version))

    @pytest.mark.parametrize("certificates", [ClientCertificates.OPTIONAL, ClientCertificates.REQUIRED])
    async def test_of_a_foreign_authority_end_the_handshake(self, house, certificates):
        tls = await house.load(house.settings_for_clients(certificates))

        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(tls.context, client(STRANGER))


class Certified:
    """
    The end of a connection whose client has a certificate.
    """

    def __init__(self, **certificate):
        self.certificate = certificate

    def getpeercert(self):
        return self.certificate


class TestIdentities:
    SUBJECT = ((("organizationName", "Example"),), (("commonName", "Ann"), ("commonName", "ann.example.org")))

    def test_are_the_names_that_mean_somebody(self):
        names = (("DNS", "mx.example.org"), ("IP Address", "192.0.2.1"), ("URI", "spiffe://x/mx"), ("email", "a@x"))

        assert ("mx.example.org", "spiffe://x/mx", "a@x") == identities(Certified(subjectAltName=names))

    def test_are_the_common_names_when_there_is_no_other(self):
        assert ("Ann", "ann.example.org") == identities(Certified(subject=self.SUBJECT))
        assert ("Ann", "ann.example.org") == identities(
            Certified(subject=self.SUBJECT, subjectAltName=(("IP Address", "192.0.2.1"),))
        )

    def test_are_not_the_common_names_when_there_are_others(self):
        assert ("a@x",) == identities(Certified(subject=self.SUBJECT, subjectAltName=(("email", "a@x"),)))

    def test_are_none_that_would_break_a_line(self):
        names = (("email", "a@x\r\nX-Spam: no"), ("DNS", "mx\0.example.org"), ("DNS", "mx.example.org"))

        assert ("mx.example.org",) == identities(Certified(subjectAltName=names))

    def test_are_none_without_a_certificate(self):
        assert () == identities(Certified())


class TestFirstLoad:
    async def complaint(self, house, settings=None):
        with pytest.raises(TlsError) as caught:
            await house.load(settings)
        return str(caught.value).replace(f"{house.folder}/", "")

    async def test_says_which_file_is_missing(self, house):
        house.key.unlink()

        assert "key.pem: No such file or directory" == await self.complaint(house)

    async def test_says_which_file_can_not_be_read(self, house):
        house.certificate.unlink()
        house.certificate.mkdir()

        assert "cert.pem: Is a directory" == await self.complaint(house)

    @pytest.mark.parametrize("octets", [b"", b"\xff\0", key_of(STORE), certificate_of(STORE)[:300]])
    async def test_says_that_there_is_no_certificate(self, house, octets):
        house.write(house.certificate, octets)

        assert "cert.pem: there is no certificate in it" == await self.complaint(house)

    async def test_says_that_a_certificate_is_damaged(self, house):
        house.write(house.certificate, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

        assert "cert.pem: not a certificate" == await self.complaint(house)

    async def test_says_that_the_chain_is_cut_short(self, house):
        house.write(house.certificate, certificate_of(STORE) + certificate_of(STORE)[:300])

        assert (await self.complaint(house)).startswith("cert.pem: ")

    @pytest.mark.parametrize("octets", [b"", b"\xff\0", certificate_of(STORE), key_of(STORE)[:80]])
    async def test_says_that_there_is_no_key(self, house, octets):
        house.write(house.key, octets)

        assert (await self.complaint(house)).startswith("key.pem: ")

    @pytest.mark.parametrize("issued", [RENEWED, RSA_STORE], ids=["same sort", "other sort"])
    async def test_says_that_the_key_is_another_one(self, house, issued):
        house.write(house.key, key_of(issued))

        assert "key.pem: the private key is not that of the certificate" == await self.complaint(house)

    @pytest.mark.parametrize(
        "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
    )
    async def test_says_that_the_key_has_a_password_and_asks_nobody_for_it(self, house, form):
        house.write(house.key, key_with_password(STORE, form))

        assert "key.pem: the private key has a password" == await self.complaint(house)

    @pytest.mark.parametrize("octets", [b"", key_of(STORE)])
    async def test_says_that_there_are_no_authorities(self, house, octets):
        house.write(house.authorities, octets)
        settings = house.settings_for_clients(ClientCertificates.REQUIRED)

        assert "ca.pem: there is no certificate in it" == await self.complaint(house, settings)


class TestRenewal:
    async def test_is_not_looked_for_all_the_time(self, house):
        tls = await house.load()
        house.put(RENEWED)
        house.now += POLL_SECONDS - 1

        assert der_of(STORE) == shown_by(await tls.fresh())

    async def test_is_in_force_for_the_handshake_that_looks(self, house):
        tls = await house.load()
        house.put(RENEWED)
        house.time_to_look()

        assert der_of(RENEWED) == shown_by(await tls.fresh())
        assert der_of(RENEWED) == shown_by(tls.context)
        assert [] == house.told

    async def test_is_in_force_at_once_when_somebody_says_so(self, house):
        tls = await house.load()
        house.put(RENEWED)

        assert await tls.reload()
        assert der_of(RENEWED) == shown_by(tls.context)

    async def test_leaves_the_context_alone_when_there_is_none(self, house):
        tls = await house.load()
        before = tls.context
        house.time_to_look()

        assert before is await tls.fresh()

    @pytest.mark.parametrize("name", ["store.example", None])
    async def test_reaches_whoever_keeps_an_older_context(self, house, name):
        kept = (tls := await house.load()).context
        house.put(RENEWED)
        await tls.reload()
        client_context = client()
        client_context.check_hostname = False
        server, peer = handshake(kept, client_context, name=name)

        assert der_of(RENEWED) == peer.getpeercert(binary_form=True)
        assert hashlib.sha256(der_of(RENEWED)).digest() == facts_of(server).end_point

    async def test_leaves_open_sessions_alone(self, house):
        tls = await house.load()
        server, peer = handshake(tls.context)
        house.put(RENEWED)
        await tls.reload()
        server.write(b"220 ")

        assert b"220 " == peer.read(4)
        assert hashlib.sha256(der_of(STORE)).digest() == facts_of(server).end_point

    async def test_may_bring_another_sort_of_key(self, house):
        tls = await house.load()
        house.put(RSA_STORE)
        await tls.reload()

        assert der_of(RSA_STORE) == shown_by(tls.context)

    @pytest.mark.parametrize("is_kept", [False, True])
    async def test_may_take_an_authority_away(self, house, is_kept):
        kept = (tls := await house.load(house.settings_for_clients(ClientCertificates.REQUIRED))).context
        house.write(house.authorities, FOREIGN_CA.cert_pem.bytes())
        await tls.reload()
        context = kept if is_kept else tls.context

        assert facts_of(handshake(context, client(STRANGER))[0]).is_verified
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(context, client(MX))

    async def test_is_seen_when_only_the_key_file_changes(self, house):
        tls = await house.load()
        house.write(house.key, key_of(RENEWED))
        house.time_to_look()
        await tls.fresh()

        assert 1 == len(house.told)


class TestBrokenRenewal:
    MISMATCH = "key.pem: the private key is not that of the certificate; what was read before stays in force"

    async def test_keeps_what_was_in_force_and_is_told(self, house):
        tls = await house.load()
        house.write(house.certificate, certificate_of(RENEWED))
        house.time_to_look()

        assert der_of(STORE) == shown_by(await tls.fresh())
        assert [self.MISMATCH] == house.told

    async def test_is_in_force_once_it_is_whole(self, house):
        tls = await house.load()
        house.write(house.certificate, certificate_of(RENEWED))
        house.time_to_look()
        await tls.fresh()
        house.write(house.key, key_of(RENEWED))
        house.time_to_look()

        assert der_of(RENEWED) == shown_by(await tls.fresh())
        assert 1 == len(house.told)

    async def test_is_told_once_while_it_lasts_and_again_when_it_comes_back(self, house):
        tls = await house.load()
        for issued in (RENEWED, RENEWED, STORE, RENEWED):
            house.write(house.certificate, certificate_of(issued))
            house.time_to_look()
            await tls.fresh()

        assert [self.MISMATCH, self.MISMATCH] == house.told

    async def test_is_told_each_time_somebody_asks_for_it(self, house):
        tls = await house.load()
        house.certificate.unlink()

        assert not await tls.reload()
        assert not await tls.reload()
        assert ["cert.pem: No such file or directory; what was read before stays in force"] * 2 == house.told

    async def test_that_goes_back_to_what_was_is_no_trouble(self, house):
        tls = await house.load()
        house.write(house.certificate, certificate_of(RENEWED))
        assert not await tls.reload()
        house.write(house.certificate, certificate_of(STORE))

        assert await tls.reload()


class Slow:
    """
    A disk that takes its time.
    """

    def __init__(self, monkeypatch):
        self.looks = 0
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.really = tls_module._load_if_changed
        monkeypatch.setattr(tls_module, "_load_if_changed", self)

    def __call__(self, *arguments):
        self.looks += 1
        self.begun.set()
        assert self.may_end.wait(60)
        return self.really(*arguments)


@pytest.fixture
def slow(monkeypatch):
    slow = Slow(monkeypatch)
    yield slow
    slow.may_end.set()


class TestSlowDisk:
    async def test_is_waited_for_by_all_together(self, house, slow):
        tls = await house.load()
        house.put(RENEWED)
        house.time_to_look()
        waiting = [asyncio.create_task(tls.fresh()) for _ in range(3)]
        await asyncio.to_thread(slow.begun.wait, 60)
        slow.may_end.set()

        assert [der_of(RENEWED)] * 3 == [shown_by(context) for context in await asyncio.gather(*waiting)]
        assert 1 == slow.looks

    async def test_is_not_waited_for_without_end(self, house, slow):
        tls = await house.load(patience_seconds=0)
        house.put(RENEWED)
        for _ in range(3):
            house.time_to_look()
            assert der_of(STORE) == shown_by(await tls.fresh())
        await asyncio.to_thread(slow.begun.wait, 60)
        assert 1 == slow.looks
        slow.may_end.set()
        await tls.reload()

        assert ["the files are still being read after 0 s; what was read before stays in force"] == house.told
        assert der_of(RENEWED) == shown_by(tls.context)

    async def test_is_still_read_when_a_session_ends_that_waits_for_it(self, house, slow):
        tls = await house.load()
        house.put(RENEWED)
        house.time_to_look()
        leaver, stayer = asyncio.create_task(tls.fresh()), asyncio.create_task(tls.fresh())
        await asyncio.to_thread(slow.begun.wait, 60)
        leaver.cancel()
        slow.may_end.set()

        assert der_of(RENEWED) == shown_by(await stayer)


class TestEventLoop:
    async def test_takes_the_context_and_tells_the_facts(self, house):
        tls = await house.load(house.settings_for_clients(ClientCertificates.OPTIONAL))
        found = asyncio.Queue()

        async def take(_, writer):
            await found.put(facts_of(writer.get_extra_info("ssl_object")))
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

        async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls.context) as server:
            house.put(RENEWED)
            await tls.reload()
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client(MX), server_hostname="store.example"
            )
            facts = await found.get()
            await reader.read()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

        assert {"mx.example.org", "postmaster@example.org"} == set(facts.client_names)
        assert hashlib.sha256(der_of(RENEWED)).digest() == facts.end_point
