# SPDX-License-Identifier: Apache-2.0
"""
A password file in a folder of its own, and an observer that writes down what it is told.
"""

import asyncio

import pytest

from lmtp.auth.password_file import PasswordFile, PasswordFileOptions


class House:
    """
    Where a password file is.
    """

    def __init__(self, folder):
        self.path = folder / "passwords"
        self._told = []

    def observe(self, event):
        self._told.append(event)

    async def told(self):
        """
        Return what was told; events come over the event loop.
        """
        await asyncio.sleep(0)
        return [event.detail.replace(str(self.path), "passwords") for event in self._told]

    def write(self, text):
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(text.encode() if isinstance(text, str) else text)
        fresh.replace(self.path)

    def file(self, **options):
        return PasswordFile(PasswordFileOptions(path=self.path, **options), self)

    async def loaded(self, text, **options):
        self.write(text)
        passwords = self.file(**options)
        await passwords.load()
        return passwords


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)
