# SPDX-License-Identifier: Apache-2.0
"""
Sizes and times as people write them: ``50 MiB``, ``5 min``.

Pure. A number alone is octets or seconds, as the name of the key says. Raises ValueError, with text for people.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

SIZES: Final[Mapping[str, int]] = {
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
}
"""Octets in a unit of size (IEC 80000-13)."""
TIMES: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
"""Seconds in a unit of time."""

_QUANTITY: Final = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?P<unit>[A-Za-z]*)")


def parse_size(text: str) -> int:
    """
    Read a number of octets.

    Raises:
        ValueError: it is none.
    """
    return int(_parse(text, SIZES, "B"))


def parse_seconds(text: str) -> float:
    """
    Read a number of seconds.

    Raises:
        ValueError: it is none.
    """
    return _parse(text, TIMES, "s")


def finite(number: float) -> float:
    """
    Return the number: TOML has ``inf`` and ``nan``, and no clock ever reaches them.

    Raises:
        ValueError: it is one of them.
    """
    if not math.isfinite(number):
        raise ValueError(f"expected a number, not {number}")
    return number


def size_text(size_bytes: int) -> str:
    """
    Return a number of octets in the biggest binary unit that divides it.
    """
    for unit in ("GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % SIZES[unit] == 0:
            return f"{size_bytes // SIZES[unit]} {unit}"
    return f"{size_bytes} B"


def _parse(text: str, units: Mapping[str, float], default_unit: str) -> float:
    match = _QUANTITY.fullmatch(text)
    factor = units.get(match["unit"] or default_unit) if match else None
    if match is None or factor is None:
        raise ValueError(f"expected a number with or without a unit ({', '.join(units)}), not {text!r}")
    return float(match["number"]) * factor
