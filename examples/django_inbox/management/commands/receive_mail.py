# SPDX-License-Identifier: Apache-2.0
"""
Mail from Postfix becomes rows: ``manage.py receive_mail unix:/run/inbox/lmtp.sock``.

Each recipient is a transaction of the database: one whose row could not be written is deferred, and Postfix brings the
message again for that one alone.
"""

import asyncio
from argparse import ArgumentParser

from asgiref.sync import sync_to_async
from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections, transaction

import lmtp
from django_inbox.models import Mailbox, Message


class Inbox:
    async def verify(self, recipient: lmtp.Recipient, _transaction: lmtp.Transaction) -> lmtp.Verdict:
        try:
            key = await sync_to_async(find)(str(recipient.forward_path.mailbox))
        except Error as error:
            return lmtp.Deferred("4.3.0", detail=str(error))
        return lmtp.Accepted(account=key) if key else lmtp.Failed("5.1.1")

    async def deliver(self, transaction: lmtp.Transaction) -> None:
        for recipient in transaction.recipients:
            recipient.settle(await sync_to_async(store)(recipient, transaction))


def find(address: str) -> int | None:
    close_old_connections()  # the database may have ended them since the last message
    return Mailbox.objects.filter(address__iexact=address).values_list("pk", flat=True).first()


def store(recipient: lmtp.Recipient, received: lmtp.Transaction) -> lmtp.Outcome:
    close_old_connections()
    try:
        with transaction.atomic(durable=True):
            row = Message.objects.create(
                mailbox_id=recipient.account, sender=str(received.reverse_path), content=received.content.read()
            )
    except Error as error:
        return lmtp.Deferred("4.3.0", detail=str(error))
    return lmtp.Delivered(where=f"message {row.pk}")


class Command(BaseCommand):
    help = "Receive mail by LMTP."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("endpoint", nargs="?", default="127.0.0.1:2424")

    def handle(self, *_args: object, **options: str) -> None:
        asyncio.run(serve(options["endpoint"]))


async def serve(endpoint: str) -> None:
    async with lmtp.serve(Inbox(), endpoint):
        await asyncio.Event().wait()
