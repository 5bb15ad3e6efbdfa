# SPDX-License-Identifier: Apache-2.0
"""
`lmtp send`: send messages over LMTP, and say what became of each recipient.

Reads the options, finds the messages, sends them, and ends with a status of sysexits.h, so that a mail server can run
it in a pipe. Whom a message is for is said on the command line; nothing is guessed from a header section.
Not here: what options mean (send_options.py), the messages (send_sources.py), the loop (sending.py).
"""

import contextlib
import itertools
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

import click

from lmtp.aio.client import Client, connect
from lmtp.aio.client_settings import ClientSettings
from lmtp.aio.listeners import Endpoint, parse_endpoint
from lmtp.cli.output import CountingScreen, complain
from lmtp.cli.send_options import (
    BODIES,
    DIALECTS,
    RETURNS,
    Options,
    attributes_of,
    endpoint_of,
    envelope_of,
    settings_of,
)
from lmtp.cli.send_reports import Failures, Lines, Report, Table
from lmtp.cli.send_sources import STANDARD_INPUT, NoInputError, Source, open_source
from lmtp.cli.send_status import INTERRUPTED, status_of, status_of_all
from lmtp.cli.send_transcript import WireLog
from lmtp.cli.sending import Plan, Sending, Sent
from lmtp.service.loop import run

STANDARD_OUTPUT: Final = "-"
"""What standard output is called on the command line."""

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


class EndpointType(click.ParamType[Endpoint]):
    """
    An endpoint as people write it.
    """

    name = "endpoint"
    """What click calls it in errors."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Endpoint:  # noqa: ANN401
        """
        Return where the server is; what is no endpoint is an error of usage.
        """
        try:
            return parse_endpoint(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PipeCommand(click.Command):
    """
    A command a mail server runs: it reads the exit status, and what is no temporary failure returns the message.
    """

    def make_context(self, *arguments: Any, **others: Any) -> click.Context:  # noqa: ANN401
        """
        Read the command line; an error is 64 and not click's 2, which says nothing to a mail server.
        """
        with _usage_errors():
            return super().make_context(*arguments, **others)

    def invoke(self, ctx: click.Context) -> object:
        """
        Run it; a fault of its own must not cost anybody a message, so that is 75 with a traceback.
        """
        try:
            with _usage_errors():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:  # while standard input was read
            sys.exit(INTERRUPTED)
        except Exception:  # noqa: BLE001 - told in full, and the message stays where it is
            traceback.print_exc()
            sys.exit(os.EX_TEMPFAIL)


class MisuseError(click.UsageError):
    """
    An error of usage that a mail server knows for one.
    """

    exit_code = os.EX_USAGE
    """With what it ends."""


@contextlib.contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        raise MisuseError(error.format_message(), error.ctx) from error


@click.command(cls=PipeCommand)
@click.argument("files", metavar="[FILE]...", nargs=-1, help="What to send; without any, or for -, standard input.")
@click.option("--to", "endpoint", metavar="ENDPOINT", type=EndpointType(), required=True, help="Where the server is.")
@click.option("--from", "sender", metavar="ADDR", required=True, help="Whom failures are reported to; '' is nobody.")
@click.option("--rcpt", "recipients", metavar="ADDR", multiple=True, help="A recipient; repeatable.")
@click.option("--rcpt-file", metavar="FILE", type=_FILE, help="More recipients, one a line; # begins a comment.")
@click.option("--mbox", "is_mbox", is_flag=True, help="FILE or standard input is an mbox, however it begins.")
@click.option(
    "--count", "copies", metavar="NUMBER", type=click.IntRange(1), default=1, help="Send each message so often."
)
@click.option(
    "--connections",
    metavar="NUMBER",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="How many connections there are at most.",
)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON object a line for each recipient.")
@click.option("--quiet", "-q", "is_quiet", is_flag=True, help="Print nothing but what was not delivered.")
@click.option("--transcript", metavar="FILE", help="Write down what is said on the wire; - is standard output.")
@click.option("--client-name", metavar="NAME", help="What we call ourselves in LHLO; else this machine's name.")
@click.option("--dialect", type=click.Choice(list(DIALECTS)), default="lmtp", show_default=True, help="What to speak.")
@click.option(
    "--pipeline/--no-pipeline", "has_pipelining", default=True, help="Use PIPELINING where it is offered; the default."
)
@click.option("--bdat/--no-bdat", "has_chunking", default=True, help="Use CHUNKING where it is offered; the default.")
@click.option("--body", type=click.Choice(list(BODIES)), help="What the content is said to be; else what it is.")
@click.option("--notify", metavar="WHEN", help="When to report: never, or success, failure, delay with commas.")
@click.option("--ret", "returned", type=click.Choice(list(RETURNS)), help="How much a report gives back.")
@click.option("--envid", "envelope_id", metavar="TEXT", help="What reports call the message.")
@click.option("--starttls", "is_starttls", is_flag=True, help="Begin TLS with STARTTLS, or send nothing.")
@click.option("--try-starttls", "is_starttls_optional", is_flag=True, help="Begin TLS with STARTTLS where offered.")
@click.option("--tls", "is_tls", is_flag=True, help="Connections begin with TLS.")
@click.option("--ca", metavar="FILE", type=click.Path(exists=True), help="Who may sign the server's certificate.")
@click.option("--cert", metavar="FILE", type=click.Path(exists=True), help="Our certificate.")
@click.option("--key", metavar="FILE", type=click.Path(exists=True), help="Its key, when it is in a file of its own.")
@click.option("--server-name", metavar="NAME", default="", help="Whose certificate it must be; else the endpoint's.")
@click.option("--insecure", "is_insecure", is_flag=True, help="Do not look at the server's certificate.")
@click.option("--auth-user", metavar="NAME", help="Log in as this user.")
@click.option("--auth-password-file", metavar="FILE", type=_FILE, help="The file whose first line is the password.")
@click.option("--xclient", "stands_for", metavar="NAME=VALUE", multiple=True, help="Speak for this client; repeatable.")
@click.option("--xforward", "forwarded", metavar="NAME=VALUE", multiple=True, help="Where it comes from; repeatable.")
@click.option(
    "--timeout",
    "timeout_seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="How long a reply may take; else what RFC 5321 says, up to ten minutes.",
)
def send(files: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """
    Send messages over LMTP and say what became of each recipient.

    FILE is a message, an mbox, a Maildir, or a folder of .eml files. Recipients are those of --rcpt: none is ever taken
    from a message. The exit status is one of sysexits.h, 75 when something should be tried again.
    """
    told = Options(**options)
    endpoint, envelope, settings = endpoint_of(told), envelope_of(told), settings_of(told)
    forwarded = attributes_of("--xforward", told.forwarded)
    if told.is_json and told.transcript == STANDARD_OUTPUT:
        raise click.UsageError("--json and --transcript - would both write on standard output.")
    with contextlib.ExitStack() as keep:
        sources = _sources(files or (STANDARD_INPUT,), told, keep)
        if told.transcript is not None:
            settings = replace(settings, transcript=_wire_log(told.transcript, keep).for_connection)
        plan = Plan(
            connect=lambda: _open(endpoint, settings),
            envelope=envelope,
            connections=told.connections,
            copies=told.copies,
            forwarded=forwarded,
        )
        status = _Run(plan, sources, told).status(endpoint)
    sys.exit(status)


async def _open(endpoint: Endpoint, settings: ClientSettings) -> Client:
    return await connect(endpoint, settings)


def _sources(files: tuple[str, ...], options: Options, keep: contextlib.ExitStack) -> list[Source]:
    standard_input = sys.stdin.buffer
    try:
        return [open_source(name, standard_input, keep, is_mbox=options.is_mbox) for name in files]
    except NoInputError as error:
        _give_up(str(error), os.EX_NOINPUT)
    except OSError as error:
        _give_up(f"there is no keeping a copy of what is to be sent: {error}", os.EX_TEMPFAIL)


def _wire_log(name: str, keep: contextlib.ExitStack) -> WireLog:
    file = sys.stdout if name == STANDARD_OUTPUT else keep.enter_context(_created(Path(name)))
    log = WireLog(file)
    keep.callback(log.finish)
    return log


def _created(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="ascii")
    except OSError as error:
        _give_up(f"{path}: {error.strerror}", os.EX_TEMPFAIL)


def _give_up(text: str, status: int) -> NoReturn:
    complain(text)
    sys.exit(status)


class _Run:
    """
    The sending, what is told of it, and how it ends.
    """

    def __init__(self, plan: Plan, sources: list[Source], options: Options) -> None:
        counts = [source.count for source in sources]
        total = None if None in counts else sum(filter(None, counts)) * plan.copies
        self._screen = CountingScreen(total, is_silent=options.is_quiet and not options.is_json)
        self._report = self._make_report(plan, options)
        self._sending = Sending(plan, itertools.chain.from_iterable(source.items for source in sources), self._tell)
        self._statuses: set[int] = set()

    def _make_report(self, plan: Plan, options: Options) -> Report:
        if options.is_json:
            return Lines(self._screen)
        return Failures() if options.is_quiet else Table(self._screen, plan.envelope, time.monotonic)

    def _tell(self, sent: Sent) -> None:
        self._statuses.update(status_of(result) for result in sent.results)
        if sent.why_unread:
            self._statuses.add(os.EX_NOINPUT)
        self._report.add(sent)

    def status(self, endpoint: Endpoint) -> int:
        """
        Send, and return the exit status.
        """
        try:
            with self._screen:
                run(self._sending.run())
        except KeyboardInterrupt:
            self._report.end()
            complain(f"interrupted; {self._sending.under_way} under way may have been delivered, no more were sent")
            return INTERRUPTED
        self._report.end()
        self._complain(endpoint)
        return status_of_all(self._statuses)

    def _complain(self, endpoint: Endpoint) -> None:
        sending = self._sending
        if not sending.is_heeded:
            complain(f"{endpoint} does not take XFORWARD")
        if sending.why_stopped:
            complain(f"no session with {endpoint}: {sending.why_stopped}")
        if sending.has_left_out:
            self._statuses.add(os.EX_TEMPFAIL)
            complain("the messages after that were not sent")
