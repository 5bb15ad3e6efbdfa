# SPDX-License-Identifier: Apache-2.0
"""
A recorded run of the server: what strace saw it do to files and say to clients, as steps of a small vocabulary.

A call that took time is taken at its cautious end: a sync covers what was done before it began and holds from
when it ended; an acknowledgement counts from when its sending began; anything else from when it ended.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

OPTIONS: Final = ("-D", "-f", "-y", "-s", "4096", "--seccomp-bpf", "-e", "signal=none")
"""``-D`` leaves the server our own child, ``-y`` shows the path of each descriptor."""
CALLS: Final = (
    "open,openat,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,sendto,sendmsg,"
    "fsync,fdatasync,io_submit,io_getevents,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
)


@dataclass(frozen=True, slots=True)
class Create:
    """
    A file was opened that is created when it does not exist.
    """

    path: str


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """
    A folder was made.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Write:
    """
    Octets were added to a file.
    """

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Link:
    """
    A file got a second name.
    """

    path: str
    new_path: str


@dataclass(frozen=True, slots=True)
class Rename:
    """
    A file got another name.
    """

    path: str
    new_path: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """
    A name was taken away.
    """

    path: str


@dataclass(frozen=True, slots=True)
class SyncStart:
    """
    A file or a folder began to be synced, by a thread or by the kernel for one.
    """

    key: str
    path: str


@dataclass(frozen=True, slots=True)
class SyncEnd:
    """
    It succeeded.
    """

    key: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """
    A client was told ``250 2.0.0`` for a recipient.
    """

    recipient: str


Step = Create | MakeFolder | Write | Link | Rename | Unlink | SyncStart | SyncEnd | Acknowledge

_LINE: Final = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\((?P<arguments>.*)")
_RESUMED: Final = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)")
_RESULT: Final = re.compile(r"\) += (?P<result>\d+)(?:<.*>)?$")
_UNFINISHED: Final = "<unfinished ...>"
_DESCRIPTOR: Final = re.compile(r"\d+<(?P<path>[^>]*)>")
_PATH: Final = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<folder>[^>]*)>, )?"(?P<path>[^"]*)"')
_QUEUE: Final = re.compile(r"0x[0-9a-f]+")
_REQUEST: Final = re.compile(r"aio_data=(?P<data>\w+), aio_lio_opcode=IOCB_CMD_FSYNC, aio_fildes=\d+<(?P<path>[^>]*)>")
_EVENT: Final = re.compile(r"data=(?P<data>\w+), obj=\w+, res=0,")
_ACKNOWLEDGEMENT: Final = re.compile(r"250 2\.0\.0 <([^>]+)>")


def read(recording: Path) -> Iterator[Step]:
    """
    Read what strace wrote with ``-o`` and `OPTIONS`.
    """
    with recording.open(encoding="utf-8", errors="replace") as lines:
        yield from steps_of(lines)


def has_ended(recording: Path, process: int) -> bool:
    """
    Say whether the recording goes on to the end of a process.
    """
    end = re.compile(rf"^{process} +\+\+\+ exited", re.MULTILINE)
    return end.search(recording.read_text(errors="replace")) is not None


def steps_of(lines: Iterable[str]) -> Iterator[Step]:
    """
    Turn strace's lines into steps, in the order in which they count.
    """
    unfinished: dict[str, str] = {}
    for line in lines:
        if resumed := _RESUMED.match(line):
            arguments = unfinished.pop(resumed["thread"], "") + resumed["rest"]
            yield from _ended(resumed["thread"], resumed["call"], arguments)
        elif found := _LINE.match(line):
            thread, call, arguments = found["thread"], found["call"], found["arguments"]
            yield from _began(thread, call, arguments)
            if arguments.endswith(_UNFINISHED):
                unfinished[thread] = arguments.removesuffix(_UNFINISHED)
            else:
                yield from _ended(thread, call, arguments)


def _began(thread: str, call: str, arguments: str) -> Iterator[Step]:
    if call in {"fsync", "fdatasync"}:
        yield SyncStart(thread, _descriptor(arguments))
    elif call == "io_submit":
        for request in _REQUEST.finditer(arguments):
            yield SyncStart(f"{_queue(arguments)} {request['data']}", request["path"])
    elif call in {"write", "writev", "sendto", "sendmsg"} and not _descriptor(arguments).startswith("/"):
        yield from map(Acknowledge, _ACKNOWLEDGEMENT.findall(arguments))


def _ended(thread: str, call: str, arguments: str) -> Iterator[Step]:
    result = _RESULT.search(arguments)
    if result is None:
        return
    yield from _synced(thread, call, arguments)
    match call:
        case "open" | "openat" | "creat" if "O_CREAT" in arguments or call == "creat":
            yield Create(_paths(arguments)[0])
        case "mkdir" | "mkdirat":
            yield MakeFolder(_paths(arguments)[0])
        case "write" | "writev" | "pwrite64" | "pwritev":
            yield Write(_descriptor(arguments), int(result["result"]))
        case "rename" | "renameat" | "renameat2":
            yield Rename(*_paths(arguments)[:2])
        case "link" | "linkat":
            yield Link(*_paths(arguments)[:2])
        case "unlink" | "unlinkat":
            yield Unlink(_paths(arguments)[0])


def _synced(thread: str, call: str, arguments: str) -> Iterator[Step]:
    if call in {"fsync", "fdatasync"}:
        yield SyncEnd(thread)
    elif call == "io_getevents":
        for event in _EVENT.finditer(arguments):
            yield SyncEnd(f"{_queue(arguments)} {event['data']}")


def _descriptor(arguments: str) -> str:
    """
    Return the path behind the first argument; of a socket, what strace calls it.
    """
    found = _DESCRIPTOR.match(arguments)
    return found["path"] if found else ""


def _queue(arguments: str) -> str:
    """
    Return the kernel queue that is the first argument.
    """
    found = _QUEUE.match(arguments)
    return found[0] if found else ""


def _paths(arguments: str) -> list[str]:
    """
    Return the paths among the arguments, each from the folder it is relative to.
    """
    return [str(PurePath(found["folder"] or "", found["path"])) for found in _PATH.finditer(arguments)]
