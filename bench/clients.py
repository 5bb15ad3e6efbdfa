# SPDX-License-Identifier: Apache-2.0
"""
The benchmark of the client: messages per second into Postfix's ``smtp-sink -L``, beside other clients, in one run.

Every round has all of them in turn, one connection and eight, 4 KiB and one recipient. Needs Postfix's smtp-sink and
smtp-source, aiosmtplib, and a machine that does nothing else. Run from the project's root: ``python -m bench.clients``.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.senders import SENDERS

CONNECTIONS: Final = (1, 8)
YARDSTICKS: Final = ("smtplib", "smtp-source")
OURS: Final = ("ours", "ours, uvloop")


@dataclass(frozen=True, slots=True)
class Figure:
    """
    What one client did in one round.
    """

    client: str
    connections: int
    number: int
    per_second: float
    cpu_ms: float


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """
    Run smtp-sink on a Unix socket.
    """
    with tempfile.TemporaryDirectory(prefix="lmtp-bench-") as folder:
        path = f"{folder}/sink"
        process = subprocess.Popen(["/usr/sbin/smtp-sink", "-L", "-u", "root", f"unix:{path}", "1000"])
        try:
            while not Path(path).exists():
                time.sleep(0.01)
            yield path
        finally:
            process.kill()
            process.wait()


def measure(rounds: int, messages: int) -> Iterator[Figure]:
    """
    Let all of them send, in turn.
    """
    for number in range(1, rounds + 1):
        for connections in CONNECTIONS:
            for client in SENDERS:
                with sink() as path:
                    command = [sys.executable, "-m", "bench.senders", client, path, str(connections), str(messages)]
                    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                figure = Figure(
                    client, connections, number, messages / said["seconds"], 1000 * said["cpu_seconds"] / messages
                )
                print(f"round {number}: {connections}: {client}: {figure.per_second:.0f}/s", file=sys.stderr)
                yield figure


def table(figures: list[Figure]) -> str:
    """
    Return the table: medians, and ratios taken round by round.
    """
    head = "| connections | client | msg/s | CPU ms/msg | against smtplib | against smtp-source |"
    lines = [head, "|---:|---|---:|---:|---:|---:|"]
    for connections in CONNECTIONS:
        for client in SENDERS:
            own = _of(figures, client, connections)
            rate = statistics.median(figure.per_second for figure in own)
            cpu = statistics.median(figure.cpu_ms for figure in own)
            ratios = [_ratio(own, _of(figures, yardstick, connections)) for yardstick in YARDSTICKS]
            lines.append(f"| {connections} | {client} | {rate:.0f} | {cpu:.3f} | {' | '.join(ratios)} |")
    return "\n".join(lines) + "\n"


def _of(figures: list[Figure], client: str, connections: int) -> list[Figure]:
    return [figure for figure in figures if (figure.client, figure.connections) == (client, connections)]


def _ratio(own: list[Figure], other: list[Figure]) -> str:
    ratios = sorted(mine.per_second / theirs.per_second for mine, theirs in zip(own, other, strict=True))
    return f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"


def main() -> None:
    """
    Do what the command line says.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--json", type=Path, default=Path("build/bench-clients.json"))
    options = parser.parse_args()
    if os.getloadavg()[0] > 0.5:
        print("bench: this machine is busy; the figures will mean little", file=sys.stderr)
    figures = list(measure(options.rounds, options.messages))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main()
