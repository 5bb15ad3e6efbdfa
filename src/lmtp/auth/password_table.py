# SPDX-License-Identifier: Apache-2.0
"""
Who may authenticate with what, at one moment; and what a stranger is told, so as not to find out who is known.

Not here: where the users come from (password_file.py). Called by the exchanges, on threads. Never raises.
RFC 5802 §9: a server should answer for a name it does not know as for one it does.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lmtp.auth.passwords import HashSecret, PlainSecret, ScramSecret, Secret
from lmtp.auth.scram import MIN_ITERATIONS, ScramKeys, derive_keys

_SALT_OCTETS: Final = 16


class PasswordTable:
    """
    Users and their secrets.

    A name that nobody has borrows somebody's secret, always the same one's while the table is in force: it is
    checked for as long, and announced with as many iterations and as long a salt, as that of a user. The names of a
    file of many schemes differ by these among themselves; so do those that are in no file.

    Args:
        users: The secrets by prepared name; at least one.
        key: What salts are made from that are in no file. Who knows it can tell the known from the unknown.
    """

    def __init__(self, users: Mapping[str, Secret], key: bytes) -> None:
        self._users = users
        self._secrets = tuple(users.values())
        self._key = hashlib.sha256(key).digest()
        self.serves_scram = any(not isinstance(secret, HashSecret) for secret in self._secrets)
        """Whether anybody here can use SCRAM."""

    def verify(self, name: str, password: str) -> bool:
        """
        Return whether the user of this prepared name has this password.
        """
        secret = self._users.get(name, self._stand_in(name))
        return secret.verify(password) and name in self._users

    def scram_keys(self, name: str) -> ScramKeys:
        """
        Return the keys for a prepared name; when there are none for it, those that no password fits.

        Keys are derived at each call, needed or not: otherwise the time would tell users with stored keys from users
        with a password in clear text, and both from strangers.
        """
        own, shown = self._users.get(name), self._users.get(name, self._stand_in(name))
        salt_octets, iterations = _SALT_OCTETS, MIN_ITERATIONS
        if isinstance(shown, ScramSecret):
            salt_octets, iterations = len(shown.keys.salt), shown.keys.iterations
        password = own.prepared if isinstance(own, PlainSecret) else ""
        derived = derive_keys(password, self._keyed("salt", name, salt_octets), iterations)
        match own:
            case ScramSecret(keys):
                return keys
            case PlainSecret():
                return derived
            case _:
                # A hash of nothing anybody has: not even who knows our key can make a proof that fits it.
                return replace(derived, stored_key=self._keyed("stored key", name, 32))

    def _stand_in(self, name: str) -> Secret:
        return self._secrets[int.from_bytes(self._keyed("stand-in", name, 8)) % len(self._secrets)]

    def _keyed(self, purpose: str, name: str, size_octets: int) -> bytes:
        """
        Return octets that are always the same for a name, and that nobody can tell from random ones without the key.
        """
        return hashlib.shake_256(self._key + f"{purpose}\0{name}".encode()).digest(size_octets)
