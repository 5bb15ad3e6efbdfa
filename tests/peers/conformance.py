# SPDX-License-Identifier: Apache-2.0
"""
Put `lmtp check` before each of the LMTP servers there are: ``python -m tests.peers.conformance``.

Prints how many cases each passed and which it failed; ``--page`` writes that as a page of the manual, ``--json`` the
tester's own words. Called by hand and by `make conformance`; servers that are not installed are left out and named.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.peers.process import make_place
from tests.peers.programs import why_missing
from tests.peers.servers import FAILING, OURS, SERVERS, UNKNOWN, USERS, Server

LIBRARIES: Final = frozenset({"aiosmtpd", "nodemailer"})
"""Those whose trace fields are the business of whoever uses them, and so of a handler of ours here."""
LEVELS: Final = ("MUST", "SHOULD", "quality")
"""How much a case weighs, most first."""


@dataclass(frozen=True, slots=True)
class Checked:
    """
    What the tester found out about one server.
    """

    name: str
    """The server."""
    cases: Sequence[Mapping[str, Any]]
    """Each case with its result, as the tester's JSON has it."""

    def count(self, level: str, state: str) -> int:
        """
        Count the cases of a level that ended in one way.
        """
        return sum(case["level"] == level and case["outcome"] == state for case in self.cases)

    def failed(self, level: str) -> list[Mapping[str, Any]]:
        """
        Return the cases of a level that failed.
        """
        return [case for case in self.cases if case["level"] == level and case["outcome"] == "failed"]


def check(name: str, server: Server, *, timeout_seconds: float = 10) -> Checked:
    """
    Start a server and put the tester before it.

    Args:
        name: The server's name.
        server: What to start.
        timeout_seconds: How long it may take for a reply.
    """
    endpoint = f"unix:{server.endpoint}" if isinstance(server.endpoint, Path) else f"127.0.0.1:{server.endpoint}"
    options = [option for user in USERS for option in ("--user", user)]
    if server.knows_recipients:
        options += ["--unknown", UNKNOWN, "--failing", FAILING]
    with server.peer:
        if server.maildir:
            server.maildir.mkdir(mode=0o777, exist_ok=True)  # some make it with the first message
            options += ["--maildir", str(server.maildir)]
        command = [sys.executable, "-m", "lmtp", "check", "--json", "--timeout", str(timeout_seconds)]
        command += [*options, endpoint]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"lmtp check ended with {done.returncode} against {name}: {done.stderr[-2000:]}")
    cases = json.loads(done.stdout)["cases"]
    return Checked(name, [case for case in cases if name not in LIBRARIES or case["group"] != "trace"])


def check_all(names: Sequence[str]) -> Iterator[Checked]:
    """
    Check each server that is installed; say which is not.
    """
    for name in names:
        if name != OURS and (reason := why_missing(name)):
            sys.stderr.write(f"{name}: {reason}\n")
            continue
        folder = make_place()
        try:
            yield check(name, SERVERS[name](folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def table(all_checked: Sequence[Checked]) -> str:
    """
    Return how many cases each server passed, of those that could be run.
    """
    head = "| Server | " + " | ".join(f"{level}: passed / failed / not run" for level in LEVELS) + " |"
    rule = "| --- |" + " --- |" * len(LEVELS)
    rows = [f"| {each.name} | " + " | ".join(_counts(each, level) for level in LEVELS) + " |" for each in all_checked]
    return "\n".join([head, rule, *rows])


def _counts(checked: Checked, level: str) -> str:
    skipped = checked.count(level, "skipped") + checked.count(level, "inconclusive")
    return f"{checked.count(level, 'passed')} / {checked.count(level, 'failed')} / {skipped}"


def page(all_checked: Sequence[Checked]) -> str:
    """
    Return the page of the manual.
    """
    sections = "\n".join(_section(each) for each in all_checked if each.failed("MUST"))
    return f"""\
# How well servers speak LMTP

What `lmtp check` finds out about the servers there are, each as its package or its documentation has it.
There are two recipients who get mail and, where a server knows any, one refused at RCPT and one after the content.
aiosmtpd and nodemailer are libraries: a small handler delivers behind them, and is not asked for trace fields.
nodemailer's is told to offer ENHANCEDSTATUSCODES, which it hides otherwise.
smtp-sink is a program of Postfix for tests, and nobody's mail server.
A case is not run when the server does not offer what it is about, or knows no such recipient.
`make conformance` does it again.

{table(all_checked)}

A failed MUST is a departure from the letter of a standard; whether it matters depends on the client.
RFC 2033 is built on the SMTP of its day; the letter here is that of today's, RFC 5321.
Each of them was seen by hand too, over a bare socket and without the tester.
The sessions say what should have come; a test has them again, and finds no more and no fewer than the tester does.
{sections}"""


def _section(checked: Checked) -> str:
    head = ["| Case | Clause | What is asked | What was found |", "| --- | --- | --- | --- |"]
    rows = [
        f"| `{case['id']}` | {case['clause']} | {_cell(case['sentence'])} | {_cell(case['reason'])} |"
        for case in checked.failed("MUST")
    ]
    sessions = f"The sessions are in [{checked.name}.txt](../../tests/peers/evidence/{checked.name}.txt).\n"
    return "\n".join([f"\n## {checked.name}\n", sessions, *head, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("!", ".")


def main() -> None:
    """
    Do as the command line says.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.peers.conformance", description=__doc__)
    parser.add_argument("servers", nargs="*", default=sorted(SERVERS), help="which; all by default")
    parser.add_argument("--page", type=Path, help="where to write the page of the manual")
    parser.add_argument("--json", type=Path, help="where to write all results")
    options = parser.parse_args()
    all_checked = list(check_all(options.servers))
    sys.stdout.write(f"{table(all_checked)}\n")
    if options.page:
        options.page.write_text(page(all_checked))
    if options.json:
        options.json.write_text(json.dumps({each.name: each.cases for each in all_checked}, indent=1))


if __name__ == "__main__":
    main()
