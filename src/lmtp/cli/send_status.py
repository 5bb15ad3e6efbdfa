# SPDX-License-Identifier: Apache-2.0
"""
With which status `lmtp send` ends: sysexits.h by what became of the recipients.

A mail server that runs it in a pipe knows these numbers: 75 keeps the message in its queue, nearly all others return
it to its sender. So what is the fault of nobody but this machine is 75 too, whatever else sysexits.h has for it.
Pure. RFC 3463 §3.
"""

import os
from collections.abc import Iterable
from typing import Final

from lmtp.protocol.results import Point, Result

INTERRUPTED: Final = 130
"""What shells say of a command that SIGINT has ended."""

STATUSES: Final = (
    (os.EX_OK, "All was delivered, or there was nothing to send."),
    (os.EX_USAGE, "The command line can't be read, or an address on it is none."),
    (os.EX_DATAERR, "The server does not want that content or that sender: 5.6.z, 5.1.7, 5.1.8, too big."),
    (os.EX_NOINPUT, "A message could not be read, or is empty."),
    (os.EX_NOUSER, "There is no such recipient: 5.1.z."),
    (os.EX_NOHOST, "There is no such domain there: 5.1.2."),
    (os.EX_UNAVAILABLE, "It failed for another reason, such as a full mailbox, or for several."),
    (os.EX_TEMPFAIL, "Try again: a recipient was deferred, nobody answered, or this machine was in the way."),
    (os.EX_PROTOCOL, "The server did not understand, or would not have, a command: 5.5.z."),
    (os.EX_NOPERM, "The server does not let us: 5.7.z."),
    (INTERRUPTED, "It was interrupted."),
)
"""Every exit status, and what it says."""

_BY_STATUS: Final = {
    "5.1.2": os.EX_NOHOST,
    "5.1.7": os.EX_DATAERR,
    "5.1.8": os.EX_DATAERR,
    "5.2.3": os.EX_DATAERR,
    "5.3.4": os.EX_DATAERR,
}
_BY_SUBJECT: Final = {
    "5.1": os.EX_NOUSER,
    "5.5": os.EX_PROTOCOL,
    "5.6": os.EX_DATAERR,
    "5.7": os.EX_NOPERM,
}
# For servers that give no enhanced status (RFC 5321 §4.2.2)
_BY_CODE: Final = {
    500: os.EX_PROTOCOL,
    501: os.EX_PROTOCOL,
    502: os.EX_PROTOCOL,
    503: os.EX_PROTOCOL,
    504: os.EX_PROTOCOL,
    530: os.EX_NOPERM,
    535: os.EX_NOPERM,
    555: os.EX_PROTOCOL,
}
_NO_MAILBOX: Final = frozenset({550, 551, 553})


def status_of(result: Result) -> int:
    """
    Return the exit status one recipient's result stands for.
    """
    if not result.is_failed:
        return os.EX_TEMPFAIL if result.is_deferred else os.EX_OK
    status = result.outcome.status
    if status == "5.0.0" and result.reply is not None:
        if result.point is Point.RCPT and result.reply.code in _NO_MAILBOX:
            return os.EX_NOUSER
        return _BY_CODE.get(result.reply.code, os.EX_UNAVAILABLE)
    return _BY_STATUS.get(status) or _BY_SUBJECT.get(status.rpartition(".")[0], os.EX_UNAVAILABLE)


def status_of_all(statuses: Iterable[int]) -> int:
    """
    Return the exit status of several: try again before all else, then the one cause, or that there are several.
    """
    causes = set(statuses) - {os.EX_OK}
    if os.EX_TEMPFAIL in causes:
        return os.EX_TEMPFAIL
    if len(causes) > 1:
        return os.EX_UNAVAILABLE
    return causes.pop() if causes else os.EX_OK
