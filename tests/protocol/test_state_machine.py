# SPDX-License-Identifier: Apache-2.0
"""
Sessions nobody would write down: any commands in any order, cut anywhere, decided late and backwards, ended anywhere.

A small model of RFC 2033 (model.py) says how many replies there must be and which codes they have; afterwards a
second engine hears the same octets in as few pieces as possible and must report the same.
"""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lmtp.protocol import events
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.phases import Phase
from lmtp.protocol.reply import SHUTTING_DOWN
from lmtp.protocol.server import ServerConnection
from lmtp.testing.strategies import contents, envelopes, transmitted
from tests.protocol.model import LIMITS, Line, Model
from tests.protocol.session import SERVER_NAME, read_replies

MANY = 12
"""After so many stimuli a session may come to an end; earlier ends would leave little to see."""


def refused(octets, code="500", answered_at=0):
    return Line(octets, "refused", code, answered_at)


COMMANDS = [
    Line(b"LHLO mx.example\r\n", "greet"),
    Line(b"lhlo [192.0.2.1] \r\n", "greet"),
    Line(b"MAIL FROM:<>\r\n", "mail"),
    Line(b"MAIL FROM:<> SIZE=100\r\n", "mail"),
    Line(b"MAIL FROM:<> SIZE=65537\r\n", "big mail"),
    Line(b"RCPT TO:<ann@example>\r\n", "rcpt"),
    Line(b'RCPT TO:<"a> b"@example>\r\n', "rcpt"),
    Line(b"DATA\r\n", "data"),
    Line(b"RSET\r\n", "rset"),
    Line(b"NOOP\r\n", "harmless", "250"),
    Line(b"VRFY ann\r\n", "harmless", "252"),
    Line(b"HELP\r\n", "harmless", "214"),
]
MALFORMED = [
    refused(b"\r\n"),
    refused(b"WHAT\r\n"),
    refused(b"EHLO mx.example\r\n"),
    refused(b"BDAT 3 LAST\r\n", "502"),
    refused(b"LHLO\r\n", "501"),
    refused(b"MAIL FROM: <ann@example>\r\n", "501"),
    refused(b"MAIL FROM:<> WHAT=1\r\n", "555"),
    refused(b"RCPT TO:<>\r\n", "501"),
    refused("RCPT TO:<jörg@example>\r\n".encode(), "553"),
    refused(b"DATA now\r\n", "501"),
    refused(b"NOOP\0\r\n"),
    refused(b"NOOP\rQUIT\r\n"),
    refused(b"NOOP\r\r\n"),
    refused(b"NOOP\nQUIT\r\n", answered_at=5),
    refused(b"\nQUIT\r\n", answered_at=1),
    refused(b"x" * 600 + b"\r\n", answered_at=512),
    refused(b"x" * 511 + b"\r\n", answered_at=512),
    refused(b"x" * 70_000 + b"\r\n", answered_at=512),
]
DOT = Line(b".\r\n", "dot")

VERDICTS = [(Accepted(), "250"), (Accepted(), "250"), (Deferred("4.2.1"), "450"), (Failed("5.1.1"), "550")]
OUTCOMES = [(Delivered(), "250"), (Deferred("4.2.2"), "452"), (Failed("5.7.1"), "550")]


class Engine:
    """
    An engine that is told what happens, and writes down what it reports in a form that can be compared.
    """

    def __init__(self):
        self.connection = ServerConnection(SERVER_NAME, limits=LIMITS)
        self.sent = b""
        self.report = []
        self.recipients = []
        self.envelope = None
        self.content = b""
        self.completed = []
        self.listen()

    def tell(self, what, *arguments):
        """
        Let something happen: a stimulus is the name of a method of ours and its arguments.
        """
        getattr(self, what)(*arguments)
        self.listen()

    def data(self, octets):
        self.connection.receive_data(octets)

    def decide(self, number, verdict):
        self.connection.decide(self.recipients[number], verdict)

    def settle(self, number, outcome):
        self.recipients[number].settle(outcome)

    def abandon(self, number, refusal):
        self.recipients[number].abandon(refusal)

    def refuse_content(self, refusal):
        self.connection.refuse_content(self.envelope, refusal)

    def drain(self):
        self.connection.drain()

    def close(self):
        self.connection.close(SHUTTING_DOWN)

    def leave(self):
        self.connection.receive_eof()

    def vanish(self):
        self.connection.receive_reset()

    def listen(self):
        while happened := self.connection.next_events():
            for event in happened:
                self.note(event)
        self.sent += self.connection.data_to_send()

    def note(self, event):
        match event:
            case events.ContentReceived(octets):
                self.content += octets
                return  # how a content is cut is nobody's business, and of one that is refused how much came
            case events.RecipientOffered(recipient):
                self.recipients.append(recipient)
            case events.TransactionOpened(envelope):
                self.envelope = envelope
            case events.ContentStarted():
                self.content = b""
            case events.ContentCompleted():
                self.completed.append(self.content)
                self.report.append(("content", self.content))
        self.report.append((type(event).__name__, *(self.describe(getattr(event, name)) for name in event.__slots__)))

    def describe(self, value):
        if isinstance(value, Recipient):
            return f"recipient {self.recipients.index(value)}: {value.forward_path}"
        if isinstance(value, Envelope):
            return f"from {value.reverse_path} {value.parameters}"
        return value


class Sessions(RuleBasedStateMachine):
    """
    What may happen to a server, and what must hold after each step.
    """

    def __init__(self):
        super().__init__()
        self.engine = Engine()
        self.model = Model()
        self.said = deque()
        self.fed_of_line = 0
        self.stimuli = []

    def tell(self, what, *arguments):
        self.stimuli.append((what, *arguments))
        self.engine.tell(what, *arguments)

    # The client.

    @initialize(greets=st.integers(0, 9).map(bool))
    def greet(self, greets):
        self.said.extend(COMMANDS[:1] if greets else [])

    @precondition(lambda self: not self.model.has_left)
    @rule(line=st.sampled_from(COMMANDS))
    def say_a_command(self, line):
        self.said.append(line)

    @precondition(lambda self: not self.model.has_left)
    @rule(line=st.sampled_from(MALFORMED))
    def say_what_is_no_command(self, line):
        self.said.append(line)

    @precondition(lambda self: not self.model.has_left)
    @rule(envelope=envelopes(), greets=st.booleans())
    def say_a_transaction(self, envelope, greets):
        reverse_path, forward_paths = envelope
        self.said.extend(COMMANDS[:1] if greets else [])
        self.said.append(Line(f"MAIL FROM:{reverse_path}\r\n".encode(), "mail"))
        self.said.extend(Line(f"RCPT TO:{path}\r\n".encode(), "rcpt") for path in forward_paths)
        self.said.append(Line(b"DATA\r\n", "data"))

    @precondition(lambda self: self.model.phase == "content" and not self.said and not self.model.has_left)
    @rule(content=contents())
    def say_a_content(self, content):
        lines = transmitted(content).split(b"\r\n")[:-2]
        for line in lines:  # a space, so that what comes as a command after all is none
            self.said.append(refused(line + b"\r\n" if line.startswith(b".") else b" " + line + b"\r\n"))
        self.said.append(DOT)

    @precondition(lambda self: not self.model.has_left)
    @rule(envelope=envelopes(max_recipients=3), content=contents())
    def say_a_message_without_waiting(self, envelope, content):
        self.say_a_transaction(envelope, greets=False)
        self.say_a_content(content)

    @precondition(lambda self: not self.model.has_left and len(self.stimuli) > MANY)
    @rule()
    def say_quit(self):
        self.said.append(Line(b"QUIT\r\n", "quit"))

    @precondition(lambda self: self.said)
    @rule()
    def send_everything(self):
        self.send(sum(len(line.octets) for line in self.said))

    @precondition(lambda self: self.said)
    @rule(count=st.integers(1, 100))
    def send_some(self, count):
        self.send(count)

    def send(self, count):
        octets = b"".join(line.octets for line in self.said)[self.fed_of_line :][:count]
        self.tell("data", octets)
        count = len(octets)
        heard = []
        while count:
            line, before = self.said[0], self.fed_of_line
            step = min(count, len(line.octets) - before)
            count -= step
            self.fed_of_line += step
            if before < line.known_after <= self.fed_of_line:
                heard.append(line)
            if self.fed_of_line == len(line.octets):
                self.said.popleft()
                self.fed_of_line = 0
        self.model.hear(heard)

    @precondition(lambda self: not self.model.has_left and len(self.stimuli) > MANY)
    @rule()
    def leave(self):
        self.said.clear()
        self.tell("leave")
        self.model.has_left = True
        self.model.go_on()

    @precondition(lambda self: len(self.stimuli) > MANY)
    @rule()
    def vanish(self):
        self.said.clear()
        self.tell("vanish")
        self.model.vanish()

    # The programme behind the server.

    @precondition(lambda self: self.model.undecided)
    @rule(data=st.data(), verdict=st.sampled_from(VERDICTS))
    def decide(self, data, verdict):
        number = data.draw(st.sampled_from(sorted(self.model.undecided)))
        self.tell("decide", number, verdict[0])
        self.model.decide(number, verdict[1])

    @precondition(lambda self: self.model.undecided)
    @rule(backwards=st.booleans())
    def accept_everybody(self, backwards):
        while waiting := sorted(self.model.undecided, reverse=backwards):
            self.tell("decide", waiting[0], Accepted())
            self.model.decide(waiting[0], "250")

    @precondition(lambda self: self.model.unsettled)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def settle(self, data, outcome):
        number = data.draw(st.sampled_from(sorted(self.model.unsettled)))
        self.tell("settle", number, outcome[0])
        self.model.settle(number, outcome[1])
        self.model.go_on()

    @precondition(lambda self: self.model.unsettled)
    @rule(backwards=st.booleans())
    def deliver_to_everybody(self, backwards):
        for number in sorted(self.model.unsettled, reverse=backwards):
            self.tell("settle", number, Delivered())
            self.model.settle(number, "250")
        self.model.go_on()

    @precondition(lambda self: self.model.unsettled)
    @rule(data=st.data(), refusal=st.sampled_from(OUTCOMES[1:]))
    def abandon(self, data, refusal):
        number = data.draw(st.sampled_from(sorted(self.model.unsettled)))
        self.tell("abandon", number, refusal[0])
        self.model.settle(number, refusal[1])
        self.tell("settle", number, Delivered())  # too late: nobody hears it
        self.model.go_on()

    @precondition(lambda self: self.model.phase in ("content", "replying"))
    @rule(refusal=st.sampled_from(OUTCOMES[1:]))
    def refuse_content(self, refusal):
        self.tell("refuse_content", refusal[0])
        self.model.refuse_content(refusal[1])
        self.model.go_on()

    @precondition(lambda self: len(self.stimuli) > MANY)
    @rule()
    def drain(self):
        self.tell("drain")
        self.model.is_draining = True
        self.model.go_on()

    @precondition(lambda self: len(self.stimuli) > MANY)
    @rule()
    def close(self):
        self.tell("close")
        self.model.close()

    # What must hold.

    @invariant()
    def replies_are_those_of_the_model_and_in_its_order(self):
        assert self.model.released == [reply[:3] for reply in read_replies(self.engine.sent)]

    @invariant()
    def everything_else_is_owed(self):
        assert len(self.model.codes) - len(self.model.released) == self.engine.connection.replies_owed

    @invariant()
    def contents_are_those_of_the_model(self):
        assert self.model.completed == self.engine.completed

    @invariant()
    def nothing_is_kept_that_need_not_be(self):
        connection = self.engine.connection
        if connection.phase is Phase.CONTENT:
            assert len(connection._input) <= 4
        elif not self.model.lines and connection.phase is not Phase.CLOSED:
            assert len(connection._input) <= LIMITS.command_line_bytes

    def teardown(self):
        again = Engine()
        for what, *arguments in in_fewest_pieces(self.stimuli):
            again.tell(what, *arguments)

        assert self.engine.sent == again.sent
        assert self.engine.report == again.report
        assert_transactions_end_once([name for name, *_ in self.engine.report])


def assert_transactions_end_once(names):
    """
    Whoever keeps something for a transaction can let it go: answered or aborted, before the next one is opened.
    """
    opened, ends = "TransactionOpened", ("TransactionAnswered", "TransactionAborted")
    bounds = [name for name in names if name == opened or name in ends]
    assert all(name == opened for name in bounds[::2])
    assert all(name in ends for name in bounds[1::2])
    assert len(bounds) % 2 == 0 or names[-1] != "SessionEnded"


def in_fewest_pieces(stimuli):
    """
    Join the octets that came one after the other; not when draining: then a session ends at the first pause.
    """
    joined = []
    for what, *arguments in stimuli:
        if what == "data" and joined and joined[-1][0] == "data" and ("drain",) not in joined:
            joined[-1] = ("data", joined[-1][1] + arguments[0])
        else:
            joined.append((what, *arguments))
    return joined


Sessions.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestSessions = pytest.mark.slow(Sessions.TestCase)
