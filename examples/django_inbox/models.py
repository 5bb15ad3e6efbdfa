# SPDX-License-Identifier: Apache-2.0
from django.db import models


class Mailbox(models.Model):
    """
    Somebody who may get mail.
    """

    address = models.EmailField(unique=True)

    def __str__(self) -> str:
        return self.address


class Message(models.Model):
    """
    A message in a mailbox.
    """

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE)
    sender = models.CharField(max_length=320, blank=True)
    content = models.BinaryField()
    received = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.sender} to {self.mailbox}"
