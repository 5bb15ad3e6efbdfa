# SPDX-License-Identifier: Apache-2.0
"""
Who a client is, and what it may therefore do: the facts of one connection against the rules of the server.

Gathers what the socket, a PROXY header, TLS, AUTH, XCLIENT and XFORWARD say, and answers with an `Offer` and a
`Channel`. Called by connection.py. Not here: rules (access.py), exchanges (login.py). Never raises.
RFC 3207 §4.2, Postfix's XCLIENT and XFORWARD.
"""

import asyncio
import socket
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lmtp.aio.access import Peer, Peers, address_of, credentials_of
from lmtp.aio.proxyline import InternetAddress, ProxyFamily, ProxyHeader
from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Session
from lmtp.aio.tls import TlsFacts
from lmtp.protocol import events
from lmtp.protocol.extensions import STANDARD, Demand, Offer
from lmtp.protocol.sasl import Authenticator, Channel
from lmtp.protocol.verbs import bare_address

_TRUSTED_KEYWORDS: Final = ("XCLIENT", "XFORWARD", "IGNOREQUOTA", "TRACE")
_CONDITIONAL_KEYWORDS: Final = (*_TRUSTED_KEYWORDS, "STARTTLS", "AUTH")

_NOWHERE: Final = ("0.0.0.0", 0)  # noqa: S104 - no socket is bound to it
"""Where a peer is that is gone before anybody could ask: an address that no rule has which means somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """
    Who may do what, beyond delivering mail.
    """

    connect: Peers | None = None
    """Who may open a session; None: whoever can reach the endpoint."""
    proxy: Peers = field(default_factory=Peers)
    """Whose connections begin with a PROXY header; for anybody else it is no command."""
    xclient: Peers = field(default_factory=Peers)
    """Who may say by XCLIENT whom it stands for."""
    xforward: Peers = field(default_factory=Peers)
    """Who may say by XFORWARD where a message comes from."""
    ignorequota: Peers = field(default_factory=Peers)
    """Who may have a recipient's quota ignored."""
    trace: Peers = field(default_factory=Peers)
    """Who may say by TRACE what the log is to call a session besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admittance:
    """
    What a server asks of its clients and offers them.
    """

    extensions: frozenset[str] = STANDARD
    """The extensions offered to all; what depends on trust, TLS or an authenticator is added where it is due."""
    demands: Demand = Demand.NOTHING
    """What a client must have done before it may deliver."""
    access: Access = field(default_factory=Access)
    """Who may do what."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """
    Where a client comes from, as known before it has said a word itself.
    """

    peer: str
    """Its address and port, or ``unix``."""
    peer_address: str
    """Its address alone."""
    proxy: str
    """The proxy that connected for it."""


class Admission:
    """
    What is known of the client of one session.

    Args:
        rules: What the server asks and offers.
        session: Where it is written down for the handler.
        report: Told when the authenticator fails.
        has_tls: There is a certificate.
        authenticator: Who checks credentials.
    """

    def __init__(
        self, rules: Admittance, session: Session, report: Reporter, *, has_tls: bool, authenticator: Authenticator
    ) -> None:
        self._rules = rules
        self._session = session
        self._report = report
        self._has_tls = has_tls
        self._authenticator = authenticator
        self._peer = Peer()
        self._arrival = _Arrival("", "", "")
        self._stands_for: dict[str, str | None] = {}

    # Before the session.

    def arrive(self, transport: asyncio.BaseTransport) -> None:
        """
        Note who is at the other end of the connection.
        """
        connected = transport.get_extra_info("socket")
        if connected.family == socket.AF_UNIX:
            self._peer = Peer(credentials=credentials_of(connected))
            self._session.peer = "unix"
            return
        host, port, *_ = transport.get_extra_info("peername") or _NOWHERE
        self._peer = Peer(address=address_of(host))
        self._name_client(address_of(host), port)

    @property
    def begins_with_proxy_header(self) -> bool:
        """
        The peer is a proxy, and says first for whom it connects.
        """
        return self._rules.access.proxy.admits(self._peer)

    def take_proxy_header(self, header: ProxyHeader) -> None:
        """
        Note for whom the proxy connects; LOCAL means for itself, and without addresses nobody knows.
        """
        if header.family is ProxyFamily.LOCAL:
            return
        self._session.proxy = self._session.peer
        if isinstance(header.source, InternetAddress):
            address = address_of(str(header.source.host))
            self._peer = Peer(address=address)
            self._name_client(address, header.source.port)

    def take_tls(self, facts: TlsFacts) -> None:
        """
        Note that TLS is up.
        """
        self._session.tls = facts
        if facts.is_verified:
            self._peer = replace(self._peer, certificate_names=facts.client_names)

    @property
    def may_connect(self) -> bool:
        """
        The rules let it in; asked once, before the greeting.
        """
        return self._rules.access.connect is None or self._rules.access.connect.admits(self._peer)

    # What the client says.

    def begin(self) -> None:
        """
        Remember where the client comes from: all that is known before it speaks.
        """
        session = self._session
        self._arrival = _Arrival(session.peer, session.peer_address, session.proxy)

    def begin_anew(self) -> None:
        """
        Forget all that the client said in clear; somebody else may have said it (RFC 3207 §4.2).
        """
        session = self._session
        session.peer, session.peer_address = self._arrival.peer, self._arrival.peer_address
        session.proxy = self._arrival.proxy
        session.client_name = session.identity = session.trace_id = ""
        session.is_authenticated = False
        session.forwarded = {}
        self._stands_for = {}

    def take_authentication(self, event: events.AuthenticationEnded) -> None:
        """
        Note whom the client has proved to act for, if it has.
        """
        if event.identity:
            self._session.identity, self._session.is_authenticated = event.identity, True

    def take_xclient(self, event: events.ClientReplaced) -> None:
        """
        Note whom the peer says it stands for, in one command or several; its own rights stay its own.
        """
        session = self._session
        session.client_name = ""
        session.proxy = session.proxy or session.peer
        self._stands_for.update(event.attributes)
        if address := self._stands_for.get("ADDR"):
            self._name_client(address_of(bare_address(address)), int(self._stands_for.get("PORT") or 0))
        if login := event.attributes.get("LOGIN"):
            session.identity, session.is_authenticated = login, False

    def take_xforward(self, event: events.ClientForwarded) -> None:
        """
        Note where the next message comes from: each XFORWARD adds to those since the last message (Postfix, XFORWARD).
        """
        self._session.forwarded = {**self._session.forwarded, **event.attributes}

    # What follows from it.

    @property
    def offer(self) -> Offer:
        """
        What the client is offered as things stand.
        """
        access, mechanisms = self._rules.access, self._mechanisms()
        due = {keyword for keyword in _TRUSTED_KEYWORDS if getattr(access, keyword.lower()).admits(self._peer)}
        if self._has_tls:
            due.add("STARTTLS")
        if mechanisms:
            due.add("AUTH")
        return Offer(
            extensions=self._rules.extensions.difference(_CONDITIONAL_KEYWORDS) | due,
            is_encrypted=self._session.tls is not None,
            mechanisms=mechanisms,
            demands=self._rules.demands,
        )

    @property
    def channel(self) -> Channel:
        """
        What matters of the connection to who may prove what.
        """
        tls, address = self._session.tls, self._peer.address
        names = self._peer.certificate_names
        return Channel(
            is_encrypted=tls is not None,
            is_local=(address is None or address.is_loopback) and not self._session.proxy,
            external_identity=names[0] if names else _unix_identity(self._peer),
            end_point=tls.end_point if tls else b"",
        )

    def _mechanisms(self) -> tuple[str, ...]:
        try:
            return self._authenticator.mechanisms(self.channel)
        except Exception as error:  # noqa: BLE001 - whoever needs no AUTH must not pay for a fault there
            self._report.failed(None, "listing the mechanisms", error)
            return ()

    def _name_client(self, address: IPv4Address | IPv6Address, port: int) -> None:
        self._session.peer_address = str(address)
        self._session.peer = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _unix_identity(peer: Peer) -> str:
    """
    Return what EXTERNAL calls a process of this machine: ``uid:1000``.
    """
    return f"uid:{peer.credentials.uid}" if peer.credentials else ""
