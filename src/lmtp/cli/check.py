# SPDX-License-Identifier: Apache-2.0
"""
`lmtp check`: how well a server, any server, speaks LMTP.

Reads the options, runs the cases, tells the results and turns them into an exit status. No knowledge of the protocol.
"""

import asyncio
import fnmatch
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from lmtp.aio.listeners import TcpEndpoint, parse_endpoint
from lmtp.cli.output import Screen, Style, complain
from lmtp.cli.security_options import login_of, tls_context_of
from lmtp.conformance.cases import GROUPS, all_cases
from lmtp.conformance.model import Case, Level, Outcome, Result
from lmtp.conformance.reports import as_json, as_junit, counts, failures
from lmtp.conformance.runner import Runner, probe
from lmtp.conformance.server import QUIET_SECONDS, SENDER, TIMEOUT_SECONDS, Credentials, Setup, Tls
from lmtp.conformance.session import UnreachableError
from lmtp.conformance.wire import Target, TcpTarget, UnixTarget

_STYLES: Final = {
    Outcome.PASSED: ("pass", Style.GOOD),
    Outcome.FAILED: ("FAIL", Style.BAD),
    Outcome.SKIPPED: ("skip", Style.DIM),
    Outcome.INCONCLUSIVE: ("????", Style.DOUBTFUL),
}
_TITLES: Final = {group.name: group.title for group in GROUPS}


class EndpointType(click.ParamType[Target]):
    """
    An endpoint as people write it.
    """

    name = "endpoint"
    """What click calls it in errors."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:  # noqa: ANN401
        """
        Return where the server is; what is no endpoint is an error of usage.
        """
        try:
            endpoint = parse_endpoint(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if isinstance(endpoint, TcpEndpoint):
            if endpoint.is_tls:
                self.fail("say --tls instead of ,tls", param, ctx)
            return TcpTarget(endpoint.host, endpoint.port)
        return UnixTarget(endpoint.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    What the command line says, but for the endpoint.
    """

    users: tuple[str, ...]
    """Who gets mail there."""
    unknown: str
    """Who is refused at RCPT."""
    failing: str
    """Who is refused after the content."""
    sender: str
    """Who the messages are from."""
    maildir: Path | None
    """Where to read back."""
    is_safe: bool
    """Send nothing that could be delivered."""
    groups: tuple[str, ...]
    """Groups to run; none means all."""
    patterns: tuple[str, ...]
    """Cases to run, as file names are matched; none means all."""
    is_list: bool
    """List the cases and run none."""
    is_strict: bool
    """Failed SHOULDs count."""
    is_json: bool
    """Print JSON."""
    junit: Path | None
    """Where the JUnit report goes."""
    is_starttls: bool
    """Begin TLS by the command."""
    is_tls: bool
    """Begin TLS at once."""
    ca: str | None
    """Certificates of those who may sign."""
    cert: str | None
    """Our certificate."""
    key: str | None
    """Its key."""
    is_insecure: bool
    """Do not look at the server's certificate."""
    auth_user: str | None
    """Who logs in."""
    auth_password_file: Path | None
    """Where the password is."""
    timeout_seconds: float
    """How long a reply may take."""
    quiet_seconds: float
    """How long silence takes."""
    parallel: int
    """How many cases run at the same time."""


@click.command()
@click.argument("endpoint", type=EndpointType(), required=False, help="Where the server is.")
@click.option("--user", "-u", "users", metavar="ADDR", multiple=True, help="Somebody who gets mail; give two.")
@click.option("--unknown", metavar="ADDR", default="", help="Somebody the server refuses at RCPT.")
@click.option("--failing", metavar="ADDR", default="", help="Somebody refused after the content.")
@click.option("--sender", metavar="ADDR", default=SENDER, show_default=True, help="Who the messages are from.")
@click.option(
    "--maildir",
    "-m",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Read back from the Maildirs below this folder what was delivered.",
)
@click.option("--safe", "is_safe", is_flag=True, help="Send nothing that could be delivered.")
@click.option("--group", "-g", "groups", metavar="NAME", multiple=True, help="Run this group alone; repeatable.")
@click.option("--case", "-c", "patterns", metavar="ID", multiple=True, help="Run this case alone, or all like 'TX-*'.")
@click.option("--list", "is_list", is_flag=True, help="List the cases and run none.")
@click.option("--strict", "is_strict", is_flag=True, help="Failed SHOULDs count too.")
@click.option("--json", "is_json", is_flag=True, help="Print the results as JSON.")
@click.option("--junit", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report.")
@click.option("--starttls", "is_starttls", is_flag=True, help="Begin TLS with STARTTLS before all else.")
@click.option("--tls", "is_tls", is_flag=True, help="Connections begin with TLS.")
@click.option("--ca", metavar="FILE", type=click.Path(exists=True), help="Who may sign the server's certificate.")
@click.option("--cert", metavar="FILE", type=click.Path(exists=True), help="Our certificate.")
@click.option("--key", metavar="FILE", type=click.Path(exists=True), help="Its key, when it is in a file of its own.")
@click.option("--insecure", "is_insecure", is_flag=True, help="Do not look at the server's certificate.")
@click.option("--auth-user", metavar="NAME", help="Log in with AUTH PLAIN as this user.")
@click.option(
    "--auth-password-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file whose first line is the password.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT_SECONDS,
    show_default=True,
    help="How long a reply may take.",
)
@click.option(
    "--quiet-time",
    "quiet_seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=QUIET_SECONDS,
    show_default=True,
    help="How long nothing must come before that counts as silence.",
)
@click.option(
    "--parallel",
    metavar="NUMBER",
    type=click.IntRange(1, 100),
    default=4,
    show_default=True,
    help="How many cases run at the same time.",
)
def check(endpoint: Target | None, **options: Any) -> None:  # noqa: ANN401
    """
    Test how well the server at ENDPOINT speaks LMTP.

    ENDPOINT is host:port, [v6]:port or unix:/path. Without --user little can be seen; without --safe messages are
    delivered to those named there.
    """
    told = Options(**options)
    cases = _chosen(told)
    if told.is_list:
        _list(Screen(), cases)
        return
    if endpoint is None:
        raise click.UsageError("Missing argument 'ENDPOINT'.")
    setup = _setup(endpoint, told)
    try:
        results, gone_since = asyncio.run(_run(setup, cases, told))
    except UnreachableError as error:
        complain(str(error))
        sys.exit(os.EX_UNAVAILABLE)
    sys.exit(_conclude(endpoint, results, gone_since, told))


def _chosen(options: Options) -> list[Case]:
    unknown = sorted(set(options.groups) - set(_TITLES))
    if unknown:
        raise click.UsageError(f"There is no group {', '.join(unknown)}; there are {', '.join(_TITLES)}.")
    cases = [case for case in all_cases() if not options.groups or case.group in options.groups]
    if options.patterns:
        cases = [case for case in cases if any(fnmatch.fnmatchcase(case.case_id, each) for each in options.patterns)]
    if not cases:
        raise click.UsageError("There is no such case.")
    return cases


def _setup(endpoint: Target, options: Options) -> Setup:
    if options.is_tls and options.is_starttls:
        raise click.UsageError("--tls and --starttls do not go together.")
    tls = Tls.IMPLICIT if options.is_tls else Tls.STARTTLS if options.is_starttls else Tls.NEVER
    login = login_of(options.auth_user, options.auth_password_file)
    return Setup(
        target=endpoint,
        users=options.users,
        unknown=options.unknown,
        failing=options.failing,
        sender=options.sender,
        maildir=options.maildir,
        is_safe=options.is_safe,
        tls=tls,
        tls_context=None if tls is Tls.NEVER else tls_context_of(options),
        credentials=Credentials(*login) if login else None,
        timeout_seconds=options.timeout_seconds,
        quiet_seconds=options.quiet_seconds,
    )


async def _run(setup: Setup, cases: Sequence[Case], options: Options) -> tuple[list[Result], str]:
    runner = Runner(await probe(setup), parallel=options.parallel)
    results: list[Result] = []
    with Screen(is_silent=options.is_json) as screen:
        group = ""
        async for result in runner.run(cases):
            if result.case.group != group:
                group = result.case.group
                screen.line((_TITLES[group], Style.STRONG))
            results.append(result)
            _tell(screen, result)
            screen.progress(f"{len(results)} of {len(cases)}")
    return results, runner.gone_since


def _tell(screen: Screen, result: Result) -> None:
    case = result.case
    word, style = _STYLES[result.outcome]
    screen.line(
        (f"  {word}  ", style), (f"{case.case_id:<13} {case.level.value:<8}", Style.PLAIN),
        (f"{case.sentence}  ", Style.PLAIN), (f"[{case.clause}]", Style.DIM),
    )  # fmt: skip
    if result.outcome is Outcome.FAILED:
        screen.line(("        expected  ", Style.DIM), (result.expected, Style.PLAIN))
        screen.line(("        came      ", Style.DIM), (result.reason, Style.BAD))
    elif result.reason:
        screen.line((f"        {result.reason}", Style.DIM))
    for line in result.transcript:
        screen.line((f"          {line}", Style.DIM))


def _list(screen: Screen, cases: Sequence[Case]) -> None:
    for case in cases:
        screen.line(
            (f"{case.group:<13} {case.case_id:<13} {case.level.value:<8} ", Style.PLAIN), (case.sentence, Style.PLAIN),
            (f"  [{case.clause}]", Style.DIM),
        )  # fmt: skip


def _conclude(target: Target, results: Sequence[Result], gone_since: str, options: Options) -> int:
    """
    Tell the sum of it and return the exit status.
    """
    counted = {Level.MUST, Level.SHOULD} if options.is_strict else {Level.MUST}
    if options.junit:
        options.junit.write_text(as_junit(str(target), results, counted))
    if options.is_json:
        click.echo(as_json(str(target), results))
    else:
        _summarize(Screen(), results)
    if gone_since:
        complain(f"the server has been gone since {gone_since}")
    if failures(results, counted):
        return 1
    return os.EX_UNAVAILABLE if gone_since else 0


def _summarize(screen: Screen, results: Sequence[Result]) -> None:
    heads = "".join(f"{outcome.value:>14}" for outcome in Outcome)
    screen.line((f"{'':<10}{heads}", Style.STRONG))
    for level, count in counts(results).items():
        screen.line((f"{level.value:<10}", Style.STRONG), *(_number(count[outcome], outcome) for outcome in Outcome))


def _number(count: int, outcome: Outcome) -> tuple[str, Style]:
    return f"{count:>14}", _STYLES[outcome][1] if count else Style.DIM
