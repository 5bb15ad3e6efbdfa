# SPDX-License-Identifier: Apache-2.0
"""
The content of one transaction as it comes in: decoded, measured, and judged.

A part of server.py, which says what each recipient is told. Never raises. RFC 5321 §4.5.2, RFC 3030, RFC 1870 §6.
"""

from typing import Final

from lmtp.protocol.content import ChunkDecoder, Decoder, DotDecoder, Fault
from lmtp.protocol.envelope import Envelope
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Failed, Refusal
from lmtp.protocol.parameters import Body

_TOO_BIG: Final = Failed("5.3.4")
_STRAY_LINE_END: Final = Failed("5.6.0", "Bare CR or LF in the message")
_NUL: Final = Failed("5.6.0", "NUL in the message")
_BROKEN: Final = Failed("5.5.1", "A chunk of the message was refused before")


class Intake:
    """
    The content of one transaction.

    Args:
        envelope: The transaction's; its size grows with what comes in.
        limits: How big the content may be.
        leniency: Which octets may stand in it.
    """

    def __init__(self, envelope: Envelope, limits: Limits, leniency: Leniency) -> None:
        self._envelope = envelope
        self._max_bytes = limits.message_bytes
        self._chunks = ChunkDecoder()
        self._decoder: Decoder = DotDecoder()
        self._refused_with: Refusal | None = None
        self._is_broken = False
        self._is_last = True
        self._chunk_bytes = 0
        self._complaints = _complaints(leniency, envelope.parameters.body)

    @property
    def is_last(self) -> bool:
        """
        The content is complete when what is coming in comes to its end.
        """
        return self._is_last

    @property
    def chunk_bytes(self) -> int:
        """
        Octets of the chunk that is coming in, or of the last one.
        """
        return self._chunk_bytes

    def begin_chunk(self, size_bytes: int, *, is_last: bool) -> None:
        """
        Expect so many octets; the caller has asked `has_room_for` them.
        """
        self._decoder = self._chunks
        self._chunks.begin(size_bytes)
        self._chunk_bytes = size_bytes
        self._is_last = is_last

    def has_room_for(self, size_bytes: int) -> bool:
        """
        Say whether the content stays within the limit with so many octets more.
        """
        return self._envelope.size_bytes + size_bytes <= self._max_bytes

    def take(self, received: bytearray) -> tuple[bytes, bool]:
        """
        Take what is certain from the front of what came in.

        Returns:
            The octets that are wanted, none once the content is refused; and whether its end, or its chunk's, was
            reached.
        """
        octets, has_ended = self._decoder.decode(received)
        self._envelope.size_bytes += len(octets)
        if has_ended and self._is_last:
            self._chunks.finish()
        return (b"" if self.refusal else octets), has_ended

    def refuse(self, refusal: Refusal) -> None:
        """
        Refuse the content; the first refusal counts.
        """
        self._refused_with = self._refused_with or refusal

    def refuse_size(self) -> None:
        """
        Refuse the content because it would be too big: tomorrow as well, whatever else it was refused for.
        """
        self._refused_with = _TOO_BIG

    def break_off(self) -> None:
        """
        Note that a chunk was refused: those that still come are thrown away.
        """
        self._is_broken = True

    @property
    def refusal(self) -> Refusal | None:
        """
        Why the content is refused so far: never for what it would be refused tomorrow as well, if there is a choice.
        """
        if self._is_broken:
            return _BROKEN
        if self._envelope.size_bytes > self._max_bytes:
            return _TOO_BIG
        for fault, complaint in self._complaints:
            if fault in self._decoder.faults:
                return complaint
        return self._refused_with


def _complaints(leniency: Leniency, body: Body | None) -> tuple[tuple[Fault, Failed], ...]:
    if body is Body.BINARY:
        return ()
    complaints = (
        (Leniency.STRAY_LINE_ENDS, Fault.STRAY_LINE_END, _STRAY_LINE_END),
        (Leniency.NUL, Fault.NUL, _NUL),
    )
    return tuple((fault, complaint) for flag, fault, complaint in complaints if flag not in leniency)
