# SPDX-License-Identifier: Apache-2.0
"""
An LMTP server made of aiosmtpd's LMTP class as it comes, with a handler that delivers into Maildirs.

Not a part of the tests' Python: libraries.py runs it with one that has aiosmtpd. The class sends what `handle_DATA`
returns, once for all recipients: this handler returns one reply, as the library's documentation shows it.
"""

import asyncio
import json
import logging
import mailbox
import sys
from pathlib import Path

from aiosmtpd.lmtp import LMTP


class Deliver:
    """
    Who is known, and where their messages go.
    """

    def __init__(self, maildir, users, over_quota):
        self._maildir = Path(maildir)
        self._users = frozenset(users)
        self._over_quota = frozenset(over_quota)

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the library's name
        local_part, _, domain = address.partition("@")
        known = f"{local_part}@{domain.lower()}"  # domains compare without case, RFC 5321 §2.4
        if known not in self._users:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(known)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the library's name
        for address in envelope.rcpt_tos:
            if address not in self._over_quota:
                self._folder(address).add(envelope.content)
        return "552 5.2.2 over quota" if self._over_quota.intersection(envelope.rcpt_tos) else "250 2.0.0 OK"

    def _folder(self, address):
        local_part, _, domain = address.partition("@")
        path = self._maildir / domain / local_part
        path.parent.mkdir(parents=True, exist_ok=True)
        return mailbox.Maildir(path)


async def serve(socket, **settings):
    handler = Deliver(**settings)
    server = await asyncio.get_running_loop().create_unix_server(lambda: LMTP(handler), socket)
    await server.serve_forever()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    asyncio.run(serve(**json.loads(sys.argv[1])))
