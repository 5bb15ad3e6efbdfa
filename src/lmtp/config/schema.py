# SPDX-License-Identifier: Apache-2.0
"""
What can be set: one frozen dataclass a table, down to the options of the rooms themselves.

The only module that knows pydantic, which checks plain dataclasses here and is seen nowhere else. Not here: files
(load.py), or making anything of the values (service/). `validate` returns faults; it never raises for bad values.
"""

import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, PlainValidator, TypeAdapter, ValidationError

from lmtp.aio.access import Peers
from lmtp.aio.deadlines import Deadlines
from lmtp.aio.listeners import Endpoint, TcpEndpoint, parse_endpoint
from lmtp.aio.tls import TlsSettings
from lmtp.config.choices import MECHANISMS, LogFormat, LogLevel
from lmtp.config.keys import section_at, words_for
from lmtp.directory.users_file import UsersFileOptions
from lmtp.protocol.extensions import EXTENSIONS, STANDARD, Demand, check_keywords
from lmtp.protocol.limits import Leniency, Limits
from lmtp.stores.paths import PathTemplate

OFFERED: Final = tuple(extension.keyword for extension in EXTENSIONS if extension.keyword in STANDARD | {"REQUIRETLS"})
"""The extensions that are offered unless somebody says otherwise."""
NEVER_OFFERED: Final[Mapping[str, str]] = {
    "DSN": "who offers it must send reports, and there is no queue for them",
    "BINARYMIME": "a Maildir has LF line ends, so not all octets would be kept",
    "DELIVERBY": "a message is delivered at once or not at all",
    "IGNOREQUOTA": "there are no quotas",
    "STARTTLS": "it comes with the table [tls]",
    "AUTH": "it comes with the table [auth]",
    "XCLIENT": "who may use it is said by access.xclient",
    "XFORWARD": "who may use it is said by access.xforward",
    "TRACE": "who may use it is said by access.trace",
}
"""Extensions of the engine that this programme can't offer to everybody, and why."""

_FlagT = TypeVar("_FlagT", bound=enum.Flag)

Where = tuple[str | int, ...]
"""A key as the names and list indices that lead to it."""


def _read_endpoint(value: object) -> Endpoint:
    return parse_endpoint(_without_nul(_text(value)))


def _read_leniency(value: object) -> Leniency:
    return _read_flags(Leniency, value)


def _read_demands(value: object) -> Demand:
    return _read_flags(Demand, value)


def _read_flags(kind: type[_FlagT], value: object) -> _FlagT:
    if not isinstance(value, list):
        raise ValueError(f"expected a list, not {value!r}")  # noqa: TRY004 - pydantic gathers ValueErrors alone
    known = {str(member.name).lower(): member for member in kind}
    unknown = [name for name in value if not (isinstance(name, str) and name in known)]
    if unknown:
        raise ValueError(f"expected some of {', '.join(map(repr, known))}, not {unknown[0]!r}")
    return reduce(or_, (known[name] for name in value), kind(0))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, not {value!r}")  # noqa: TRY004 - pydantic gathers ValueErrors alone
    return value


def _without_nul(text: str) -> str:
    # The C library ends a path there, so Python refuses it, but only when the path is first used.
    if "\0" in text:
        raise ValueError(f"expected a path without NUL, not {text!r}")
    return text


def _some(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    if not endpoints:
        raise ValueError("expected at least one endpoint")
    return endpoints


def _at_least_one(number: int) -> int:
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def _peers(rules: tuple[str, ...]) -> tuple[str, ...]:
    Peers.parse(rules)
    return rules


def _extensions(keywords: tuple[str, ...]) -> tuple[str, ...]:
    check_keywords(frozenset(keywords))
    for keyword in keywords:
        if reason := NEVER_OFFERED.get(keyword):
            raise ValueError(f"{keyword} can't be offered here: {reason}")
    return keywords


def _mechanisms(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in MECHANISMS:
            raise ValueError(f"expected some of {', '.join(MECHANISMS)}, not {name!r}")
    return names


def _template(text: str) -> str:
    return PathTemplate(text).text


def _permissions(mode: int) -> int:
    if not 0 <= mode <= 0o777:
        raise ValueError(f"expected permission bits such as 0o600, not {mode}")
    return mode


PeerRules = Annotated[tuple[str, ...], AfterValidator(_peers)]
Count = Annotated[int, AfterValidator(_at_least_one)]
Mode = Annotated[int, AfterValidator(_permissions)]
PathText = Annotated[str, AfterValidator(_without_nul)]
Endpoints = Annotated[tuple[Annotated[Endpoint, PlainValidator(_read_endpoint)], ...], AfterValidator(_some)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """
    The table ``[auth]``: how clients prove who they are.

    Raises:
        ValueError: nobody could.
    """

    passwords: PathText = ""
    """A file of users and what is stored of their passwords, one ``name:{SCHEME}hash`` a line; empty for none."""
    mechanisms: Annotated[tuple[str, ...], AfterValidator(_mechanisms)] = MECHANISMS
    """The SASL mechanisms that may be offered; PLAIN is only where nobody can listen."""
    external_identities: tuple[str, ...] = ()
    """Whom a client certificate or a Unix user lets in by EXTERNAL, as patterns: mx.example.org, uid:1000."""
    salt_secret: str = ""
    """What the salts are made from that strangers are shown; processes that share the passwords need the same."""

    def __post_init__(self) -> None:
        if not (self.passwords or self.external_identities):
            raise ValueError("passwords must be given, or external_identities: else nobody can authenticate")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """
    The table ``[access]``: who may do what, as networks, unix, uid:NAME, gid:NAME or certificate:NAME.
    """

    connect: PeerRules = ()
    """Who may open a session; empty: whoever can reach an endpoint."""
    proxy: PeerRules = ()
    """Whose connections begin with a PROXY header, of version 1 or 2."""
    xclient: PeerRules = ()
    """Who may say by XCLIENT whom it stands for."""
    xforward: PeerRules = ()
    """Who may say by XFORWARD where a message comes from."""
    trace: PeerRules = ()
    """Who may say by TRACE what the log is to call a session besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirSettings:
    """
    The table ``[maildir]``: where mail lands.
    """

    root: PathText = "mail"
    """The folder under which all Maildirs are; made when it is missing."""
    template: Annotated[str, AfterValidator(_template)] = PathTemplate().text
    """The path of an account's Maildir below the root, of {domain}, {local_part} and text."""
    file_mode: Mode = 0o600
    """Permission bits of a message."""
    folder_mode: Mode = 0o700
    """Permission bits of the folders that are made, the parents of a Maildir included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    All that can be set.

    Raises:
        ValueError: everyone would be accepted from everywhere, or a table is missing that others need.
    """

    listen: Endpoints = (TcpEndpoint("127.0.0.1", 2424),)
    """Where to listen: host:port or [v6-address]:port, ,tls behind it; unix:/path, ,mode= ,owner= ,group= behind it."""
    server_name: str = ""
    """Our name in greetings and trace fields; empty for the machine's own."""
    log_format: LogFormat = LogFormat.AUTO
    """How log lines look; auto is pretty on a terminal and logfmt elsewhere."""
    log_level: LogLevel = LogLevel.INFO
    """The least level that is logged; debug adds sessions as they come and go."""
    connections: Count = 2000
    """Connections at once; more are answered 421."""
    memory_bytes: Count = 64 * 1024 * 1024
    """Content that all sessions together keep in memory; the rest is kept in files."""
    spool_threshold_bytes: Count = 256 * 1024
    """Content that one transaction keeps in memory at the most."""
    spool_folder: PathText = ""
    """Where the files are made; empty for the system's own choice."""
    leniency: Annotated[Leniency, PlainValidator(_read_leniency)] = Leniency.NONE
    """Departures from the grammar that are let pass."""
    extensions: Annotated[tuple[str, ...], AfterValidator(_extensions)] = OFFERED
    """The service extensions that are offered; STARTTLS, AUTH, XCLIENT, XFORWARD and TRACE have tables of their own."""
    demands: Annotated[Demand, PlainValidator(_read_demands)] = Demand.NOTHING
    """What a client must have done before it may deliver."""
    tls: TlsSettings | None = None
    """The certificate, if STARTTLS is to be offered or an endpoint to begin with TLS."""
    auth: AuthSettings | None = None
    """How clients prove who they are; without it AUTH is not offered."""
    access: AccessSettings = field(default_factory=AccessSettings)
    """Who may do what."""
    limits: Limits = field(default_factory=Limits)
    """How much a client may ask of a session."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    """How long is waited for whom."""
    maildir: MaildirSettings = field(default_factory=MaildirSettings)
    """Where mail lands."""
    users: UsersFileOptions | None = None
    """Who gets mail here; without it everyone does, which only this machine may be offered."""

    def __post_init__(self) -> None:
        encrypted = [str(endpoint) for endpoint in self.listen if getattr(endpoint, "is_tls", False)]
        if self.tls is None and (encrypted or Demand.TLS in self.demands):
            raise ValueError(f"tls must be given: {encrypted[0] if encrypted else 'demands'} wants a certificate")
        if self.auth is None and Demand.AUTHENTICATION in self.demands:
            raise ValueError("auth must be given: demands wants somebody to authenticate")
        far = [str(endpoint) for endpoint in self.listen if not endpoint.is_local]
        if self.users is None and far:
            raise ValueError(
                f"users must be set: without a users file everyone is accepted, and others than this machine "
                f"can reach {', '.join(far)}"
            )


_ADAPTER: Final = TypeAdapter(Settings)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    A value that can't be used.
    """

    where: Where
    """The key."""
    text: str
    """What was expected."""


def validate(data: Mapping[str, Any]) -> tuple[Settings | None, list[Fault]]:
    """
    Make settings of what a file said; None, and all faults, when some of it can't be used.
    """
    # As JSON, strictly: a table may become a dataclass and text a path, but no text a number and no truth an integer.
    try:
        return _ADAPTER.validate_json(json.dumps(data, default=str), strict=True), []
    except ValidationError as error:
        return None, list(_faults(error))


def _faults(error: ValidationError) -> Iterator[Fault]:
    for details in error.errors(include_url=False):
        where = details["loc"]
        match details["type"]:
            case "value_error":
                yield _named(where, str(details["ctx"]["error"]))
            case "missing":
                yield Fault(where, "must be given")
            case _:
                yield Fault(where, f"expected {_words(where)}, not {details['input']!r:.60}")


def _words(where: Where) -> str:
    *tables, name = [part for part in where if isinstance(part, str)]
    return words_for(_section(tuple(tables)), name)


def _named(where: Where, text: str) -> Fault:
    """
    Return the fault of a whole table as that of the key its text begins with, as in ``recipients must be …``.
    """
    section = _section(where)
    name, _, rest = text.partition(" ")
    if section is not None and name in {field.name for field in fields(section)}:
        return Fault((*where, name), rest)
    return Fault(where, text)


def _section(where: Where) -> Any:  # noqa: ANN401 - any dataclass
    """
    Return the dataclass at a table, None when there is a value.
    """
    section: type | None = Settings
    for part in where:
        section = section_at(section, part) if section and isinstance(part, str) else None
    return section
