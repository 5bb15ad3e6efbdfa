# SPDX-License-Identifier: Apache-2.0
"""
A real Postfix hands over real messages for three recipients at once, and each gets its own answer.

All is delivered once, for all tests of the module: one recipient is fine, one unknown, and one's mailbox can't be
written until it is mended.
"""

import contextlib
import email
import email.policy
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from tests.peers.agent import Agent
from tests.peers.corpus import FOLDER, OWN, on_disk, real_messages
from tests.peers.maildir import split_field, split_trace
from tests.peers.postfix import Postfix
from tests.peers.process import until

pytestmark = [pytest.mark.slow, pytest.mark.peer("postfix")]

HEADER_SECTION = re.compile(rb"(?:[!-9;-~]+:.*\r\n(?:[ \t].*\r\n)*)*(?:\r\n|\Z)")
"""One that has nothing in it but fields."""
FINE, UNKNOWN, BROKEN = "fine@example.org", "unknown@example.org", "broken@example.org"


@dataclass
class Scene:
    """
    What was seen, in the order in which it happened.
    """

    messages: dict[str, bytes]
    """What was sent, by its sender: each has one of its own, with a mailbox here for what bounces."""
    agent: Agent
    queue: list[dict[str, Any]]
    """Postfix's queue when everything had been tried."""
    broken_before: list[bytes]
    """What the broken mailbox had then."""
    tries: list[dict[str, Any]]
    """Our log until then: a line for each recipient of the messages."""


@pytest.fixture(scope="module")
def scene(shared_place):
    messages = {f"m{n}@example.org": message for n, message in enumerate((OWN | real_messages()).values())}
    (shared_place / "postfix").mkdir()
    with contextlib.ExitStack() as stack:
        agent = stack.enter_context(Agent(shared_place, [FINE, BROKEN, *messages]))
        obstacle = agent.mailbox(BROKEN).path
        obstacle.parent.mkdir()
        obstacle.touch()
        postfix = stack.enter_context(Postfix(shared_place / "postfix", f"unix:{agent.socket}"))
        for sender, message in messages.items():
            postfix.send(sender, [FINE, UNKNOWN, BROKEN], message)
        until(lambda: all(agent.mailbox(sender).files() for sender in messages), "every bounce")
        postfix.until_deferred(len(messages))
        seen = Scene(
            messages, agent, postfix.queue(), agent.mailbox(BROKEN).messages(), tries_of(agent, 3 * len(messages))
        )
        obstacle.unlink()
        postfix.retry()
        postfix.until_empty()
        yield seen


def tries_of(agent, count):
    """
    Wait for the log lines about the three recipients, those about bounces put aside.
    """

    def tries():
        lines = agent.log(event="recipient_settled") + agent.log(event="recipient_refused")
        return [line for line in lines if line["to"].strip("<>") in {FINE, UNKNOWN, BROKEN}]

    until(lambda: len(tries()) >= count, f"{count} log lines")
    return tries()


def sent_and_stored(scene, messages):
    """
    Pair what was sent with what of it is stored below our trace fields and Postfix's Received.
    """
    sent = {sender: as_relayed(message, on_disk(message)) for sender, message in scene.messages.items()}
    stored = {}
    for message in messages:
        trace, rest = split_trace(message)
        sender = trace["Return-Path"].strip("<>")
        stored[sender] = as_relayed(scene.messages[sender], split_field(b"Received", rest)[1])
    return sent, stored


def as_relayed(original, content):
    """
    Return what to compare of a message that went through Postfix: all of it, unless its header section was broken.

    Then Postfix mends that: an empty line goes before what is no field, blanks before a colon go away, and the
    line with which a message in an mbox begins becomes a field.
    """
    if HEADER_SECTION.match(original):
        return content
    return b"".join(content.removeprefix(b"X-Mailbox-Line: ").split())


class TestFirstRecipient:
    def test_has_every_message_as_it_was_sent(self, scene):
        sent, stored = sent_and_stored(scene, scene.agent.mailbox(FINE).messages())

        assert sent == stored
        assert len(sent) == len(scene.agent.mailbox(FINE).files())

    def test_is_named_in_its_copy_and_nobody_else_is(self, scene):
        for message in scene.agent.mailbox(FINE).messages():
            trace, _ = split_trace(message)

            assert FINE == trace["Delivered-To"]
            assert UNKNOWN not in str(trace)
            assert BROKEN not in str(trace)


class TestUnknownRecipient:
    def test_is_bounced_with_our_text(self, scene):
        for sender in scene.messages:
            (bounce,) = scene.agent.mailbox(sender).messages()
            (refusal,) = (line for line in scene.tries if line["from"] == f"<{sender}>" and UNKNOWN in line["to"])
            report = email.message_from_bytes(bounce, policy=email.policy.default)
            assert "<>" == split_trace(bounce)[0]["Return-Path"]
            (status,) = (part for part in report.iter_parts() if part.get_content_type() == "message/delivery-status")
            fields = status.get_payload()[1]

            assert "failed" == fields["Action"]
            assert "5.1.1" == fields["Status"]
            assert f"smtp; {refusal['reply']}" == fields["Diagnostic-Code"]
            assert refusal["reply"].startswith("550 5.1.1 ")

    def test_has_no_mailbox_afterwards(self, scene):
        assert not scene.agent.mailbox(UNKNOWN).path.exists()


class TestRecipientWhoseMailboxCannotBeWritten:
    def test_is_the_only_one_left_in_the_queue(self, scene):
        waiting = [
            (entry["sender"], recipient["address"]) for entry in scene.queue for recipient in entry["recipients"]
        ]

        assert sorted((sender, BROKEN) for sender in scene.messages) == sorted(waiting)

    def test_waits_with_a_transient_reply(self, scene):
        reasons = [entry["recipients"][0]["delay_reason"] for entry in scene.queue]

        assert len(scene.messages) == len(reasons)
        assert all("451 4." in reason for reason in reasons)

    def test_has_every_message_once_it_is_mended(self, scene):
        sent, stored = sent_and_stored(scene, scene.agent.mailbox(BROKEN).messages())

        assert [] == scene.broken_before
        assert sent == stored
        assert len(sent) == len(scene.agent.mailbox(BROKEN).files())


class TestTransaction:
    """
    RFC 2033 §4.2: one message for three is one transaction with three answers.
    """

    def test_is_one_for_all_three_recipients(self, scene):
        outcomes = defaultdict(dict)
        for line in scene.tries:
            outcomes[line["transaction"]][line["to"].strip("<>")] = line["outcome"]

        assert [{FINE: "delivered", UNKNOWN: "failed", BROKEN: "deferred"}] * len(scene.messages) == list(
            outcomes.values()
        )


class TestCorpus:
    def test_has_real_messages(self):
        if not real_messages():
            pytest.skip(f"no real messages in {FOLDER}: only our own were sent")
