# SPDX-License-Identifier: Apache-2.0
"""
TLS for servers: the certificate they show, replaced while they run, and what is known of a client's once it is up.

Not here: when TLS begins (STARTTLS is the engine's, handshakes are connection.py's), what a client's certificate is
good for (access.py), and TLS for clients. `ServerTls.load` raises `TlsError` when there is nothing to begin with;
afterwards what can't be used is told to the observer, and what was in force stays so. RFC 3207 §4, RFC 8446, RFC 9325.
"""

import asyncio
import contextlib
import enum
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from lmtp.aio.channel_binding import end_point_binding
from lmtp.observe.events import Warned
from lmtp.observe.observer import Observer

POLL_SECONDS: Final = 10.0
"""How long the files are taken to be what they were when they were last looked at."""
PATIENCE_SECONDS: Final = 5.0
"""How long handshakes wait for a look at the files: a file system that hangs would keep them for ever."""

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_NAME_TYPES: Final = ("DNS", "email", "URI")


class TlsError(Exception):
    """
    A file for TLS can't be used; the text says which one and why.
    """


class TlsVersion(enum.StrEnum):
    """
    The versions of TLS a server may ask for at the least; older ones are broken (RFC 8996).
    """

    TLS_1_2 = "TLSv1.2"
    """RFC 5246."""
    TLS_1_3 = "TLSv1.3"
    """RFC 8446."""


class ClientCertificates(enum.StrEnum):
    """
    Whether clients are asked for a certificate.
    """

    NONE = "none"
    """They are not."""
    OPTIONAL = "optional"
    """They are, and need not have one; but one that is not of the authorities ends the handshake."""
    REQUIRED = "required"
    """They are, and without one of the authorities' there is no session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """
    How a server does TLS.

    Raises:
        ValueError: a setting is missing that another one needs, or the ciphers are none.
    """

    certificate_file: str
    """PEM: the server's certificate, then those that lead to its authority."""
    key_file: str = ""
    """PEM: the private key, without a password; empty: it is in the certificate file."""
    minimum_version: TlsVersion = TlsVersion.TLS_1_2
    """The oldest version spoken."""
    client_ca_file: str = ""
    """PEM: the authorities whose certificates clients may have."""
    client_certificates: ClientCertificates = ClientCertificates.NONE
    """Whether clients are asked for one."""
    ciphers: str = ""
    """OpenSSL's list of cipher suites for TLS 1.2; empty: Python's own. TLS 1.3 has none that are weak."""

    def __post_init__(self) -> None:
        if not self.certificate_file:
            raise ValueError("certificate_file must name a file")
        if (self.client_certificates is ClientCertificates.NONE) != (not self.client_ca_file):
            raise ValueError("client_certificates and client_ca_file need each other")
        if any("\0" in file for file in self.files):
            raise ValueError("a file's name has no NUL in it")
        _set_ciphers(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.ciphers)

    @property
    def files(self) -> tuple[str, ...]:
        """
        The files all this comes from.
        """
        return tuple(filter(None, (self.certificate_file, self.key_file, self.client_ca_file)))


def _set_ciphers(context: ssl.SSLContext, ciphers: str) -> None:
    try:
        if ciphers:
            context.set_ciphers(ciphers)
    except ssl.SSLError:
        raise ValueError(f"ciphers: OpenSSL knows none of {ciphers!r}") from None


class ServerContext(ssl.SSLContext):
    """
    An `ssl.SSLContext` that knows its own certificate; nobody can ask OpenSSL's for that.
    """

    end_point: bytes = b""
    """Its ``tls-server-end-point`` (RFC 5929 §4)."""


class ServerTls:
    """
    The TLS of a server; `load` makes one.

    A certificate that is renewed is seen within `POLL_SECONDS` by the next handshake that asks for `fresh`. It comes
    with a context of its own: in the old one a certificate with another sort of key would stand beside its
    predecessor, and an authority that was taken out would stay.

    Args:
        settings: How.
        loaded: What there is to begin with.
        observer: Told of files that can't be used.
        monotonic: The clock, in seconds.
        patience_seconds: How long handshakes wait for a look at the files.
    """

    def __init__(
        self,
        settings: TlsSettings,
        loaded: "_Loaded",
        observer: Observer,
        *,
        monotonic: Callable[[], float],
        patience_seconds: float,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._monotonic = monotonic
        self._patience_seconds = patience_seconds
        self._next_look = monotonic() + POLL_SECONDS
        self._stamps: _Stamps
        self._look: asyncio.Task[bool] | None = None
        self._patience_ends = 0.0
        self._one_reader = asyncio.Lock()
        self._trouble = ""
        self._take(loaded)

    @classmethod
    async def load(
        cls,
        settings: TlsSettings,
        observer: Observer,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> "ServerTls":
        """
        Read the files for the first time.

        Raises:
            TlsError: there is no TLS with these.
        """
        loaded = await asyncio.to_thread(_load, settings)
        return cls(settings, loaded, observer, monotonic=monotonic, patience_seconds=patience_seconds)

    @property
    def context(self) -> ServerContext:
        """
        What is in force now. Whoever keeps it, as ``loop.create_server(ssl=...)`` does, serves later certificates too.
        """
        return self._context

    async def fresh(self) -> ServerContext:
        """
        Return what is in force for a handshake that begins now; the files are looked at before, when it is time to.
        """
        if self._look is None and self._monotonic() >= self._next_look:
            self._begin_look()
        if self._look is not None:
            await self._wait_for(self._look)
        return self._context

    async def reload(self) -> bool:
        """
        Read the files now, changed or not, however long it takes.

        Returns:
            Whether what they hold is in force; if not, the observer is told why.
        """
        self._trouble = ""
        return await self._read_again(known=())

    def _begin_look(self) -> None:
        now = self._monotonic()
        self._next_look = now + POLL_SECONDS
        self._patience_ends = now + self._patience_seconds
        self._look = asyncio.create_task(self._read_again(known=self._stamps))
        self._look.add_done_callback(self._end_look)

    def _end_look(self, _: asyncio.Task[bool]) -> None:
        self._look = None

    async def _wait_for(self, look: asyncio.Task[bool]) -> None:
        # `asyncio.wait` cancels nothing: a session that ends here must not take the look along that others wait for.
        patience_seconds = max(0.0, self._patience_ends - self._monotonic())
        done, _ = await asyncio.wait((look,), timeout=patience_seconds)
        if not done:
            self._report_trouble(f"the files are still being read after {self._patience_seconds:g} s")

    async def _read_again(self, known: "_Stamps") -> bool:
        # On a thread, the stat too: a network file system can hang, and a new context takes a millisecond anyhow.
        async with self._one_reader:
            try:
                loaded = await asyncio.to_thread(_load_if_changed, self._settings, known)
            except TlsError as error:
                self._stamps = ()
                self._report_trouble(str(error))
                return False
            if loaded is not None:
                self._take(loaded)
            self._trouble = ""
            return True

    def _take(self, loaded: "_Loaded") -> None:
        self._stamps = loaded.stamps
        self._context = loaded.context
        # Called for each handshake, with a server's name or without: older contexts that somebody kept hand over.
        self._context.sni_callback = self._hand_over

    def _hand_over(self, ssl_object: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        ssl_object.context = self._context

    def _report_trouble(self, detail: str) -> None:
        # A renewal that was met half done may stay so for days: to say it once is enough.
        if detail != self._trouble:
            self._observer.observe(Warned(subject="TLS", detail=f"{detail}; what was read before stays in force"))
        self._trouble = detail


# What the thread does.


class _Stamp(NamedTuple):
    """
    What changes when a file does.
    """

    mtime_ns: int
    size: int
    inode: int


_Stamps = tuple[_Stamp, ...]


class _Loaded(NamedTuple):
    """
    A reading of the files.
    """

    stamps: _Stamps
    context: ServerContext


def _load(settings: TlsSettings) -> _Loaded:
    # Stamped before they are read: what changes meanwhile is seen by the next look.
    stamps = _stamps_of(settings)
    return _Loaded(stamps, _make_context(settings))


def _load_if_changed(settings: TlsSettings, known: _Stamps) -> _Loaded | None:
    return None if _stamps_of(settings) == known else _load(settings)


def _stamps_of(settings: TlsSettings) -> _Stamps:
    return tuple(_stamp(file) for file in settings.files)


def _stamp(file: str) -> _Stamp:
    with _blaming(file):
        status = Path(file).stat()
    return _Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def _make_context(settings: TlsSettings) -> ServerContext:
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _MINIMA[settings.minimum_version]
    # No compression (CRIME), no renegotiation (CVE-2009-3555, and its cost). No tickets: their key would outlive every
    # session it protects, and a client would come back without its certificate being looked at; a whole handshake
    # takes about a millisecond. What TLS 1.2 resumes by number, for five minutes, Python can't turn off.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    _set_ciphers(context, settings.ciphers)
    _load_certificate(context, settings)
    if settings.client_ca_file:
        context.verify_mode = _VERIFY_MODES[settings.client_certificates]
        with _blaming(settings.client_ca_file):
            context.load_verify_locations(settings.client_ca_file)
    return context


_MINIMA: Final = {TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3}
_VERIFY_MODES: Final = {
    ClientCertificates.NONE: ssl.CERT_NONE,
    ClientCertificates.OPTIONAL: ssl.CERT_OPTIONAL,
    ClientCertificates.REQUIRED: ssl.CERT_REQUIRED,
}


def _load_certificate(context: ServerContext, settings: TlsSettings) -> None:
    certificate, key = settings.certificate_file, settings.key_file or settings.certificate_file
    with _blaming(certificate):
        context.end_point = end_point_binding(_first_certificate(certificate))
        # OpenSSL says the same of a bad certificate and of a bad key; so the certificates are read alone before.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    with _blaming(key):
        context.load_cert_chain(certificate, key, password=_refuse_password)


def _first_certificate(file: str) -> bytes:
    match = _CERTIFICATE.search(Path(file).read_text("latin-1"))
    if match is None:
        raise ValueError("there is no certificate in it")
    return ssl.PEM_cert_to_DER_cert(match[0])


def _refuse_password() -> str:
    # Without this OpenSSL asks at the terminal, and the server waits.
    raise ValueError("the private key has a password")


@contextlib.contextmanager
def _blaming(file: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        reason = error.reason or "no PEM that can be read"
        raise TlsError(f"{file}: {_REASONS.get(reason, reason.replace('_', ' ').lower())}") from error
    except OSError as error:
        raise TlsError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise TlsError(f"{file}: {error}") from error


_NOT_THE_KEY: Final = "the private key is not that of the certificate"
_REASONS: Final = {
    "KEY_VALUES_MISMATCH": _NOT_THE_KEY,
    "KEY_TYPE_MISMATCH": _NOT_THE_KEY,
    "NO_CERTIFICATE_ASSIGNED": _NOT_THE_KEY,
    "NO_CERTIFICATE_OR_CRL_FOUND": "there is no certificate in it",
}
"""OpenSSL's reasons that an operator would not guess."""


# What a handshake came to.


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFacts:
    """
    What is known of a connection once TLS is up.
    """

    version: str
    """Such as ``TLSv1.3``."""
    cipher: str
    """OpenSSL's name of the cipher suite, such as ``TLS_AES_256_GCM_SHA384``."""
    client_names: tuple[str, ...] = ()
    """The names in the client's certificate (`identities`)."""
    is_verified: bool = False
    """The client has a certificate of our authorities, with names or without."""
    end_point: bytes = b""
    """The channel binding ``tls-server-end-point`` (RFC 5929 §4); empty: there is none."""


def facts_of(ssl_object: ssl.SSLObject | ssl.SSLSocket) -> TlsFacts:
    """
    Return what is known of a connection.

    Args:
        ssl_object: The server's end, or what a transport gives as ``"ssl_object"``.

    Raises:
        ValueError: the handshake is not over.
    """
    is_verified = bool(ssl_object.getpeercert())
    version, cipher, context = ssl_object.version(), ssl_object.cipher(), ssl_object.context
    assert version is not None, "the handshake is over"  # noqa: S101 - getpeercert has seen to that
    assert cipher is not None, "the handshake is over"  # noqa: S101 - likewise
    return TlsFacts(
        version=version,
        cipher=cipher[0],
        client_names=identities(ssl_object),
        is_verified=is_verified,
        end_point=context.end_point if isinstance(context, ServerContext) else b"",
    )


def identities(ssl_object: ssl.SSLObject | ssl.SSLSocket) -> tuple[str, ...]:
    """
    Return the names in a client's certificate, if that has been verified: domains, e-mail addresses and URIs.

    The common name counts when there are none of these (RFC 6125 §6.4.4). What can't be printed is no name: it would
    end up in log lines and trace fields.

    Raises:
        ValueError: the handshake is not over.
    """
    certificate: Mapping[str, Any] = ssl_object.getpeercert() or {}
    alternatives = [name for kind, name in certificate.get("subjectAltName", ()) if kind in _NAME_TYPES]
    subject = (attribute for attributes in certificate.get("subject", ()) for attribute in attributes)
    names = alternatives or [name for kind, name in subject if kind == "commonName"]
    return tuple(name for name in names if name.isprintable())
