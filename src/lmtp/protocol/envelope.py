# SPDX-License-Identifier: Apache-2.0
"""
The envelope of a transaction: reverse-path, parameters, and the recipients with what became of each.

Made and filled by the engine; whoever delivers calls `Recipient.settle`, exactly once for each recipient.
RFC 5321 §2.3.1, RFC 2033 §4.2.
"""

from collections.abc import Callable

from lmtp.protocol.address import ForwardPath, ReversePath
from lmtp.protocol.ledger import Slot
from lmtp.protocol.outcome import Accepted, Outcome, Refusal, Verdict
from lmtp.protocol.parameters import MailParameters, RcptParameters


class Recipient:
    """
    One RCPT command; once accepted it owes the client exactly one reply after the content.

    The same forward-path given twice makes two recipients (RFC 2033 §4.2), so they compare by identity.
    """

    __slots__ = ("_settle", "forward_path", "is_abandoned", "outcome", "parameters", "slot", "verdict")

    def __init__(
        self,
        forward_path: ForwardPath,
        slot: Slot,
        settle: Callable[["Recipient", Outcome], None],
        parameters: RcptParameters = RcptParameters(),  # noqa: B008 - frozen
    ) -> None:
        self.forward_path = forward_path
        """Whom the client wants the message to go to."""
        self.parameters = parameters
        """What came with the RCPT command."""
        self.slot = slot
        """Where the next reply that concerns this recipient belongs; the engine's own business."""
        self.verdict: Verdict | None = None
        """What was said at RCPT; None while nobody has decided."""
        self.outcome: Outcome | None = None
        """What became of it after the content; None while nobody has settled it."""
        self.is_abandoned = False
        """Its client was answered without waiting any longer for whoever was to settle it."""
        self._settle = settle

    def __repr__(self) -> str:
        return f"Recipient({self.forward_path})"

    @property
    def account(self) -> object:
        """
        Whatever came with the `Accepted`.
        """
        return self.verdict.account if isinstance(self.verdict, Accepted) else None

    def settle(self, outcome: Outcome) -> None:
        """
        Say what became of the message for this recipient; its reply leaves as soon as those before it are known.

        Too late for a recipient that was abandoned: the client has been told to try again, so nothing happens.

        Raises:
            LocalProtocolError: there is no content yet, it has been settled before, or this is no outcome.
        """
        if not self.is_abandoned:
            self._settle(self, outcome)

    def abandon(self, outcome: Refusal) -> None:
        """
        Settle it because nobody else will in time; whoever comes later with an outcome is not heard.

        Raises:
            LocalProtocolError: as for `settle`.
        """
        self._settle(self, outcome)
        self.is_abandoned = True


class Envelope:
    """
    Whom a message is from and whom it is for.
    """

    __slots__ = ("offered", "parameters", "reverse_path", "size_bytes")

    def __init__(self, reverse_path: ReversePath, parameters: MailParameters) -> None:
        self.reverse_path = reverse_path
        """Whom failures are reported to."""
        self.parameters = parameters
        """What came with the MAIL command."""
        self.offered: list[Recipient] = []
        """Every recipient of a well-formed RCPT, in the order of the commands, whatever was said of it."""
        self.size_bytes = 0
        """Octets of content so far: CRLFs counted, stuffed dots not (RFC 1870 §5)."""

    @property
    def recipients(self) -> list[Recipient]:
        """
        The accepted recipients, in the order of their RCPT commands.
        """
        return [recipient for recipient in self.offered if isinstance(recipient.verdict, Accepted)]

    @property
    def unsettled(self) -> list[Recipient]:
        """
        The accepted recipients that have no outcome yet.
        """
        return [recipient for recipient in self.recipients if recipient.outcome is None]
