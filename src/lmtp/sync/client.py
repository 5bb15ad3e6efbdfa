# SPDX-License-Identifier: Apache-2.0
"""
A client's session for programmes that block: messages go in, a result for each recipient comes out.

    with connect("unix:/run/dovecot/lmtp") as client:
        results = client.send(OutgoingEnvelope.parse("ann@example.org", "bob@example.org"), b"Subject: ...")

The words are those of `lmtp.connect` and `lmtp.Client`. What a server says of a recipient never raises: it is the
recipient's result. What has no result when the session is lost is deferred. One thread uses a client at a time.
Not here: octets and sockets (link.py), how a message is sent (sending.py). RFC 2033 §4.2 and §5.
"""

import contextlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from lmtp.aio.client_settings import ClientSettings
from lmtp.aio.listeners import Endpoint, parse_endpoint
from lmtp.protocol.errors import LocalProtocolError, SessionError
from lmtp.protocol.offered import Offered
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Result
from lmtp.sync.link import Link
from lmtp.sync.opening import open_link
from lmtp.sync.sending import Content, deliver


class Client:
    """
    One session with one server. Made by `connect`.
    """

    def __init__(self, endpoint: Endpoint, link: Link) -> None:
        self.endpoint = endpoint
        """Where the server is."""
        self._link = link

    @property
    def offered(self) -> Offered:
        """
        What the server offers.
        """
        return self._link.engine.offered

    @property
    def is_usable(self) -> bool:
        """
        There is a session, and nothing has cast a doubt on it, as far as the server has said.
        """
        self._link.look()
        return self._link.is_usable

    @property
    def why_lost(self) -> str:
        """
        How the session came to its end; empty while it has not.
        """
        return self._link.lost.why if self._link.lost else ""

    def send(self, envelope: OutgoingEnvelope, content: Content) -> list[Result]:
        """
        Send a message, and wait for all its results.

        Recipients a server can't take in one transaction (452 4.5.3, or LIMITS) get theirs in further ones, if the
        content can be read again.

        Args:
            envelope: Whom it is from and for.
            content: Octets, the path of a file, an open file, a message object or an iterable.

        Returns:
            One result for each recipient, in the order of the envelope.

        Raises:
            LocalProtocolError: a `stream` is under way whose content the server has not got.
            OSError: the content can't be read; nothing was delivered to those who have no result.
            TypeError: the content is nothing that can be sent.
        """
        results = dict(self.stream(envelope, content))
        return [results[index] for index in range(len(envelope.recipients))]

    def stream(self, envelope: OutgoingEnvelope, content: Content) -> Iterator[tuple[int, Result]]:
        """
        Send a message, and yield each recipient's index in the envelope and its result as soon as it is known.

        Whoever keeps a queue acts on each at once: a later one may never come (RFC 2033 §5). Nothing is sent before the
        first is asked for. Who stops asking before the content is sent loses the session. Raises as `send` does.
        """
        return deliver(self._link, envelope, content)

    def forward(self, attributes: Mapping[str, str | None]) -> bool:
        """
        Say where the next message comes from (XFORWARD), for the server's log.

        Args:
            attributes: NAME, ADDR, PORT, PROTO, HELO, IDENT, SOURCE; None for what is not known.

        Returns:
            The server has taken note; False: it does not want to know.

        Raises:
            LocalProtocolError: a `stream` is under way whose content the server has not got.
            SessionError: the session is lost.
        """
        self._check_usable()
        count = self._link.engine.forward(attributes)
        replies = [self._link.ask() for _ in range(count)]
        return bool(replies) and all(reply.is_positive for reply in replies)

    def noop(self) -> Reply:
        """
        Ask whether the server is there.

        Raises:
            LocalProtocolError: a `stream` is under way whose content the server has not got.
            SessionError: the session is lost.
        """
        self._check_usable()
        self._link.engine.noop()
        return self._link.ask()

    def verify(self, text: str) -> Reply:
        """
        Ask for a mailbox by VRFY; most servers answer 252 (RFC 5321 §3.5.3).

        Raises:
            LocalProtocolError: likewise, or it is not ASCII and the server does not offer SMTPUTF8.
            SessionError: the session is lost.
        """
        self._check_usable()
        self._link.engine.verify(text)
        return self._link.ask()

    def close(self) -> None:
        """
        End the session: QUIT. No answer to that is a failure; where a content is half sent, nothing is said.
        """
        if self.is_usable and not self._link.is_in_transaction:
            with contextlib.suppress(SessionError):
                self._link.engine.quit()
                self._link.ask()
        self._link.abort()

    def abort(self) -> None:
        """
        Cut the connection; what is under way is deferred.
        """
        self._link.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_usable(self) -> None:
        if not self.is_usable:
            raise SessionError(self.why_lost or "the session is over")
        if self._link.is_in_transaction:
            raise LocalProtocolError("a message is under way: read the results of its stream first")


def connect(endpoint: Endpoint | str, settings: ClientSettings | None = None) -> Client:
    """
    Begin a session with a server; leave what is returned by ``with``, or by `Client.close`.

    Args:
        endpoint: ``host:port``, ``host:port,tls`` or ``unix:/path``.
        settings: How to speak to it.

    Raises:
        ValueError: that is no endpoint, or it is SMTP's port (RFC 2033 §5).
        SessionError: there is somebody, and no session to be had.
        OSError: nobody answers there.
    """
    place = parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
    return Client(place, open_link(place, settings or ClientSettings()))
