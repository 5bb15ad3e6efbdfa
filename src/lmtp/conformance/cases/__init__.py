# SPDX-License-Identifier: Apache-2.0
"""
The cases, a module for a section of a standard or an extension; `GROUPS` has them in the order they are run.

A new case is a function in one of these modules, under `Group.case`; a new group is a line more below.
"""

from typing import Final

from lmtp.conformance.cases import (
    addresses,
    auth,
    bdat,
    bodies,
    chunking,
    commands,
    content,
    data,
    dsn,
    enhanced_status,
    greeting,
    limits,
    others,
    pipelining,
    reply_grammar,
    requirements,
    smtputf8,
    smuggling,
    starttls,
    states,
    trace,
    traps,
)
from lmtp.conformance.model import Case, Group

GROUPS: Final[tuple[Group, ...]] = (
    greeting.GROUP,
    data.GROUP,
    bdat.GROUP,
    requirements.GROUP,
    commands.GROUP,
    addresses.GROUP,
    reply_grammar.GROUP,
    states.GROUP,
    content.GROUP,
    smuggling.GROUP,
    limits.GROUP,
    trace.GROUP,
    pipelining.GROUP,
    enhanced_status.GROUP,
    bodies.EIGHT_BIT,
    bodies.SIZE,
    chunking.GROUP,
    smtputf8.GROUP,
    dsn.GROUP,
    starttls.GROUP,
    auth.GROUP,
    others.LIMITS,
    others.OTHERS,
    traps.GROUP,
)
"""All groups."""


def all_cases() -> list[Case]:
    """
    Return all cases of all groups.
    """
    return [case for group in GROUPS for case in group.cases]
