# SPDX-License-Identifier: Apache-2.0
"""
Which real programs this machine has, and why one can't be used.

Not here: how each is started (one module a peer). scripts/install-peers is what puts them there.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The project's root folder."""
PEERS: Final = Path(os.environ.get("LMTP_PEERS_DIR", ROOT / ".peers"))
"""Where what can't be installed beside the others is unpacked."""
SEARCH_PATH: Final = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
"""A normal user's PATH lacks the folders of daemons."""

UNPACKED: Final[Mapping[str, Path]] = {
    "aiosmtpd": PEERS / "aiosmtpd/bin/python",
    "cyrus": PEERS / "cyrus/usr/lib/cyrus/bin/master",
    "exim4": PEERS / "exim/usr/sbin/exim4",
    "nodemailer": PEERS / "nodemailer/node_modules/smtp-server",
}
"""Where they are: a Python that has the package, a program, or a package for Node."""
NEED_ROOT: Final = frozenset({"postfix", "dovecot", "exim4"})
"""They change to users of their own."""


def find(name: str) -> str | None:
    """
    Return where a program is, or None.
    """
    unpacked = UNPACKED.get(name)
    if unpacked is not None:
        return str(unpacked) if unpacked.exists() else None
    return shutil.which(name, path=SEARCH_PATH)


def path_of(name: str) -> str:
    """
    Return where a program is; tests that call this carry the mark ``peer``, which has looked before.
    """
    path = find(name)
    assert path is not None, f"{name} is not installed"
    return path


def why_missing(name: str) -> str:
    """
    Say why a peer can't be used here; nothing when it can.
    """
    path = find(name)
    if path is None:
        return f"{name} is not installed (scripts/install-peers does it)"
    if name in NEED_ROOT and os.geteuid() != 0:
        return f"{name} must be started as root"
    return CHECKS[name](path) if name in CHECKS else ""


def _why_not_strace(path: str) -> str:
    """
    Containers often forbid tracing.
    """
    tried = subprocess.run([path, "-o", os.devnull, "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "strace may not trace here"


def _why_not_nodemailer(_: str) -> str:
    """
    Its package is there, but what runs it may not be.
    """
    return why_missing("node")


CHECKS: Final[Mapping[str, Callable[[str], str]]] = {"nodemailer": _why_not_nodemailer, "strace": _why_not_strace}
