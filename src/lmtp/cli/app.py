# SPDX-License-Identifier: Apache-2.0
"""
The command `lmtp` and its subcommands.

Each subcommand is a module of its own in this room; this one only gathers them.
"""

import click

from lmtp.cli.check import check
from lmtp.cli.send import send
from lmtp.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lmtp", prog_name="lmtp")
def app() -> None:
    """
    LMTP, the last hop of mail (RFC 2033).
    """


app.add_command(check)
app.add_command(send)
app.add_command(serve)
