# SPDX-License-Identifier: Apache-2.0
"""
The exchange of AUTH on the server's side: base64 one way and the other, cancelling, and what each end is answered.

A part of server.py. Not here: mechanisms and secrets; whoever holds the engine answers each response with a
`lmtp.protocol.sasl.Step`. RFC 4954 §4.
"""

import base64
import binascii
from typing import TYPE_CHECKING, Final, assert_never

from lmtp.protocol import events, reply, sasl
from lmtp.protocol.commands import Auth
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.phases import Phase
from lmtp.protocol.phases import Step as Move
from lmtp.protocol.reply import Reply
from lmtp.protocol.state import SessionState
from lmtp.protocol.status import EnhancedStatus

if TYPE_CHECKING:
    from lmtp.protocol.ledger import Slot

MAX_LINE: Final = 12_288 + 2
"""Octets of an AUTH line or of a response, with CRLF (RFC 4954 §4)."""

_CODES: Final = {"5.7.9": 534, "5.7.11": 538, "4.7.12": 432}
_DEFAULT_CODES: Final = {4: 454, 5: 535}


class Authentication:
    """
    Who the client of a session has proved to be, and the exchange by which it does.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._mechanism = ""
        self._slot: Slot | None = None
        self.identity = ""
        """Whom the client acts for; empty: it has not said, or not proved it."""
        self.failures = 0
        """How often credentials were wrong."""

    @property
    def is_client_asked(self) -> bool:
        """
        The next line is a response to a challenge.
        """
        return self._state.phase is Phase.AUTHENTICATING and self._slot is None

    def begin(self, command: Auth, mechanisms: tuple[str, ...]) -> None:
        """
        Begin an exchange.

        Raises:
            CommandError: it can't begin now (503), not with this mechanism (504), or not like this (501).
        """
        self._state.phase_after(Move.AUTH)
        if self.identity:
            raise CommandError(reply.BAD_SEQUENCE)
        if command.mechanism not in mechanisms:
            raise CommandError(reply.UNKNOWN_MECHANISM)
        response = _initial(command.initial)
        self._state.move(Move.AUTH)
        self._mechanism = command.mechanism
        self._slot = self._state.ledger.open()
        self._state.events.append(events.AuthenticationStarted(command.mechanism, response))

    def respond(self, line: bytes | Reply) -> Reply | None:
        """
        Take the client's response; return how it is refused when it is none.
        """
        if isinstance(line, Reply):
            refusal = reply.AUTHENTICATION_LINE_TOO_LONG if line == reply.LINE_TOO_LONG else line
        elif line == b"*":
            refusal = reply.AUTHENTICATION_CANCELLED
        elif (response := _decode(line)) is None:
            refusal = reply.BAD_BASE64
        else:
            self._slot = self._state.ledger.open()
            self._state.events.append(events.AuthenticationContinued(response))
            return None
        self._end(refusal)
        return refusal

    def answer(self, step: sasl.Step) -> Reply | None:
        """
        Answer the client; return the reply when the exchange has failed.

        Raises:
            LocalProtocolError: no response waits for an answer.
        """
        slot, self._slot = self._slot, None
        if slot is None:
            raise LocalProtocolError("no response waits for an answer")
        match step:
            case sasl.Challenge(octets):
                self._state.ledger.fill(slot, reply.challenge(base64.b64encode(octets).decode("ascii")))
                return None
            case sasl.Authenticated(identity):
                self.identity = identity
                self._end(reply.AUTHENTICATED, identity)
                self._state.ledger.fill(slot, reply.AUTHENTICATED)
                return None
            case sasl.Rejected(status, detail):
                answer = _rejection(EnhancedStatus(status))
                self.failures += status.startswith("5")
                self._end(answer, detail=detail)
                self._state.ledger.fill(slot, answer)
                return answer
            case _:
                assert_never(step)

    def give_up(self) -> None:
        """
        Answer a response that waits: nobody else will any more, and its client may try again elsewhere.
        """
        if self._slot is not None:
            self.answer(sasl.Rejected("4.3.2", "the session ended first"))

    def _end(self, answer: Reply, identity: str = "", detail: str = "") -> None:
        self._state.move(Move.AUTH_ENDED)
        self._state.events.append(events.AuthenticationEnded(self._mechanism, identity, answer, detail))


def _rejection(status: EnhancedStatus) -> Reply:
    return Reply(_CODES.get(status, _DEFAULT_CODES[status.category]), status, status.meaning)


def _initial(octets: bytes | None) -> bytes | None:
    if octets is None:
        return None
    response = b"" if octets == b"=" else _decode(octets)
    if response is None:
        raise CommandError(reply.BAD_BASE64)
    return response


def _decode(octets: bytes) -> bytes | None:
    try:
        return base64.b64decode(octets, validate=True)
    except binascii.Error:
        return None
