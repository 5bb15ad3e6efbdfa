# SPDX-License-Identifier: Apache-2.0
"""
The same servers that the blocking client is tried on.
"""

from tests.sync.conftest import (  # noqa: F401 - fixtures
    answering,
    anyio_backend,
    collect,
    collect_under_tls,
    script,
    start,
)
