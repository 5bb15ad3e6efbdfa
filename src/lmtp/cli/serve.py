# SPDX-License-Identifier: Apache-2.0
"""
`lmtp serve`: the delivery agent.

Reads the options, runs the service, turns what stopped it into an exit status of sysexits.h. No logic of its own.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

import click

from lmtp.aio.server import Server
from lmtp.aio.tls import TlsError
from lmtp.cli.output import complain, tell
from lmtp.config.choices import LogFormat
from lmtp.config.load import ConfigError, load_settings
from lmtp.config.schema import Settings
from lmtp.observe.observer import HeldBack
from lmtp.protocol.errors import TransientError
from lmtp.service.lifecycle import run_agent
from lmtp.service.loop import run
from lmtp.telemetry.logs import LogObserver


@click.command()
@click.option(
    "--listen", "-l", metavar="ENDPOINT", multiple=True, help="host:port, [v6]:port or unix:/path; repeatable."
)
@click.option("--maildir", "-m", metavar="DIR", help="The folder under which all Maildirs are.")
@click.option(
    "--users", "-u", metavar="FILE", help="Who gets mail here, as a passwd-file; else everyone on this machine."
)
@click.option("--config", "-c", metavar="FILE", type=click.Path(path_type=Path), help="Settings, as TOML.")
@click.option("--log-format", type=click.Choice([each.value for each in LogFormat]), help="How log lines look.")
def serve(
    listen: tuple[str, ...], maildir: str | None, users: str | None, config: Path | None, log_format: str | None
) -> None:
    """
    Take messages over LMTP and deliver them into Maildirs.

    Without options: 127.0.0.1:2424, ./mail, and everyone on this machine gets mail.
    """
    said = {"listen": list(listen), "maildir.root": maildir, "users.path": users, "log_format": log_format}
    try:
        settings = load_settings(config, {key: value for key, value in said.items() if value})
    except ConfigError as error:
        _give_up(str(error), os.EX_CONFIG)
    log = LogObserver(settings.log_format, settings.log_level)
    observer = HeldBack(log)

    def announce(server: Server) -> None:
        _announce(server, settings)
        observer.let_go()

    try:
        has_drained = run(run_agent(settings, observer, announce))
    except (TransientError, TlsError) as error:
        _give_up(str(error), os.EX_CONFIG)
    except OSError as error:
        _give_up(error.strerror or str(error), os.EX_OSERR)
    finally:
        observer.let_go()
        log.close()
    sys.exit(0 if has_drained else 1)


def _announce(server: Server, settings: Settings) -> None:
    """
    Say, as the first line, how to send something here.
    """
    address = "you@example.org" if settings.users is None else "ADDRESS"
    endpoint = next((each for each in server.endpoints if not each.endswith(",tls")), None)
    if endpoint is not None:  # smtplib's LMTP class can't begin with TLS
        tell("Send it something:", _example(endpoint, address))
    tell("Mail lands below", f"{Path(settings.maildir.root).resolve()}; Ctrl-C ends it.")


def _example(endpoint: str, address: str) -> str:
    if endpoint.startswith("unix:"):
        where = repr(endpoint.removeprefix("unix:"))
    else:
        host, _, port = endpoint.rpartition(":")
        where = f"{host.strip('[]')!r}, {port}"
    code = f"import smtplib; smtplib.LMTP({where}).sendmail('me@example.org', '{address}', 'Subject: hello\\n\\nhello')"
    return f"python3 -c {shlex.quote(code)}" if '"' in code else f'python3 -c "{code}"'


def _give_up(text: str, status: int) -> NoReturn:
    complain(text)
    sys.exit(status)
