# SPDX-License-Identifier: Apache-2.0
"""
The envelope a client sends: a value, made before there is a session and kept when the session is over.

The server's `Envelope` lives as long as its transaction and is settled; this one is only said. RFC 5321 §2.3.1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from lmtp.protocol.address import ForwardPath, ReversePath
from lmtp.protocol.commands import Rcpt
from lmtp.protocol.envelope import Envelope
from lmtp.protocol.parameters import MailParameters


@dataclass(frozen=True, slots=True)
class OutgoingEnvelope:
    """
    Whom a message is from and whom it is for.
    """

    reverse_path: ReversePath
    """Whom failures are reported to."""
    recipients: tuple[Rcpt, ...]
    """A RCPT command each, in the order in which they are sent; the same mailbox twice is two recipients."""
    parameters: MailParameters = field(default_factory=MailParameters)
    """What goes with MAIL, as far as the server offers it."""

    @classmethod
    def parse(cls, reverse_path: str, *forward_paths: str, parameters: MailParameters | None = None) -> Self:
        """
        Make an envelope of addresses as people write them: ``ann@example.org``, with or without ``<>``.

        Args:
            reverse_path: The sender; ``""`` or ``<>`` is the null reverse-path.
            *forward_paths: The recipients.
            parameters: What goes with MAIL.

        Raises:
            AddressSyntaxError: one of them is no address.
        """
        recipients = tuple(Rcpt(ForwardPath.parse(_path(text), domain_optional=True)) for text in forward_paths)
        return cls(ReversePath.parse(_path(reverse_path)), recipients, parameters or MailParameters())

    @classmethod
    def relay(cls, envelope: Envelope) -> Self:
        """
        Make one of what a server has received, for those it has accepted: what a filter or a proxy sends on.
        """
        recipients = tuple(Rcpt(recipient.forward_path, recipient.parameters) for recipient in envelope.recipients)
        return cls(envelope.reverse_path, recipients, envelope.parameters)

    def only(self, indexes: Iterable[int]) -> Self:
        """
        Return the same for some of the recipients.
        """
        return replace(self, recipients=_pick(self.recipients, indexes))

    @property
    def is_ascii(self) -> bool:
        """
        No address needs SMTPUTF8.
        """
        mailboxes = [rcpt.forward_path.mailbox for rcpt in self.recipients]
        sender = self.reverse_path.mailbox
        return all(mailbox.is_ascii for mailbox in mailboxes) and (sender is None or sender.is_ascii)


def _pick(recipients: Sequence[Rcpt], indexes: Iterable[int]) -> tuple[Rcpt, ...]:
    return tuple(recipients[index] for index in indexes)


def _path(text: str) -> bytes:
    text = text.strip()
    return (text if text.startswith("<") else f"<{text}>").encode("utf-8", "surrogatepass")
