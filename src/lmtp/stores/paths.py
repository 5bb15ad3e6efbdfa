# SPDX-License-Identifier: Apache-2.0
"""
From a mailbox to a relative path: ``{domain}/{local_part}``, whatever the mailbox is made of.

A path made here never leaves the root it is put under, and two mailboxes never share one unless the template leaves
out what tells them apart. Not here: folders, links (durable.py). Called by drivers that keep files. A bad template
is a ValueError, a mailbox no file system has room for a PermanentError. RFC 5321 §2.4 (case).
"""

import re
from dataclasses import dataclass, field
from typing import Final

from lmtp.protocol.address import Mailbox
from lmtp.protocol.errors import PermanentError

MAX_COMPONENT: Final = 255
"""Octets of a file name on every file system in use."""

_EMPTY: Final = "%empty"  # no value is written so: a percent sign of a value is followed by two hex digits
_PLACEHOLDER: Final = re.compile(r"\{(domain|local_part)\}")
_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f"
_SURROGATES: Final = r"\ud800-\udfff"  # they have no UTF-8, so no file name can hold them
_UNSAFE: Final = re.compile(rf"\A\.|[/%{_CONTROLS}{_SURROGATES}]")
_UNSAFE_IN_DOMAIN: Final = re.compile(rf"\A\.|[/%@{_CONTROLS}{_SURROGATES}]")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """
    Where an account's mail lies, relative to the root of the store.

    Args:
        text: Folder names between slashes, with ``{domain}``, ``{local_part}`` or both in them.

    Raises:
        ValueError: it would lead out of the root, names nobody, or lets two mailboxes collide.
    """

    text: str = "{domain}/{local_part}"
    """The template as it was written."""
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _PLACEHOLDER.search(self.text):
            raise ValueError(f"{self.text!r} needs {{local_part}}, {{domain}} or both")
        for component in self.text.split("/"):
            _check_component(component, self.text)
        object.__setattr__(self, "_pieces", tuple(_PLACEHOLDER.split(self.text)))

    @property
    def depth(self) -> int:
        """
        How many folders deep a path is.
        """
        return self.text.count("/") + 1

    def render(self, mailbox: Mailbox) -> str:
        """
        Return the path of a mailbox: the domain in lower case, the local part as the mailbox spells it.

        Slashes, percent signs, control characters and a leading dot are percent-encoded, an empty part has a name
        of its own; other text, UTF-8 included, stays as it is.

        Raises:
            PermanentError: a component is longer than a file name can be (5.1.3).
        """
        domain = _safe(_UNSAFE_IN_DOMAIN, mailbox.domain.lower())
        local_part = _safe(_UNSAFE, mailbox.local_part)
        values = (domain if name == "domain" else local_part for name in self._pieces[1::2])
        path = self._pieces[0] + "".join(value + text for value, text in zip(values, self._pieces[2::2], strict=True))
        # No component is too long when all of them together are not: nearly always one look is enough.
        if len(path.encode()) > MAX_COMPONENT:
            _check_lengths(path)
        return path


def _check_component(component: str, text: str) -> None:
    around = _PLACEHOLDER.split(component)
    if "\0" in component or any(brace in piece for piece in around[::2] for brace in "{}"):
        raise ValueError(f"{text!r} may have {{domain}} and {{local_part}} in braces, and no NUL")
    if component in {"", ".", ".."}:
        raise ValueError(f"{text!r} must be a relative path without empty, '.' or '..' components")
    # ann@b.example and an@nb.example would share one folder. No domain keeps its "@", so that one divides.
    if len(around) > 5 or (len(around) == 5 and "@" not in around[2]):
        raise ValueError(f"{text!r} needs an '@' between {{local_part}} and {{domain}} within one component")


def _check_lengths(path: str) -> None:
    for component in path.split("/"):
        if len(component.encode()) > MAX_COMPONENT:
            raise PermanentError("5.1.3", f"no file name has room for {component!r}")


def _safe(unsafe: re.Pattern[str], value: str) -> str:
    return unsafe.sub(_percent, value) or _EMPTY


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", "surrogatepass"))
