# SPDX-License-Identifier: Apache-2.0
r"""
The wire log of `lmtp send`: each line that was sent or came, as a person can read it and no terminal is harmed by it.

``1 C: LHLO client.example``: the number of the connection, who speaks, and the line, octets that are not printable
ASCII as ``\xHH``. What is secret has been masked before it comes here. Raises OSError when it can't be written.
"""

import re
from typing import Final, TextIO

_UNPRINTABLE: Final = re.compile(r"[^ -\[\]-~]")


class WireLog:
    """
    What is said on all connections, in the order in which it is said.

    Args:
        file: Where it is written.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._connections: list[Connection] = []

    def for_connection(self) -> "Connection":
        """
        Return what writes down what is said on a further connection.
        """
        connection = Connection(len(self._connections) + 1, self._file)
        self._connections.append(connection)
        return connection

    def finish(self) -> None:
        """
        Write the lines that never came to their end.
        """
        for connection in self._connections:
            connection.finish()


class Connection:
    """
    What is said on one connection.
    """

    def __init__(self, number: int, file: TextIO) -> None:
        self._client = _Speaker(f"{number} C: ", file)
        self._server = _Speaker(f"{number} S: ", file)

    def client(self, octets: bytes) -> None:
        """
        Take down what we said.
        """
        self._client.say(octets)

    def server(self, octets: bytes) -> None:
        """
        Take down what the server said.
        """
        self._server.say(octets)

    def finish(self) -> None:
        """
        Write the lines that never came to their end.
        """
        self._client.finish()
        self._server.finish()


class _Speaker:
    """
    One of the two, whose line may not be at its end yet.
    """

    def __init__(self, name: str, file: TextIO) -> None:
        self._name = name
        self._file = file
        self._rest = b""

    def say(self, octets: bytes) -> None:
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            self._tell(line)

    def finish(self) -> None:
        if self._rest:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        text = line.removesuffix(b"\r").decode("latin-1")
        self._file.write(f"{self._name}{_UNPRINTABLE.sub(_escaped, text)}\n")
        self._file.flush()


def _escaped(match: re.Match[str]) -> str:
    return "\\\\" if match[0] == "\\" else f"\\x{ord(match[0]):02x}"
