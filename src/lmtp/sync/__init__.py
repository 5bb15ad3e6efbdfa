# SPDX-License-Identifier: Apache-2.0
"""
The client for programmes that block: no thread, no event loop, the same engine and the same results.

    import lmtp
    from lmtp.sync import connect

    with connect("unix:/run/dovecot/lmtp") as client:
        results = client.send(lmtp.OutgoingEnvelope.parse("ann@example.org", "bob@example.org"), b"Subject: ...")
"""

from lmtp.sync.client import Client, connect
from lmtp.sync.sending import Content

__all__ = ["Client", "Content", "connect"]
