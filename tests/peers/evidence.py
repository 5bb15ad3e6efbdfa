# SPDX-License-Identifier: Apache-2.0
r"""
Say again, over a bare socket, what a server is accused of: ``python -m tests.peers.evidence dovecot unix:/run/lmtp``.

The sessions are in evidence/, a file for each server and a section for each case of `lmtp check` that it fails:

    # CASE: what is asked
    # The clause, what it wants, and what should have come.
    C: what is sent, with CRLF          C+ what is sent as it stands
    S: a line that comes                   (silence), or (the end): what comes instead

``\r``, ``\n``, ``\xHH`` are octets, ``{x*500}`` is 500 times x, ``...`` is whatever comes there. Lines of the client
that follow each other go out together. Nothing of lmtp takes part. Called by hand and by test_evidence.py; `read`
raises ValueError for a line that is none of these.
"""

import re
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.peers.process import connect

FOLDER: Final = Path(__file__).with_name("evidence")
"""Where the sessions are."""
PATIENCE_SECONDS: Final = 10.0
"""How long an answer may take that should come."""
SILENCE_SECONDS: Final = 0.5
"""How long nothing must come where silence is claimed; the servers answer within some milliseconds."""
SILENCE: Final = "   (silence)"
END: Final = "   (the end)"

_MARKED: Final = re.compile(rb"\{(?P<text>.+?)\*(?P<times>[0-9]+)\}|\\(?P<name>[rn])|\\x(?P<number>[0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Session:
    """
    What shows that one case is failed.
    """

    case_id: str
    """The case of `lmtp check`."""
    lines: tuple[str, ...]
    """What is said, without the remarks."""


def read(name: str) -> list[Session]:
    """
    Return the sessions with a server.

    Raises:
        ValueError: a line is neither a remark nor something said.
    """
    sections = FOLDER.joinpath(f"{name}.txt").read_text().split("\n\n")
    return [_session(section.splitlines()) for section in sections[1:]]


def _session(lines: Sequence[str]) -> Session:
    said = tuple(line for line in lines if not line.startswith("#"))
    for line in said:
        if line[:3] not in {"C: ", "C+ ", "S: "} and line not in {"C:", SILENCE, END}:
            raise ValueError(f"{lines[0]}: {line!r} is nothing that is said")
    return Session(lines[0].removeprefix("# ").partition(":")[0], said)


def octets(line: str) -> bytes:
    """
    Return what a line of the client puts on the wire.
    """
    sent = _MARKED.sub(_meant, line[3:].encode())
    return sent if line.startswith("C+") else sent + b"\r\n"


def _meant(mark: re.Match[bytes]) -> bytes:
    if mark["times"]:
        return _MARKED.sub(_meant, mark["text"]) * int(mark["times"])
    return bytes.fromhex(mark["number"].decode()) if mark["number"] else {b"r": b"\r", b"n": b"\n"}[mark["name"]]


def play(session: Session, endpoint: Path | int) -> tuple[str, ...]:
    """
    Have a session and return it as it went: line by line what is written, if that is what happened.
    """
    with connect(endpoint, timeout_seconds=PATIENCE_SECONDS) as connection:
        return tuple(_happened(session.lines, connection))


def _happened(lines: Sequence[str], connection: socket.socket) -> Iterator[str]:
    incoming = _Incoming(connection)
    waiting = b""
    for line in lines:
        if line.startswith("C"):
            waiting += octets(line)
            yield line
        else:
            if waiting:
                connection.sendall(waiting)
            waiting = b""
            came = incoming.next(SILENCE_SECONDS if line == SILENCE else PATIENCE_SECONDS)
            pattern = ".*".join(map(re.escape, line.split("...")))
            yield line if re.fullmatch(pattern, came) else came


class _Incoming:
    """
    What a server sends, line by line.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def next(self, seconds: float) -> str:
        """
        Return the next line as sessions have it, or that none came.
        """
        self._connection.settimeout(seconds)
        while b"\r\n" not in self._buffer:
            try:
                more = self._connection.recv(65536)
            except TimeoutError:
                return SILENCE
            except ConnectionResetError:
                return END
            if not more:
                return END
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        text = line.decode("ascii", "backslashreplace")
        return "S: " + (f"{text[:-1]}\\x20" if text.endswith(" ") else text)


def main(name: str, endpoint: str) -> None:
    """
    Have every session with a server and print it as it went; tell which did not go as written.
    """
    path, port = endpoint.removeprefix("unix:"), endpoint.rpartition(":")[2]
    for session in read(name):
        came = play(session, Path(path) if path != endpoint else int(port))
        verdict = "as written" if came == session.lines else "NOT as written"
        sys.stdout.write("\n".join([f"# {session.case_id}: {verdict}", *came, "\n"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
