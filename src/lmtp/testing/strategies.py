# SPDX-License-Identifier: Apache-2.0
"""
Hypothesis strategies for the words of the protocol: addresses, envelopes, contents, and ways to cut octets.

What they make is valid unless the name says otherwise, and written by the same values the engine reads.
Not here: what a session does with it. Importing this needs hypothesis, which no installation of lmtp brings.
RFC 5321 §4.1.2, §4.1.3, §4.5.2.
"""

from typing import Final, TypeVar

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError("lmtp.testing.strategies needs hypothesis: python -m pip install hypothesis") from error

from lmtp.protocol.address import ForwardPath, Mailbox, ReversePath

_Path = TypeVar("_Path", bound=ReversePath | ForwardPath)

_ATEXT: Final = "abcXYZ019!#$%&'*+-/=?^_`{|}~"
_LET_DIG: Final = "abcXYZ019"
_LETTERS: Final = "äßçŁяあ漢𝄞"
_QUOTABLE: Final = [chr(code) for code in range(0x20, 0x7F)]
_TRICKY: Final = [
    b"\r",
    b"\n",
    b"\r\n",
    b".",
    b"..",
    b"\0",
    b"\r\n.",
    b".\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\xff",
    b"text",
]


def local_parts() -> st.SearchStrategy[str]:
    """
    Make local parts as they are meant, without quotes: atoms with dots, and whatever only quotes can hold.
    """
    dotted = st.lists(st.text(_ATEXT, min_size=1, max_size=12), min_size=1, max_size=4).map(".".join)
    return dotted | st.text(_QUOTABLE, max_size=24)


def domains() -> st.SearchStrategy[str]:
    """
    Make domains and address literals.
    """
    labels = st.builds(
        lambda first, inner, last: first + inner + last,
        st.sampled_from(_LET_DIG),
        st.text(_LET_DIG + "-", max_size=8),
        st.sampled_from(_LET_DIG),
    )
    names = st.lists(labels, min_size=1, max_size=4).map(".".join)
    return names | st.ip_addresses(v=4).map("[{}]".format) | st.ip_addresses(v=6).map("[IPv6:{}]".format)


def mailboxes() -> st.SearchStrategy[Mailbox]:
    """
    Make mailboxes.
    """
    return st.builds(Mailbox, local_parts(), domains())


def reverse_paths() -> st.SearchStrategy[ReversePath]:
    """
    Make reverse-paths, the null one among them.
    """
    return st.builds(ReversePath, st.none() | mailboxes())


def forward_paths() -> st.SearchStrategy[ForwardPath]:
    """
    Make forward-paths, the bare postmaster among them.
    """
    postmasters = st.sampled_from(["postmaster", "Postmaster", "POSTMASTER"])
    return st.builds(ForwardPath, mailboxes() | st.builds(Mailbox, postmasters, st.just("")))


def international(paths: st.SearchStrategy[_Path]) -> st.SearchStrategy[_Path]:
    """
    Make paths whose local parts and domains may have UTF-8, out of paths that have none (RFC 6531 §3.3).
    """
    return st.builds(_with_utf8, paths, st.text(_LETTERS, max_size=4), st.text(_LETTERS, max_size=4))


def _with_utf8(path: _Path, before: str, behind: str) -> _Path:
    if path.mailbox is None or path.mailbox.domain.startswith("[") or not path.mailbox.domain:
        return path
    return type(path)(Mailbox(before + path.mailbox.local_part, path.mailbox.domain + behind))


def envelopes(*, max_recipients: int = 5) -> st.SearchStrategy[tuple[ReversePath, list[ForwardPath]]]:
    """
    Make what MAIL and RCPT say: a reverse-path and one or more forward-paths, some of them given twice.
    """
    distinct = st.lists(forward_paths(), min_size=1, max_size=max_recipients)
    repeated = distinct.flatmap(lambda paths: st.lists(st.sampled_from(paths), min_size=1, max_size=max_recipients))
    return st.tuples(reverse_paths(), distinct | repeated)


def contents() -> st.SearchStrategy[bytes]:
    """
    Make contents as a conforming client means them: lines that end with CRLF and have no other CR or LF, and no NUL.
    """
    octets = st.binary(max_size=40) | st.sampled_from([b"", b".", b"..", b".text", b"Subject: hi"])
    lines = octets.map(lambda line: line.translate(None, b"\r\n\0") + b"\r\n")
    return st.lists(lines, max_size=8).map(b"".join)


def wild_octets() -> st.SearchStrategy[bytes]:
    """
    Make octets that look for the seams of a reader: stray CR and LF, dots, NUL, ends of content that are none.
    """
    return st.lists(st.sampled_from(_TRICKY) | st.binary(max_size=4), max_size=16).map(b"".join)


def transmitted(content: bytes) -> bytes:
    """
    Return the octets that carry a content: one dot more before each that begins a line, and CRLF.CRLF (§4.5.2).
    """
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def chunkings(octets: bytes, *, max_chunks: int = 12) -> st.SearchStrategy[list[bytes]]:
    """
    Make ways to cut octets into pieces, as a network might.
    """
    offsets = st.lists(st.integers(0, len(octets)), max_size=max_chunks - 1).map(sorted)
    return offsets.map(lambda cuts: [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)])
