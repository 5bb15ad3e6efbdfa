# SPDX-License-Identifier: Apache-2.0
"""
What scripts pass as ``mail_options`` and ``rcpt_options``, read as the parameters of MAIL and RCPT.

An extension we know and the server does not offer is left off, unless the message can't do without it.
Called by smtplib.py. Raises SMTPNotSupportedError for what is none. RFC 5321 §4.1.1.11.
"""

import smtplib
from collections.abc import Mapping, Sequence
from typing import Final

from lmtp.protocol.extensions import EXTENSIONS
from lmtp.protocol.parameters import CommandError, MailParameters, Parameter, RcptParameters, parse_parameters

_MAIL: Final = {name: row for extension in EXTENSIONS for name, row in extension.mail_parameters.items()}
_RCPT: Final = {name: row for extension in EXTENSIONS for name, row in extension.rcpt_parameters.items()}


def mail_parameters(options: Sequence[str]) -> MailParameters:
    """
    Read ``mail_options``, such as ``["SMTPUTF8", "BODY=8BITMIME"]``.
    """
    return MailParameters(**_read(options, _MAIL))  # type: ignore[arg-type] # each row names its field


def rcpt_parameters(options: Sequence[str]) -> RcptParameters:
    """
    Read ``rcpt_options``, such as ``["NOTIFY=FAILURE,DELAY"]``.
    """
    return RcptParameters(**_read(options, _RCPT))  # type: ignore[arg-type] # each row names its field


def _read(options: Sequence[str], known: Mapping[str, Parameter]) -> dict[str, object]:
    try:
        return parse_parameters("".join(f" {option}" for option in options).encode(), known)
    except CommandError as error:
        raise smtplib.SMTPNotSupportedError(f"{' '.join(options)}: {error.reply.text}") from error
