# SPDX-License-Identifier: Apache-2.0
"""
What became of each recipient of one message, read from the log of the server that had it.

Each reader takes the log, the sender's mailbox, which no other message may have, and the recipients as they were asked
for; it returns ``delivered``, ``deferred`` or ``failed`` for each. Not here: what any client thinks of it.
"""

import itertools
import json
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Final

_BY_DIGIT: Final = {"2": "delivered", "4": "deferred", "5": "failed"}
_REFUSED: Final = "failed"


class IncompleteLogError(LookupError):
    """
    The log does not have all of it, perhaps not yet.
    """


def from_dovecot(log: str, sender: str, recipients: Sequence[str]) -> list[str]:
    """
    Read what Dovecot did for each: it numbers the recipients of a transaction, those too that it refused.

    Of those it refused it says nothing, so somebody must have been accepted, and all sessions must be over: its
    processes write in their order, though not at once. Who is asked for twice gets one copy, and shares what became of
    it. The message must have the sender's mailbox for its Message-ID.
    """
    line = (
        rf"^.* lmtp\([^)]*\)<\d+><[^:>]*(?::T\d+)?(?::R(\d+))?>: Info: msgid=<{re.escape(sender)}>: (saved|save failed)"
    )
    done = {int(number or 1): what for number, what in re.findall(line, log, re.MULTILINE)}
    if not done or log.count(": Disconnect from ") < log.count(": Connect from "):
        raise IncompleteLogError(sender)
    by_address = {recipients[number - 1]: what for number, what in done.items()}
    fates = {"saved": "delivered", "save failed": "failed", None: _REFUSED}
    return [fates[by_address.get(address)] for address in recipients]


def from_ours(log: str, sender: str, recipients: Sequence[str]) -> list[str]:
    """
    Read what our own server says became of each recipient: a line for each RCPT, in the order of the decisions.
    """
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    of_sender = [line for line in lines if line.get("from") == f"<{sender}>" and "to" in line]
    if len(of_sender) < len(recipients):
        raise IncompleteLogError(of_sender)
    outcomes = defaultdict(deque)
    for line in of_sender:
        outcomes[line["to"]].append(line["outcome"])
    return [outcomes[f"<{address}>"].popleft() for address in recipients]


def from_cyrus(log: str, sender: str, recipients: Sequence[str]) -> list[str]:
    """
    Read the replies to RCPT and to the content in Cyrus's telemetry, which is cut up as the octets came and went.
    """
    pieces = re.split(r"([<>])\d{9,}\1", log)
    said = list(itertools.pairwise(pieces[1:]))[::2]
    begin = next((at for at, (_, text) in enumerate(said) if text.startswith(f"MAIL FROM:<{sender}>")), len(said))
    return _from_replies("".join(text for mark, text in said[begin:] if mark == ">"), recipients)


def from_nodemailer(log: str, sender: str, recipients: Sequence[str]) -> list[str]:
    """
    Read the replies to RCPT and to the content in nodemailer's log.
    """
    _, _, transaction = log.partition(f"MAIL FROM:<{sender}>")
    return _from_replies("\n".join(re.findall(r"^\[.*?\] S: (.*)", transaction, re.MULTILINE)), recipients)


def _from_replies(said: str, recipients: Sequence[str]) -> list[str]:
    """
    Tell by the replies from that to MAIL on; whoever was accepted and has no reply to the content is deferred.
    """
    codes = re.findall(r"^(\d{3}) ", said, re.MULTILINE)
    to_rcpt, to_content = codes[1 : len(recipients) + 1], iter(codes[len(recipients) + 2 :])
    if len(to_rcpt) < len(recipients):
        raise IncompleteLogError(codes)
    return [_BY_DIGIT[next(to_content, "4")[0] if code[0] == "2" else code[0]] for code in to_rcpt]
