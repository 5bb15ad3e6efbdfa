# SPDX-License-Identifier: Apache-2.0
"""
The commands of a session as values.

Not here: how they are read (parser.py, and extensions.py for those that are not always there), whether one may come
now (phases.py) or is granted (server.py). RFC 5321 §4.1.1, RFC 2033 §4.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lmtp.protocol.address import ForwardPath, ReversePath
from lmtp.protocol.parameters import MailParameters, RcptParameters


@dataclass(frozen=True, slots=True)
class Greet:
    """
    LHLO, or EHLO in SMTP: the client says who it is.
    """

    client_name: str
    """A domain or an address literal."""


@dataclass(frozen=True, slots=True)
class Mail:
    """
    MAIL FROM: a transaction begins.
    """

    reverse_path: ReversePath
    """Whom failures are reported to."""
    parameters: MailParameters = field(default_factory=MailParameters)
    """What came behind it."""


@dataclass(frozen=True, slots=True)
class Rcpt:
    """
    RCPT TO: one recipient more.
    """

    forward_path: ForwardPath
    """Whom the message is for."""
    parameters: RcptParameters = field(default_factory=RcptParameters)
    """What came behind it."""


@dataclass(frozen=True, slots=True)
class Data:
    """
    DATA: the content follows.
    """


@dataclass(frozen=True, slots=True)
class Bdat:
    """
    BDAT: a chunk of the content follows (RFC 3030 §2).
    """

    size_bytes: int
    """Octets that follow the command line."""
    is_last: bool
    """The content is complete with them."""


@dataclass(frozen=True, slots=True)
class Rset:
    """
    RSET: forget the transaction.
    """


@dataclass(frozen=True, slots=True)
class Noop:
    """
    NOOP: nothing.
    """


@dataclass(frozen=True, slots=True)
class Vrfy:
    """
    VRFY: does somebody live here?
    """


@dataclass(frozen=True, slots=True)
class Help:
    """
    HELP: what can be said?
    """


@dataclass(frozen=True, slots=True)
class Quit:
    """
    QUIT: goodbye.
    """


@dataclass(frozen=True, slots=True)
class StartTls:
    """
    STARTTLS: encrypt what follows (RFC 3207 §4).
    """


@dataclass(frozen=True, slots=True)
class Auth:
    """
    AUTH: the client proves who it is (RFC 4954 §4).
    """

    mechanism: str
    """The SASL mechanism, in capitals."""
    initial: bytes | None = field(default=None, repr=False)
    """The initial response in base64; None when there is none, ``=`` when it is empty."""


@dataclass(frozen=True, slots=True)
class Xclient:
    """
    XCLIENT: a proxy says whom it stands for.
    """

    attributes: Mapping[str, str | None]
    """What it says, by name in capitals; None for what it does not know."""


@dataclass(frozen=True, slots=True)
class Xforward:
    """
    XFORWARD: a content filter says where it had the next message from.
    """

    attributes: Mapping[str, str | None]
    """What it says, by name in capitals; None for what it does not know."""


@dataclass(frozen=True, slots=True)
class Trace:
    """
    TRACE: what the log is to call this session besides.
    """

    trace_id: str
    """A word of the client's."""


Command = (
    Greet | Mail | Rcpt | Data | Bdat | Rset | Noop | Vrfy | Help | Quit | StartTls | Auth | Xclient | Xforward | Trace
)
"""Everything a client may say."""
