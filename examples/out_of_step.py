# SPDX-License-Identifier: Apache-2.0
"""
What two classes say of the same two messages: smtplib's LMTP, and the one that takes its place.

    python examples/out_of_step.py /run/dovecot/lmtp works@example.org full@example.org

The first message is for an address that works and for one that fails after the content, the second for the first alone.
smtplib reads one reply where the server gives two (cpython issue 76984): it says that all is well with the first
message, and takes the reply it has left for the answer to the second.
"""

import smtplib
import sys

import lmtp.compat.smtplib

SENDER = "sender@example.org"
MESSAGE = "Subject: hello\n\nHello.\n"


def send_two(session: smtplib.LMTP, works: str, fails: str) -> list[str]:
    """
    Send both messages, and say what the class says of each.
    """
    return [send(session, [works, fails]), send(session, [works])]


def send(session: smtplib.LMTP, recipients: list[str]) -> str:
    try:
        return f"refused: {session.sendmail(SENDER, recipients, MESSAGE)}"
    except smtplib.SMTPException as error:
        return f"raised: {error!r}"


def main(host: str, works: str, fails: str, port: int = smtplib.LMTP_PORT) -> dict[str, list[str]]:
    said = {}
    for module in (smtplib, lmtp.compat.smtplib):
        session = module.LMTP(host, port, local_hostname="localhost")
        said[module.__name__] = send_two(session, works, fails)
        session.close()
    return said


if __name__ == "__main__":
    for name, (first, second) in main(*sys.argv[1:4]).items():
        print(f"{name}.LMTP\n  first message   {first}\n  second message  {second}")
