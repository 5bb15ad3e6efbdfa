# SPDX-License-Identifier: Apache-2.0
"""
The closed lists from which a setting chooses, for the schema and for the rooms that act on the choice.

Pure, so that nobody needs the schema's library to name a choice. A new one is a member here and code where mypy
then asks for it.
"""

import enum
from typing import Final


class LogFormat(enum.StrEnum):
    """
    How an event becomes a line.
    """

    AUTO = "auto"
    """Pretty on a terminal, else logfmt."""
    PRETTY = "pretty"
    """Columns for people, in colours on a terminal unless ``NO_COLOR`` is set."""
    LOGFMT = "logfmt"
    """``key=value`` pairs."""
    JSON = "json"
    """One JSON object."""


class LogLevel(enum.StrEnum):
    """
    How much an event matters; the members stand in rising order.
    """

    DEBUG = "debug"
    """Of use when something is being looked for: sessions that come and go."""
    INFO = "info"
    """What the server is for."""
    WARNING = "warning"
    """Somebody did not get mail, or an operator should look."""
    ERROR = "error"
    """A fault of the programme or of what it stands on."""

    @property
    def rank(self) -> int:
        """
        Its place from the bottom, from 0.
        """
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(LogLevel)}

MECHANISMS: Final = ("EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN")
"""The SASL mechanisms there are; auth/, which takes a tenth of a second to import, has the same."""
