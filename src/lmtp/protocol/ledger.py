# SPDX-License-Identifier: Apache-2.0
"""
The replies a session owes, in the order in which they must leave.

Each command opens a slot; slots may be filled in any order, replies leave in the order of the slots, each as soon as
it and all before it are known (RFC 2033 §5, RFC 2920 §3.2).
"""

from collections import deque
from typing import Final

from lmtp.protocol.reply import Reply

MAX_READY: Final = 64 * 1024
"""Octets of replies from which on nothing more is answered until they have been taken: a client that asks and does not
read would have us keep a hundred octets for each eight of its own."""


class Slot:
    """
    The place of one reply.
    """

    __slots__ = ("is_released", "reply")

    def __init__(self) -> None:
        self.reply: Reply | None = None
        """The reply, once it is known."""
        self.is_released = False
        """The reply may be sent: all before it are known."""


class Ledger:
    """
    The replies owed and those ready to be sent.
    """

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self._output = bytearray()

    @property
    def owed(self) -> int:
        """
        How many replies can't be sent yet.
        """
        return len(self._slots)

    @property
    def is_full(self) -> bool:
        """
        There is so much to be sent that no more should be added.
        """
        return len(self._output) >= MAX_READY

    def open(self) -> Slot:
        """
        Owe one reply more, to be filled later.
        """
        slot = Slot()
        self._slots.append(slot)
        return slot

    def fill(self, slot: Slot, reply: Reply) -> None:
        """
        Give a slot its reply; whatever can leave now is released.
        """
        slot.reply = reply
        while self._slots and (head := self._slots[0].reply) is not None:
            self._slots.popleft().is_released = True
            self._output += bytes(head)

    def add(self, reply: Reply) -> None:
        """
        Owe a reply that is known already.
        """
        if self._slots:
            self.fill(self.open(), reply)
        else:
            self._output += bytes(reply)

    def take(self) -> bytes:
        """
        Return the octets that can be sent now, once.
        """
        output = bytes(self._output)
        self._output.clear()
        return output
