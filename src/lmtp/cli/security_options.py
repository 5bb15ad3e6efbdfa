# SPDX-License-Identifier: Apache-2.0
"""
What the commands that connect to a server make of their options for TLS and AUTH.

Called by check.py and send_options.py, which know what to do with it. Raises click's UsageError.
"""

import ssl
from pathlib import Path
from typing import Protocol

import click


class TlsOptions(Protocol):
    """
    The options of TLS, as either command has them.
    """

    @property
    def ca(self) -> str | None:
        """
        Who may sign the server's certificate.
        """
        ...

    @property
    def cert(self) -> str | None:
        """
        Our certificate.
        """
        ...

    @property
    def key(self) -> str | None:
        """
        Its key, when it is in a file of its own.
        """
        ...

    @property
    def is_insecure(self) -> bool:
        """
        The server's certificate is not looked at.
        """
        ...


def tls_context_of(options: TlsOptions) -> ssl.SSLContext:
    """
    Return the context that is meant.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca)
        if options.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if options.cert:
            context.load_cert_chain(options.cert, options.key)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"TLS: {error}") from error
    return context


def login_of(name: str | None, file: Path | None) -> tuple[str, str] | None:
    """
    Return the user's name and the password, the first line of its file; None: nobody logs in.
    """
    if (name is None) != (file is None):
        raise click.UsageError("--auth-user and --auth-password-file go together.")
    if name is None or file is None:
        return None
    return name, file.read_text().partition("\n")[0]
