# SPDX-License-Identifier: Apache-2.0
"""
Programs that deliver one message by LMTP and end: swaks, msmtp, smtp-source, and Python's smtplib.

Each function raises `AssertionError` with the program's output when it ended with another status than 0.
"""

import smtplib
from pathlib import Path

from tests.peers.process import run
from tests.peers.programs import path_of


def swaks(endpoint: Path | int, reverse_path: str, recipient: str, content: bytes) -> str:
    """
    Deliver with swaks and return its transcript.
    """
    where = ["--server", "127.0.0.1", "--port"] if isinstance(endpoint, int) else ["--socket"]
    envelope = ["--from", reverse_path, "--to", recipient]
    command = [path_of("swaks"), "--protocol", "LMTP", *where, str(endpoint), *envelope, "--data", "-"]
    return run(command, stdin=content)


def msmtp(endpoint: Path | int, reverse_path: str, recipient: str, content: bytes) -> None:
    """
    Deliver with msmtp; it has no default port for LMTP and wants one even beside a socket.
    """
    where = [f"--port={endpoint}"] if isinstance(endpoint, int) else [f"--socket={endpoint}", "--port=24"]
    options = ["--file=/dev/null", "--protocol=lmtp", "--host=127.0.0.1", *where, f"--from={reverse_path}"]
    run([path_of("msmtp"), *options, recipient], stdin=content)


def smtp_source(endpoint: Path | int, reverse_path: str, recipient: str, *, messages: int, sessions: int) -> str:
    """
    Deliver messages of its own making with Postfix's load generator.
    """
    where = f"inet:127.0.0.1:{endpoint}" if isinstance(endpoint, int) else f"unix:{endpoint}"
    options = ["-L", "-d", "-m", str(messages), "-s", str(sessions), "-f", reverse_path, "-t", recipient]
    return run([path_of("smtp-source"), *options, where])


def python(endpoint: Path | int, reverse_path: str, recipient: str, content: bytes) -> None:
    """
    Deliver with smtplib, which reads one reply after the content: right for one recipient alone.
    """
    host, port = ("127.0.0.1", endpoint) if isinstance(endpoint, int) else (str(endpoint), 0)
    with smtplib.LMTP(host, port) as client:
        client.sendmail(reverse_path, [recipient], content)
