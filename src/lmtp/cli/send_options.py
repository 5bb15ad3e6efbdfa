# SPDX-License-Identifier: Apache-2.0
"""
The options of `lmtp send` as values, and what they come to: an envelope, and how to speak to the server.

Addresses come from the command line alone, never from a message. Raises click.UsageError for what makes no sense.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import click

from lmtp.aio.client_settings import ClientDeadlines, ClientSettings, ClientTls, own_name
from lmtp.aio.listeners import Endpoint, TcpEndpoint, UnixEndpoint
from lmtp.auth.client import ScramPassword
from lmtp.cli.security_options import login_of, tls_context_of
from lmtp.protocol.address import AddressSyntaxError, parse_domain
from lmtp.protocol.commands import Rcpt
from lmtp.protocol.dialect import LMTP, SMTP
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import Body, MailParameters, Notify, RcptParameters, Return

DIALECTS: Final = {"lmtp": LMTP, "smtp": SMTP}
"""What can be spoken."""
BODIES: Final = {body.value.lower(): body for body in Body}
"""What a content can be said to be."""
RETURNS: Final = {returned.value.lower(): returned for returned in Return}
"""How much of a message a report can give back."""
NOTICES: Final = {
    notice.name.lower(): notice for notice in (Notify.SUCCESS, Notify.FAILURE, Notify.DELAY) if notice.name
}
"""What a sender can be told of."""

_SHORT: Final = ("quit_seconds", "after_421_seconds")
"""Waits that are never longer than they are anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    What the command line says, but for the messages.
    """

    endpoint: Endpoint
    """Where the server is."""
    sender: str
    """The reverse-path."""
    recipients: tuple[str, ...]
    """The forward-paths."""
    rcpt_file: Path | None
    """Where more of them are."""
    is_mbox: bool
    """What is read is an mbox."""
    copies: int
    """How often each message is sent."""
    connections: int
    """How many sessions there are at most."""
    client_name: str | None
    """What we call ourselves."""
    dialect: str
    """What is spoken."""
    has_pipelining: bool
    """Commands may follow each other."""
    has_chunking: bool
    """Contents may go by BDAT."""
    body: str | None
    """What the content is said to be."""
    notify: str | None
    """When the sender is told."""
    returned: str | None
    """How much is given back."""
    envelope_id: str | None
    """What the message is called in reports."""
    is_tls: bool
    """Connections begin with TLS."""
    is_starttls: bool
    """TLS by STARTTLS, or nothing."""
    is_starttls_optional: bool
    """TLS by STARTTLS where it is offered."""
    ca: str | None
    """Certificates of those who may sign."""
    cert: str | None
    """Our certificate."""
    key: str | None
    """Its key."""
    server_name: str
    """Whose certificate it must be."""
    is_insecure: bool
    """Do not look at the server's certificate."""
    auth_user: str | None
    """Who logs in."""
    auth_password_file: Path | None
    """Where the password is."""
    stands_for: tuple[str, ...]
    """The client we speak for."""
    forwarded: tuple[str, ...]
    """Where the messages come from."""
    timeout_seconds: float | None
    """How long anything may take."""
    transcript: str | None
    """Where the wire log goes."""
    is_json: bool
    """Print JSON."""
    is_quiet: bool
    """Print what failed alone."""


# Whom


def envelope_of(options: Options) -> OutgoingEnvelope:
    """
    Return whom the messages are from and for.
    """
    texts = [*options.recipients, *_addresses_in(options.rcpt_file)]
    if not texts:
        raise click.UsageError("Nobody to send to: give --rcpt or --rcpt-file. No recipient is taken from a message.")
    sender = _parsed("--from", options.sender, lambda: OutgoingEnvelope.parse(options.sender))
    parameters = RcptParameters(notify=_notify(options.notify))
    recipients = tuple(replace(_recipient(text), parameters=parameters) for text in texts)
    return replace(sender, recipients=recipients, parameters=_mail_parameters(options))


def _addresses_in(file: Path | None) -> list[str]:
    lines = file.read_text("utf-8", "surrogateescape").splitlines() if file else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _recipient(text: str) -> Rcpt:
    envelope = _parsed("--rcpt", text, lambda: OutgoingEnvelope.parse("", text))
    return envelope.recipients[0]


def _parsed(name: str, text: str, parse: Callable[[], OutgoingEnvelope]) -> OutgoingEnvelope:
    try:
        return parse()
    except AddressSyntaxError as error:
        raise click.UsageError(f"{name}: {text!r} is no address: {error}.") from error


def _mail_parameters(options: Options) -> MailParameters:
    return MailParameters(
        body=BODIES[options.body] if options.body else None,
        returned=RETURNS[options.returned] if options.returned else None,
        envelope_id=options.envelope_id or None,
    )


def _notify(text: str | None) -> Notify | None:
    """
    Read when the sender is told: `never`, or some of the others with commas between them (RFC 3461 §4.1).
    """
    if text is None or text == "never":
        return None if text is None else Notify.NEVER
    notify = Notify.NEVER
    for word in text.split(","):
        if word not in NOTICES:
            raise click.UsageError(f"--notify takes never, or some of {', '.join(NOTICES)} with commas between them.")
        notify |= NOTICES[word]
    return notify


# How


def settings_of(options: Options) -> ClientSettings:
    """
    Return how to speak to the server.
    """
    uses = {"PIPELINING": options.has_pipelining, "CHUNKING": options.has_chunking}
    login = login_of(options.auth_user, options.auth_password_file)
    return ClientSettings(
        client_name=_client_name(options.client_name),
        dialect=DIALECTS[options.dialect],
        uses=frozenset(name for name, is_used in uses.items() if is_used),
        tls=_tls(options),
        credentials=ScramPassword(*login) if login else None,
        stands_for=attributes_of("--xclient", options.stands_for),
        deadlines=_deadlines(options.timeout_seconds),
    )


def endpoint_of(options: Options) -> Endpoint:
    """
    Return where the server is, and whether TLS begins there at once.
    """
    if not options.is_tls:
        return options.endpoint
    if isinstance(options.endpoint, UnixEndpoint):
        raise click.UsageError("--tls is for ports; on a Unix socket there is --starttls.")
    return replace(options.endpoint, is_tls=True)


def attributes_of(name: str, texts: Iterable[str]) -> dict[str, str | None]:
    """
    Read attributes of XCLIENT and XFORWARD, written ``NAME=VALUE``; without a value it is not known.
    """
    pairs = [text.partition("=") for text in texts]
    for attribute, sign, _ in pairs:
        if not (sign and attribute.isascii() and attribute.isalpha()):
            raise click.UsageError(f"{name} takes NAME=VALUE.")
    return {attribute.upper(): value or None for attribute, _, value in pairs}


def _client_name(name: str | None) -> str:
    try:
        if name is not None and not (name.isascii() and parse_domain(name.encode("ascii"))):
            raise click.UsageError("--client-name takes a domain, or an address in brackets.")
    except AddressSyntaxError as error:
        raise click.UsageError(f"--client-name: {name!r} is no domain: {error}.") from error
    return own_name() if name is None else name


def _tls(options: Options) -> ClientTls | None:
    if options.is_tls + options.is_starttls + options.is_starttls_optional > 1:
        raise click.UsageError("--tls, --starttls and --try-starttls do not go together.")
    begins_with_it = isinstance(options.endpoint, TcpEndpoint) and options.endpoint.is_tls
    if not (begins_with_it or options.is_tls or options.is_starttls or options.is_starttls_optional):
        return None
    return ClientTls(
        context=tls_context_of(options), server_name=options.server_name, is_required=not options.is_starttls_optional
    )


def _deadlines(seconds: float | None) -> ClientDeadlines:
    """
    Return the deadlines of RFC 5321 §4.5.3.2, or the same for all that matters.
    """
    usual = ClientDeadlines()
    if seconds is None:
        return usual
    return ClientDeadlines(
        **{
            field.name: min(seconds, getattr(usual, field.name)) if field.name in _SHORT else seconds
            for field in fields(usual)
        }
    )
