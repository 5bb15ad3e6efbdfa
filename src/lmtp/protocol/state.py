# SPDX-License-Identifier: Apache-2.0
"""
What the parts of an engine share: where the session is, what came in, what is owed, what happened.

Held by server.py and handed to its parts; nobody else sees it.
"""

from typing import TYPE_CHECKING

from lmtp.protocol import reply
from lmtp.protocol.ledger import Ledger
from lmtp.protocol.lines import LineBuffer
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.phases import SERVER, Phase, Step

if TYPE_CHECKING:
    from lmtp.protocol.events import Event


class SessionState:
    """
    The state of one session.

    Args:
        received: What came in and has not been read.
    """

    def __init__(self, received: LineBuffer) -> None:
        self.input = received
        """What came in and has not been read."""
        self.ledger = Ledger()
        """The replies owed."""
        self.events: list[Event] = []
        """What happened and has not been told."""
        self.phase = Phase.CONNECTED
        """Where the session is."""

    def phase_after(self, step: Step) -> Phase:
        """
        Say where a step leads.

        Raises:
            CommandError: it is out of place (RFC 5321 §4.1.4).
        """
        phase = SERVER.get((self.phase, step))
        if phase is None:
            raise CommandError(reply.BAD_SEQUENCE)
        return phase

    def move(self, step: Step) -> None:
        """
        Take a step.

        Raises:
            CommandError: it is out of place (RFC 5321 §4.1.4).
        """
        self.phase = self.phase_after(step)
