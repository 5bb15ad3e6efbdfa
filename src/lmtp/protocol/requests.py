# SPDX-License-Identifier: Apache-2.0
"""
Write commands, and say what of an envelope a server can't take.

A parameter goes out only where the server lists its extension (RFC 5321 §4.1.1.11). One that asks for something the
message can't do without makes the message impossible there instead; the others are left off, as their RFCs allow.
Not here: when a command may be sent (client.py). Pure; raises LocalProtocolError for what would not be one line.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lmtp.protocol.commands import Rcpt
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.offered import Offered
from lmtp.protocol.outcome import Failed
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import Body, ByMode, DeliverBy, Notify, OriginalRecipient, ValidSince, WhenUnsure
from lmtp.protocol.xtext import encode_xtext

MAX_LINE: Final = 512
"""Octets of a command whose arguments no extension makes room for: AUTH, XCLIENT, XFORWARD (RFC 5321 §4.5.3.1.4)."""
MAX_ATTRIBUTE: Final = 255
"""Characters of an attribute of XCLIENT or XFORWARD (Postfix, XCLIENT_README)."""

_LINE_BREAKER: Final = re.compile(rb"[\x00-\x1f\x7f]")
# What utf-8-addr-xtext writes as \x{HEX} (RFC 6533 §3)
_NO_UTF8_XCHAR: Final = re.compile(r"[^!-*,-<>-\[\]-~]")


def line(*words: bytes) -> bytes:
    """
    Return a command line.

    Raises:
        LocalProtocolError: it would not be one line: control characters from wherever the words came.
    """
    octets = b" ".join(word for word in words if word)
    if _LINE_BREAKER.search(octets):
        raise LocalProtocolError("control characters in a command")
    return octets + b"\r\n"


def mail(envelope: OutgoingEnvelope, size_bytes: int | None, offered: Offered) -> bytes:
    """
    Write MAIL with the parameters the server has offered to take.

    Args:
        envelope: The envelope.
        size_bytes: The size of the content with CRLFs; None: not known, so that what the envelope says is passed on.
        offered: What the server said of itself.
    """
    words = [b"MAIL FROM:" + _octets(str(envelope.reverse_path))]
    size_bytes = envelope.parameters.size_bytes if size_bytes is None else size_bytes
    if size_bytes is not None and "SIZE" in offered:
        words.append(b"SIZE=%d" % size_bytes)
    if "SMTPUTF8" in offered and (envelope.parameters.is_internationalized or not envelope.is_ascii):
        words.append(b"SMTPUTF8")
    body = envelope.parameters.body
    if body is not None and ("BINARYMIME" if body is Body.BINARY else "8BITMIME") in offered:
        words.append(b"BODY=" + body.value.encode("ascii"))
    return line(*words, *_written(envelope.parameters, _MAIL, offered))


def rcpt(recipient: Rcpt, offered: Offered) -> bytes:
    """
    Write RCPT with the parameters the server has offered to take.
    """
    path = b"RCPT TO:" + _octets(str(recipient.forward_path))
    return line(path, *_written(recipient.parameters, _RCPT, offered))


def chunk(size_bytes: int, *, is_last: bool) -> bytes:
    """
    Write BDAT (RFC 3030 §2).
    """
    return b"BDAT %d LAST\r\n" % size_bytes if is_last else b"BDAT %d\r\n" % size_bytes


def auth(mechanism: str, response: bytes | None) -> bytes:
    """
    Write AUTH; an initial response without octets is ``=`` (RFC 4954 §4).

    Raises:
        LocalProtocolError: the response is too long to stand there.
    """
    words = [] if response is None else [b64encode(response) or b"="]
    octets = line(b"AUTH", _ascii(mechanism), *words)
    if len(octets) > MAX_LINE:
        raise LocalProtocolError("the initial response is too long for AUTH")
    return octets


def greet(verb: str, client_name: str) -> bytes:
    """
    Write LHLO, EHLO or HELO; names are ASCII, whatever else is international (RFC 6531 §3.7.1).
    """
    return line(_ascii(verb), _ascii(client_name))


def verify(text: str, offered: Offered) -> bytes:
    """
    Write VRFY (RFC 5321 §3.5.1, RFC 6531 §3.7.4.2).

    Raises:
        LocalProtocolError: it is not ASCII, and the server does not offer SMTPUTF8.
    """
    if not text.isascii() and "SMTPUTF8" not in offered:
        raise LocalProtocolError("the server does not offer SMTPUTF8")
    return line(b"VRFY", _octets(text), b"" if text.isascii() else b"SMTPUTF8")


def attributes(verb: str, values: Mapping[str, str | None], known: tuple[str, ...]) -> Iterator[bytes]:
    """
    Yield the commands that say the attributes of a client: XCLIENT or XFORWARD.

    Args:
        verb: Which of the two.
        values: Attributes by name in capitals; None: not known. What is empty or too long is not known either.
        known: The names the server has listed; others are left off. ADDR goes last: once it is told we may be nobody
            any more who is allowed to say XCLIENT.
    """
    listed = {name.upper() for name in known}
    said = sorted((item for item in values.items() if item[0] in listed), key=lambda item: item[0] == "ADDR")
    words = [_ascii(verb)]
    for name, value in said:
        word = _attribute(name, value, MAX_LINE - len(line(words[0], b"=")))
        if len(line(*words, word)) > MAX_LINE:
            yield line(*words)
            words = words[:1]
        words.append(word)
    if len(words) > 1:
        yield line(*words)


def _attribute(name: str, value: str | None, room: int) -> bytes:
    word = _ascii(name) + b"=" + encode_xtext(value or "")
    if not value or len(value) > MAX_ATTRIBUTE or len(word) > room:
        return _ascii(name) + b"=[UNAVAILABLE]"
    return word


def obstacle(envelope: OutgoingEnvelope, size_bytes: int | None, offered: Offered) -> Failed | None:
    """
    Say why a server that offers this can't have the message at all, or None.

    Args:
        envelope: The envelope.
        size_bytes: The size of the content with CRLFs; None: not known.
        offered: What the server said of itself.
    """
    for status, why in _obstacles(envelope, size_bytes, offered):
        return Failed(status, detail=why)
    return None


def _obstacles(envelope: OutgoingEnvelope, size_bytes: int | None, offered: Offered) -> Iterator[tuple[str, str]]:
    parameters, limit = envelope.parameters, offered.size_limit_bytes
    sender, by = envelope.reverse_path.mailbox, parameters.deliver_by
    needs_utf8 = parameters.is_internationalized or (sender is not None and not sender.is_ascii)
    if needs_utf8 and "SMTPUTF8" not in offered:
        yield "5.6.7", "the server does not offer SMTPUTF8"
    if parameters.body is Body.EIGHT_BIT and "8BITMIME" not in offered:
        yield "5.6.3", "the content has octets above 127, and the server does not offer 8BITMIME"
    if parameters.body is Body.BINARY and not ("BINARYMIME" in offered and "CHUNKING" in offered):
        yield "5.6.3", "the content is binary, and the server does not offer BINARYMIME"
    if parameters.requires_tls and sender is not None and "REQUIRETLS" not in offered:
        yield "5.7.30", "the server does not offer REQUIRETLS"
    if by is not None and by.mode is ByMode.RETURN and "DELIVERBY" not in offered:
        yield "5.3.3", "the server does not offer DELIVERBY"
    if limit is not None and size_bytes is not None and size_bytes > limit:
        yield "5.3.4", f"the message has {size_bytes} octets, and the server takes {limit}"


def recipient_obstacle(recipient: Rcpt, offered: Offered) -> Failed | None:
    """
    Say why a server that offers this can't be asked for a recipient, or None.
    """
    since = recipient.parameters.valid_since
    if not recipient.forward_path.mailbox.is_ascii and "SMTPUTF8" not in offered:
        return Failed("5.6.7", detail="the server does not offer SMTPUTF8")
    if since is not None and since.when_unsure is WhenUnsure.REFUSE and "RRVS" not in offered:
        return Failed("5.7.19", detail="the server does not offer RRVS")
    return None


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise LocalProtocolError("half a surrogate pair in a command") from error


def _ascii(text: str) -> bytes:
    if not text.isascii():
        raise LocalProtocolError(f"{text!r} is not ASCII")
    return text.encode("ascii")


def _written(parameters: object, table: Mapping[str, "_Writer"], offered: Offered) -> Iterator[bytes]:
    for name, (keyword, write) in table.items():
        value = getattr(parameters, name)
        is_said = value is not None and value is not False and value != ""
        if is_said and keyword in offered:
            yield write(value)


_Writer = tuple[str, Callable[[Any], bytes]]


def _notify(notify: Notify) -> bytes:
    words = [member.name or "" for member in notify] if notify else ["NEVER"]
    return b"NOTIFY=" + ",".join(words).encode("ascii")


def _original_recipient(original: OriginalRecipient) -> bytes:
    is_utf8 = original.address_type.lower() == "utf-8"
    address = _NO_UTF8_XCHAR.sub(_escaped, original.address).encode() if is_utf8 else encode_xtext(original.address)
    return b"ORCPT=" + original.address_type.encode("ascii") + b";" + address


def _escaped(match: re.Match[str]) -> str:
    return f"\\x{{{ord(match[0]):02X}}}"


def _deliver_by(by: DeliverBy) -> bytes:
    return f"BY={by.seconds};{by.mode.value}{'T' if by.wants_trace else ''}".encode("ascii")


def _valid_since(since: ValidSince) -> bytes:
    return f"RRVS={since.moment.isoformat(timespec='seconds')};{since.when_unsure.value}".encode("ascii")


def _submitter(path: object) -> bytes:
    text = str(path)
    return b"AUTH=<>" if text == "<>" else b"AUTH=" + encode_xtext(text[1:-1])


_MAIL: Final[Mapping[str, _Writer]] = {
    "returned": ("DSN", lambda returned: b"RET=" + returned.value.encode("ascii")),
    "envelope_id": ("DSN", lambda text: b"ENVID=" + encode_xtext(text)),
    "submitter": ("AUTH", _submitter),
    "deliver_by": ("DELIVERBY", _deliver_by),
    "priority": ("MT-PRIORITY", lambda priority: b"MT-PRIORITY=%d" % priority),
    "requires_tls": ("REQUIRETLS", lambda _: b"REQUIRETLS"),
    "traceparent": ("XTRACEPARENT", lambda text: b"XTRACEPARENT=" + text.encode("ascii")),
}
_RCPT: Final[Mapping[str, _Writer]] = {
    "notify": ("DSN", _notify),
    "original_recipient": ("DSN", _original_recipient),
    "valid_since": ("RRVS", _valid_since),
    "ignores_quota": ("IGNOREQUOTA", lambda _: b"IGNOREQUOTA"),
}
