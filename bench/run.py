# SPDX-License-Identifier: Apache-2.0
"""
The benchmark: messages per second of ``lmtp serve`` against Dovecot's LMTP server, in the same run.

Needs root, what scripts/install-peers installs, and a machine that does nothing else. Prints a table, writes all
figures as JSON and, when asked, the page of the documentation. The mail, one or two gigabytes, is left behind: who
removes it must wait ten minutes before a further run (see contest.py). Run from the project's root:
``python -m bench.run``.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.contest import Measured, compete
from bench.report import page, table
from tests.peers.process import run
from tests.peers.programs import path_of, why_missing

MAX_LOAD: Final = 0.5
"""Load average from which on somebody else is being measured too."""


def machine(folder: Path) -> list[str]:
    """
    Describe what the figures hold for.
    """
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = run(["df", "--output=fstype", str(folder)]).split()[-1]
    dovecot = run([path_of("dovecot"), "--version"]).split()[0]
    return [
        f"{os.cpu_count()} cores ({platform.machine()})",
        f"{memory_gib:.0f} GiB of memory",
        f"files on {kind}",
        f"Linux {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"Dovecot {dovecot}",
        f"load average before the run {os.getloadavg()[0]:.1f}",
    ]


def measure(place: Path, rounds: int, seconds: float) -> list[Measured]:
    """
    Do the whole contest and say how it goes.
    """
    figures = []
    for figure in compete(place, rounds, seconds):
        figures.append(figure)
        load = f"{figure.load.recipients} recipients, {figure.load.sessions} sessions"
        print(f"round {figure.number}: {load}: {figure.server}: {figure.per_second:.0f}/s", file=sys.stderr)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: says that it works, not how fast")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each load lasts")
    parser.add_argument("--folder", default="/var/tmp", help="where to put the mail, on the disk that is meant")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where to write all figures")
    parser.add_argument("--page", type=Path, help="where to write the page of the documentation")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    return options


def main() -> None:
    """
    Do what the command line says.
    """
    options = _options()
    if reason := why_missing("dovecot"):
        raise SystemExit(f"bench: {reason}")
    if os.getloadavg()[0] > MAX_LOAD:
        print("bench: this machine is busy; the figures will mean little", file=sys.stderr)
    place = Path(tempfile.mkdtemp(prefix="lmtp-bench-", dir=options.folder))
    place.chmod(0o755)
    description = machine(place)
    figures = measure(place, options.rounds, options.seconds)
    print(table(figures))
    print(f"The mail is in {place}: remove it when there is nothing more to measure.", file=sys.stderr)
    record = {"machine": description, "seconds": options.seconds, "figures": list(map(asdict, figures))}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=1) + "\n")
    if options.page:
        options.page.write_text(page(figures, description, options.seconds))


if __name__ == "__main__":
    main()
