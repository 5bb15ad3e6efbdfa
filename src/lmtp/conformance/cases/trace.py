# SPDX-License-Identifier: Apache-2.0
"""
RFC 5321 §4.4: the trace fields of what was delivered, read back.
"""

import re
from typing import Final

from lmtp.conformance import mailboxes
from lmtp.conformance.cases.data import DOT
from lmtp.conformance.model import MUST, QUALITY, SHOULD, Group
from lmtp.conformance.needs import reads, users
from lmtp.conformance.session import CLIENT_NAME, PreconditionError, Session

GROUP: Final = Group("trace", "RFC 5321 §4.4: trace fields", (users(1), reads))

_DATE: Final = re.compile(
    rb"(?:[A-Z][a-z]{2}, +)?[0-9]{1,2} +[A-Z][a-z]{2} +[0-9]{4} +[0-9:]{5,8} +[+-][0-9]{4}(?: +\(.*\))?"
)


async def _deliver(session: Session, *, header: bytes = b"", sender: str | None = None) -> bytes:
    await session.greet()
    if sender is None:
        await session.mail()
    else:
        await session.given(f"MAIL FROM:<{sender}>")
    await session.recipients(session.users[0])
    await session.given("DATA", "354")
    return (await session.delivered(header + session.message() + DOT, 1))[0]


def _own_received(copy: bytes) -> bytes:
    """
    Return the Received field the server under test added: the topmost of them.
    """
    fields = mailboxes.fields_of(copy, b"Received")
    if not fields or b"earlier.example" in fields[0]:
        raise PreconditionError("there is no Received field of this server")
    return fields[0]


@GROUP.case("TR-1", MUST, "RFC 5321 §4.4")
async def received_is_put_on_top(session: Session) -> None:
    """
    A Received field is put above all that were there, which stay.
    """
    earlier = b"Received: from a.example by earlier.example; Sat, 01 Aug 2026 12:00:00 +0000\r\n"
    fields = mailboxes.fields_of(await _deliver(session, header=earlier), b"Received")
    is_right = len(fields) >= 2 and b"earlier.example" in fields[-1] and b"earlier.example" not in fields[0]
    session.check(is_right, "a new Received field above the old one", b" / ".join(fields))


@GROUP.case("TR-2", MUST, "RFC 5321 §4.4")
async def received_names_the_client(session: Session) -> None:
    """
    The Received field has a FROM clause with the name of LHLO.
    """
    field = _own_received(await _deliver(session))
    session.check(field.lower().startswith(b"from ") and CLIENT_NAME.encode() in field, f"from {CLIENT_NAME}", field)


@GROUP.case("TR-3", MUST, "RFC 5321 §4.4, §7.6", users(2))
async def received_names_no_other_recipient(session: Session) -> None:
    """
    A FOR clause names at most the recipient of this copy.
    """
    await session.content(*session.users[:2])
    for copy in await session.delivered(session.message() + DOT, 2):
        field = _own_received(copy)
        named = [user for user in session.users[:2] if f"<{user}>".encode().lower() in field.lower()]
        session.check(len(named) <= 1, "one path at most", field)


@GROUP.case("TR-4", SHOULD, "RFC 5321 §4.4")
async def received_has_a_date_with_an_offset(session: Session) -> None:
    """
    The Received field ends in a date with a numeric offset.
    """
    field = _own_received(await _deliver(session))
    session.check(_DATE.fullmatch(field.rpartition(b";")[2].strip()), "; and a date with a numeric offset", field)


@GROUP.case("TR-5", SHOULD, "RFC 3848 §2")
async def received_says_lmtp(session: Session) -> None:
    """
    The Received field says with LMTP, and S and A for TLS and AUTH.
    """
    setup = session.server.setup
    wanted = "LMTP" + ("S" if session.server.is_encrypted else "") + ("A" if setup.credentials else "")
    field = _own_received(await _deliver(session))
    session.check(re.search(rb"\bwith %s\b" % wanted.encode(), field, re.IGNORECASE), f"with {wanted}", field)


@GROUP.case("TR-8", MUST, "RFC 5321 §4.4")
async def return_path_is_put_on_top(session: Session) -> None:
    """
    A Return-Path field with the reverse-path is put above the trace fields.
    """
    copy = await _deliver(session)
    fields = mailboxes.fields_of(copy, b"Return-Path")
    wanted = f"<{session.server.setup.sender}>".encode()
    session.check(fields[:1] == [wanted], f"Return-Path: {wanted.decode()}", b" / ".join(fields) or "none")
    header = mailboxes.header_of(copy).lower()
    session.check(header.find(b"return-path:") < header.find(b"received:"), "it above Received", header)


@GROUP.case("TR-8b", MUST, "RFC 5321 §4.4")
async def null_return_path_is_empty(session: Session) -> None:
    """
    The Return-Path of a null reverse-path is <>.
    """
    fields = mailboxes.fields_of(await _deliver(session, sender=""), b"Return-Path")
    session.check(fields[:1] == [b"<>"], "Return-Path: <>", b" / ".join(fields) or "none")


@GROUP.case("TR-9", SHOULD, "RFC 5321 §4.4")
async def one_return_path_remains(session: Session) -> None:
    """
    A Return-Path field that was there before is taken out.
    """
    fields = mailboxes.fields_of(
        await _deliver(session, header=b"Return-Path: <forged@client.example>\r\n"), b"Return-Path"
    )
    session.check(len(fields) == 1, "one Return-Path", b" / ".join(fields))


@GROUP.case("TR-10", QUALITY, "RFC 9228 §3")
async def delivered_to_names_the_recipient(session: Session) -> None:
    """
    A Delivered-To field names the recipient.
    """
    fields = mailboxes.fields_of(await _deliver(session), b"Delivered-To")
    session.check(
        fields[:1] and session.users[0].lower().encode() in fields[0].lower(), session.users[0], b" / ".join(fields)
    )


@GROUP.case("TR-12", QUALITY, "RFC 5321 §6.3")
async def forty_received_fields_are_no_loop(session: Session) -> None:
    """
    A message with 40 Received fields is not taken for a loop.
    """
    earlier = b"Received: from a.example by earlier.example; Sat, 01 Aug 2026 12:00:00 +0000\r\n"
    await session.content(session.users[0])
    await session.check_count(earlier * 40 + session.message() + DOT, 1, "2yz")
