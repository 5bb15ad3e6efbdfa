# SPDX-License-Identifier: Apache-2.0
"""
The transcripts of tests/dialogues, played against a whole server: over TCP and over a Unix socket.

What cuts octets in pieces is in tests/protocol/test_dialogues.py; here sockets, tasks and the order of replies count.
"""

from pathlib import Path

import pytest

import lmtp
from lmtp.aio import login
from lmtp.aio.access import Peers
from lmtp.aio.admission import Access, Admittance
from lmtp.observe import events as observed
from lmtp.testing.dialogues import SERVER_NAME, Played, load_dialogues

DIALOGUES = load_dialogues(Path(__file__).parents[1] / "dialogues")
US = Peers.parse(["unix", "127.0.0.1"])
TRUSTED = ("XCLIENT", "XFORWARD", "IGNOREQUOTA", "TRACE")
"""What a server offers to those it trusts alone."""


class Programme:
    """
    A handler that does what the rules of a transcript say.
    """

    def __init__(self, rules):
        self._rules = rules
        self.delivered = []

    def verify(self, recipient, _transaction):
        return self._rules.verdict(recipient.forward_path)

    async def deliver(self, transaction):
        content = transaction.content.read()
        for recipient in transaction.recipients:
            outcome = self._rules.outcome(recipient.forward_path)
            if isinstance(outcome, lmtp.Delivered):
                self.delivered.append((str(recipient.forward_path.mailbox), content))
            recipient.settle(outcome)


def admittance_of(dialogue):
    extensions = dialogue.offer.extensions
    trusted = {keyword.lower(): US for keyword in TRUSTED if keyword in extensions}
    return Admittance(extensions=extensions, demands=dialogue.offer.demands, access=Access(**trusted))


def settings_of(dialogue):
    return {
        "server_name": SERVER_NAME,
        "dialect": dialogue.dialect,
        "limits": dialogue.limits,
        "leniency": dialogue.leniency,
        "admittance": admittance_of(dialogue),
        "authenticator": dialogue.rules if dialogue.rules.users else None,
    }


async def answers(client, turns):
    """
    Say what the client says and return what it hears, turn by turn; what comes unasked is put behind the last.
    """
    heard = []
    for turn in turns:
        client.write(turn.octets)
        if turn.closes:
            client.writer.write_eof()
        heard.append([(await client.read_line()).decode("ascii").removesuffix("\r\n") for _ in turn.answer])
    if not turns[-1].closes:
        client.writer.write_eof()
    heard[-1] += (await client.read_to_end()).splitlines()
    return tuple(map(tuple, heard))


@pytest.fixture
def does_not_pause(monkeypatch):
    """
    Answer wrong passwords at once: transcripts have no clock.
    """
    monkeypatch.setattr(login, "FIRST_PAUSE_SECONDS", 0.0)


@pytest.mark.usefixtures("does_not_pause")
@pytest.mark.parametrize("at", ["127.0.0.1:0", "unix:{folder}/lmtp.sock"], ids=["tcp", "unix"])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.name)
async def test_is_played_over_a_socket(start, certificate, recorder, *, tmp_path, dialogue, at):
    programme = Programme(dialogue.rules)
    tls = await certificate.load() if "STARTTLS" in dialogue.offer.extensions else None
    async with start(programme, at=at.format(folder=tmp_path), tls=tls, **settings_of(dialogue)) as server:
        heard = await answers(await server.connect(greeted=False), dialogue.turns)
        [closed] = await recorder.wait_for(observed.SessionClosed)
    is_over = dialogue.turns[-1].closes or not closed.reason.endswith("client left")

    assert dialogue.expected == Played(heard, is_over, tuple(programme.delivered))
    assert [] == recorder.of(observed.HandlerFailed)
