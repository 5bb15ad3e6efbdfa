# SPDX-License-Identifier: Apache-2.0
"""
What cases need: each function returns why something is missing, in words for the operator, or nothing.

Named in the decorators of the cases; asked by the runner. Raises nothing.
"""

from lmtp.conformance.model import Need
from lmtp.conformance.server import Server, Tls


def offers(keyword: str) -> Need:
    """
    Return the need for an extension.
    """
    return lambda server: "" if keyword in server.offers else f"{keyword} is not offered"


def offers_in_clear(keyword: str) -> Need:
    """
    Return the need for an extension before TLS.
    """
    return lambda server: "" if keyword in server.offers_in_clear else f"{keyword} is not offered"


def offers_not(keyword: str) -> Need:
    """
    Return the need for an extension not to be there.
    """
    return lambda server: f"{keyword} is offered" if keyword in server.offers else ""


def offers_word(keyword: str, word: str) -> Need:
    """
    Return the need for a word behind a keyword, as a mechanism of AUTH.
    """
    return lambda server: "" if word in server.offers.of(keyword) else f"{keyword} {word} is not offered"


def users(count: int) -> Need:
    """
    Return the need for so many addresses the server accepts.
    """
    named = "--user" if count == 1 else f"--user ({count} of them)"
    return lambda server: "" if len(server.setup.users) >= count else f"{named} was not given"


def unknown(server: Server) -> str:
    """
    Need an address that is refused at RCPT.
    """
    return "" if server.setup.unknown else "--unknown was not given"


def failing(server: Server) -> str:
    """
    Need an address that is refused after the content.
    """
    return "" if server.setup.failing else "--failing was not given"


def delivers(server: Server) -> str:
    """
    Need to send what could be delivered.
    """
    return "--safe was given" if server.setup.is_safe else ""


def reads(server: Server) -> str:
    """
    Need to read what was delivered.
    """
    return delivers(server) or ("" if server.setup.maildir else "--maildir was not given")


def credentials(server: Server) -> str:
    """
    Need somebody to log in as, over a way on which PLAIN is offered.
    """
    if server.setup.credentials is None:
        return "--auth-user was not given"
    return "" if "PLAIN" in server.offers_in_clear.of("AUTH") + server.offers.of("AUTH") else "PLAIN is not offered"


def nobody_logged_in(server: Server) -> str:
    """
    Need sessions without AUTH: a second one is refused (RFC 4954 §4).
    """
    return "sessions are authenticated already: leave --auth-user out" if server.setup.credentials else ""


def clear(server: Server) -> str:
    """
    Need connections that begin in clear.
    """
    return "connections begin with TLS" if server.setup.tls is Tls.IMPLICIT else ""


def encrypted(server: Server) -> str:
    """
    Need connections with TLS.
    """
    return "neither --tls nor --starttls was given" if server.setup.tls is Tls.NEVER else ""


def not_encrypted(server: Server) -> str:
    """
    Need connections without TLS.
    """
    return "" if server.setup.tls is Tls.NEVER else "connections are encrypted"


def fixed_size_limit(server: Server) -> str:
    """
    Need a limit of the size of messages.
    """
    return "" if server.size_limit else "SIZE without a limit"
