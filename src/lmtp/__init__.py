# SPDX-License-Identifier: Apache-2.0
"""
lmtp: the last hop of mail, done right (RFC 2033).

The public names, by room; programmes of the package (`lmtp serve`) live in rooms that are not re-exported here.
"""

from lmtp.aio.access import Peer, Peers
from lmtp.aio.admission import Access, Admittance
from lmtp.aio.client import Client, connect
from lmtp.aio.client_settings import ClientDeadlines, ClientSettings, ClientTls
from lmtp.aio.contents import Content
from lmtp.aio.deadlines import Deadlines
from lmtp.aio.handler import Handler, VerifiesRecipients
from lmtp.aio.listeners import Endpoint, TcpEndpoint, UnixEndpoint, parse_endpoint
from lmtp.aio.pool import Pool, PoolSettings, PoolStatistics
from lmtp.aio.server import Server, ServerSettings, serve
from lmtp.aio.session import Session, Transaction
from lmtp.aio.tls import ServerTls, TlsError, TlsFacts, TlsSettings
from lmtp.protocol.address import AddressSyntaxError, ForwardPath, Mailbox, ReversePath
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.credentials import AuthenticationError, Credentials, External, Password
from lmtp.protocol.dialect import LMTP, SMTP, Dialect
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.errors import (
    DeliveryError,
    LocalProtocolError,
    PermanentError,
    ProtocolError,
    RemoteProtocolError,
    SessionError,
    TransientError,
)
from lmtp.protocol.extensions import Demand, Offer
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed, Outcome, Verdict
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import MailParameters, RcptParameters
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result
from lmtp.protocol.sasl import Authenticator
from lmtp.protocol.server import ServerConnection
from lmtp.protocol.status import EnhancedStatus

__all__ = [
    "LMTP",
    "SMTP",
    "Accepted",
    "Access",
    "AddressSyntaxError",
    "Admittance",
    "AuthenticationError",
    "Authenticator",
    "Client",
    "ClientConnection",
    "ClientDeadlines",
    "ClientSettings",
    "ClientTls",
    "Content",
    "Credentials",
    "Deadlines",
    "Deferred",
    "Delivered",
    "DeliveryError",
    "Demand",
    "Dialect",
    "Endpoint",
    "EnhancedStatus",
    "Envelope",
    "External",
    "Failed",
    "ForwardPath",
    "Handler",
    "Leniency",
    "Limits",
    "LocalProtocolError",
    "MailParameters",
    "Mailbox",
    "Offer",
    "Outcome",
    "OutgoingEnvelope",
    "Password",
    "Peer",
    "Peers",
    "PermanentError",
    "Point",
    "Pool",
    "PoolSettings",
    "PoolStatistics",
    "ProtocolError",
    "RcptParameters",
    "Recipient",
    "RemoteProtocolError",
    "Reply",
    "Result",
    "ReversePath",
    "Server",
    "ServerConnection",
    "ServerSettings",
    "ServerTls",
    "Session",
    "SessionError",
    "TcpEndpoint",
    "TlsError",
    "TlsFacts",
    "TlsSettings",
    "Transaction",
    "TransientError",
    "UnixEndpoint",
    "Verdict",
    "VerifiesRecipients",
    "connect",
    "parse_endpoint",
    "serve",
]
