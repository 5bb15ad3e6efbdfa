# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §4.1.1.4: nothing but CRLF.CRLF ends a content, or a second message is smuggled in with the first.

Each case sends a content with something that looks like an end, a command behind it, and then the true end. A server
that was taken in answers the command, and so gives a reply too many (CVE-2023-51764, -51765, -51766).
"""

from typing import Final

from lmtp.conformance.cases.data import DOT
from lmtp.conformance.model import MUST, Group, Run
from lmtp.conformance.needs import delivers, reads, users
from lmtp.conformance.session import Session
from lmtp.conformance.transcript import printable

GROUP: Final = Group("smuggling", "RFC 5321 §4.1.1.4: what does not end a content")

_FALSE_ENDS: Final = (
    ("TX-4", b"\n.\n"),
    ("TX-4b", b"\n.\r\n"),
    ("TX-4c", b"\r\n.\n"),
    ("TX-11", b"\r.\r"),
    ("TX-11b", b"\r\n.\r"),
    ("TX-11c", b"\r.\r\n"),
    ("TX-11d", b"\n.\r"),
    ("TX-11e", b"\r\n.\r\r\n"),
    ("TX-11f", b"\r\n\0.\r\n"),
    ("TX-11g", b"\r\n.\0\r\n"),
    ("TX-11h", b"\r\r\n.\r\r\n"),
)


def _is_no_end(octets: bytes) -> Run:
    async def run(session: Session) -> None:
        await session.content(session.users[0])
        await session.check_count(session.message(b"text" + octets + b"NOOP\r\n") + DOT, 1)

    return run


for _id, _octets in _FALSE_ENDS:
    _sentence = f"{printable(_octets)} does not end the content"
    GROUP.case(_id, MUST, "RFC 5321 §4.1.1.4", users(1), delivers, sentence=_sentence)(_is_no_end(_octets))


@GROUP.case("TX-10", MUST, "RFC 5321 §4.1.1.4", users(1), reads)
async def no_second_message_is_smuggled_in(session: Session) -> None:
    """
    A transaction hidden behind LF.CRLF in a content does not become a message.
    """
    sender, user = session.server.setup.sender.encode(), session.users[0].encode()
    hidden = b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (sender, user) + session.message(b"smuggled\r\n")
    await session.content(session.users[0])
    await session.end_content(session.message(b"text\n.\r\n" + hidden) + DOT)
    smuggled = [copy for copy in session.landed() if b"text" not in copy]
    session.check(not smuggled, "one message at most", b" ".join(smuggled))
