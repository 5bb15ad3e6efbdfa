# SPDX-License-Identifier: Apache-2.0
"""
Sessions nobody would write down: any commands in any order, cut anywhere, decided late and backwards, ended anywhere.

A small model of RFC 2033 (model.py) says how many replies there must be and which codes they have; afterwards a
second engine hears the same octets in as few pieces as possible and must report the same. All is offered but STARTTLS,
behind which nothing may be said in the same piece: test_starttls.py has that.
"""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lmtp.protocol import events, sasl
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.extensions import EXTENSIONS, Offer
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.phases import Phase
from lmtp.protocol.reply import SHUTTING_DOWN
from lmtp.protocol.server import ServerConnection
from lmtp.testing.strategies import contents, envelopes, transmitted, wild_octets
from tests.protocol.model import LIMITS, LONGEST_LINE, Line, Model
from tests.protocol.session import SERVER_NAME, read_replies

OFFER = Offer(
    extensions=frozenset(row.keyword for row in EXTENSIONS) - {"STARTTLS"},  # which no piece may go beyond
    mechanisms=("SCRIPTED",),
)
REPLACED = replace(OFFER, extensions=OFFER.extensions - {"XCLIENT", "XFORWARD"})
"""What the client is offered for whom a proxy stands: it is no proxy."""
MANY = 12
"""After so many stimuli a session may come to an end; earlier ends would leave little to see."""

MAIL = [
    Line(b"MAIL FROM:<>", "mail", "250"),
    Line(b"MAIL FROM:<> SIZE=100 RET=HDRS", "mail", "250"),
    Line(b"MAIL FROM:<> BODY=BINARYMIME", "mail", "250", is_binary=True),
    Line(b"MAIL FROM:<> SMTPUTF8", "mail", "250", is_international=True),
]
WHO = [
    Line(b"AUTH SCRIPTED", "auth", "334"),
    Line(b"auth scripted =", "auth", "334"),
    Line(b"AUTH SCRIPTED AGFubg==", "auth", "334"),
    Line(b"AUTH SCRIPTED AGFubg", "auth", "501"),
    Line(b"AUTH OTHER", "auth", "504"),
    Line(b"XCLIENT ADDR=192.0.2.7 NAME=mx.example", "xclient", "220"),
    Line(b"XFORWARD ADDR=192.0.2.7 SOURCE=REMOTE", "xforward", "250"),
]
GREET = Line(b"LHLO mx.example", "greet")
RSET = Line(b"RSET", "rset")
COMMANDS = [
    GREET,
    Line(b"lhlo [192.0.2.1] ", "greet"),
    *MAIL,
    Line(b"MAIL FROM:<> SIZE=65537", "mail", "552"),
    Line("MAIL FROM:<jörg@example> SMTPUTF8".encode(), "mail", "250", is_international=True),
    Line(b"RCPT TO:<ann@example>", "rcpt"),
    Line(b'RCPT TO:<"a> b"@example> NOTIFY=NEVER', "rcpt"),
    Line("RCPT TO:<jörg@bücher.example>".encode(), "rcpt", is_international=True),
    Line(b"DATA", "data"),
    RSET,
    Line(b"NOOP", "harmless", "250"),
    Line(b"VRFY ann", "harmless", "252"),
    Line(b"HELP", "harmless", "214"),
    Line(b"TRACE 4F2a", "harmless", "250"),
    *WHO,
]
MALFORMED = [
    Line(b""),
    Line(b"WHAT"),
    Line(b"EHLO mx.example"),
    Line(b"STARTTLS", code="502"),
    Line(b"LHLO", code="501"),
    Line(b"MAIL FROM: <ann@example>", code="501"),
    Line(b"MAIL FROM:<> WHAT=1", code="555"),
    Line("MAIL FROM:<jörg@example>".encode(), code="550"),
    Line(b"RCPT TO:<>", code="501"),
    Line("RCPT TO:<jörg@example>".encode("latin-1"), code="501"),
    Line(b"DATA now", code="501"),
    Line(b"AUTH", code="501"),
    Line(b"XCLIENT", "xclient", "501"),
    Line(b"XFORWARD", "xforward", "501"),
    Line(b"XCLIENT ADDR=fe80::1%+0A", "xclient", "501"),
    Line(b"*"),
    Line(b"AGFubgA="),
    Line(b"NOOP\0"),
    Line(b"NOOP\rQUIT"),
    Line(b"NOOP\r"),
    Line(b"NOOP\nQUIT"),
    Line(b"\nQUIT"),
    Line(b"BDAT 3\n"),
    Line(b"x" * 600),
    Line(b"x" * (LONGEST_LINE - 2)),
    Line(b"x" * (LONGEST_LINE - 1)),
    Line(b"x" * 70_000),
]
QUIT = Line(b"QUIT", "quit")
LAST_WORDS = [
    QUIT,
    Line(b"BDAT", code="501", ends_session=True),
    Line(b"BDAT x LAST", code="501", ends_session=True),
    Line(b"BDAT\t3", ends_session=True),
    Line(b"BDAT " + b"9" * 20 + b" LAST", "bdat", size_bytes=int("9" * 20), is_last=True),
]
BARE = [Line(verb, code="501") for verb in (b"MAIL", b"RCPT", b"VRFY", b"TRACE")]
"""What nobody says, but hypothesis may think of as an octet string."""
NOT_OFFERED = [
    Line(verb, code="502") for verb in (b"EXPN", b"ETRN", b"TURN", b"ATRN", b"BURL", b"SEND", b"SOML", b"SAML")
]

VERDICTS = [(Accepted(), "250"), (Accepted(), "250"), (Deferred("4.2.1"), "450"), (Failed("5.1.1"), "550")]
OUTCOMES = [(Delivered(), "250"), (Deferred("4.2.2"), "452"), (Failed("5.7.1"), "550")]
STEPS = [
    (sasl.Challenge(b"who?"), "334"),
    (sasl.Challenge(b"x" * 500), "334"),
    (sasl.Rejected(), "535"),
    (sasl.Rejected("4.7.0"), "454"),
    (sasl.Authenticated("ann"), "235"),
]

FIRST = st.sampled_from([[], [RSET], [GREET], [GREET]])
"""What makes it likely that what follows is in its place."""
PACES = st.sampled_from([0, 1, 10, 0.5, 0.9, 1.0, 1.0, 1.0])
"""How much is sent at once: a number of octets, or a part of what there is to be said."""
CHUNKS = st.lists(st.tuples(wild_octets(), st.integers(0, 4).map(lambda dice: dice == 0)), min_size=1, max_size=5)
CHUNKS |= st.tuples(contents(), st.booleans()).map(lambda chunk: [(chunk[0], False), (b"text\r\n", chunk[1])])
CHUNKS |= st.tuples(st.sampled_from([30_000, 65_530, 65_536, 65_537]), st.booleans()).map(
    lambda chunk: [(b"x" * chunk[0], False), (b"text\r\n", chunk[1])]
)
"""Chunks, each with whether it is the last."""
LIES = st.sampled_from([0, 0, 0, 0, 0, 0, 0, -2, -1, 1, 2])
"""What the size of a chunk is wrong by."""


class Engine:
    """
    An engine that is told what happens, and writes down what it reports in a form that can be compared.
    """

    def __init__(self):
        self.connection = ServerConnection(SERVER_NAME, limits=LIMITS, offer=OFFER)
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

    def answer(self, step):
        self.connection.authenticate(step)

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
            case events.ClientReplaced():
                self.connection.offer = REPLACED
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
        self.model = Model({line.octets: line for line in COMMANDS + MALFORMED + LAST_WORDS + BARE + NOT_OFFERED})
        self.said = b""
        self.stimuli = []
        self.is_prompt = False

    def tell(self, what, *arguments):
        self.stimuli.append((what, *arguments))
        self.engine.tell(what, *arguments)

    # The client.

    @initialize(greets=st.integers(0, 9).map(bool), is_prompt=st.booleans())
    def begin(self, greets, is_prompt):
        self.is_prompt = is_prompt
        self.say(*[GREET] if greets else [])
        self.send(len(self.said))

    @precondition(lambda self: not self.model.has_left)
    @rule(lines=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=4), pace=PACES)
    def say_commands(self, lines, pace):
        self.say(*lines)
        self.send(pace)

    @precondition(lambda self: not self.model.has_left)
    @rule(first=FIRST, line=st.sampled_from(WHO), pace=PACES)
    def say_who_it_is(self, first, line, pace):
        self.say(*first, line)
        self.send(pace)

    @precondition(lambda self: not self.model.has_left)
    @rule(line=st.sampled_from(MALFORMED), pace=PACES)
    def say_what_is_no_command(self, line, pace):
        self.say(line)
        self.send(pace)

    @precondition(lambda self: not self.model.has_left)
    @rule(first=FIRST, envelope=envelopes(), mail=st.sampled_from(MAIL), content=contents(), pace=PACES)
    def say_a_message(self, first, envelope, mail, content, pace):
        self.say(*first)
        self.say_an_envelope(envelope, mail)
        self.say(Line(b"DATA", "data"))
        self.say_a_content(content)
        self.send(pace)

    @precondition(lambda self: not self.model.has_left)
    @rule(first=FIRST, envelope=envelopes(), mail=st.sampled_from(MAIL), chunks=CHUNKS, lie=LIES, pace=PACES)
    def say_a_message_in_chunks(self, first, envelope, mail, *, chunks, lie, pace):
        self.say(*first)
        self.say_an_envelope(envelope, mail)
        self.say_chunks(chunks, lie)
        self.send(pace)

    @precondition(lambda self: self.model.phase == "content" and not self.said and not self.model.has_left)
    @rule(content=contents(), pace=PACES)
    def say_what_was_asked_for(self, content, pace):
        self.say_a_content(content)
        self.send(pace)

    @precondition(lambda self: not self.model.has_left)
    @rule(chunks=CHUNKS, lie=LIES, pace=PACES)
    def say_more_chunks(self, chunks, lie, pace):
        self.say_chunks(chunks, lie)
        self.send(pace)

    @precondition(lambda self: self.model.phase == "challenged" and not self.said and not self.model.has_left)
    @rule(octets=st.sampled_from([b"*", b"", b"AGFubgA=", b"AGFubgA", b"AAAA" * 3072, b"AAAA" * 3073]), pace=PACES)
    def say_a_response(self, octets, pace):
        self.said += octets + b"\r\n"
        self.send(pace)

    @precondition(lambda self: self.said)
    @rule(pace=PACES)
    def go_on(self, pace):
        self.send(pace)

    def say(self, *lines):
        for line in lines:
            self.model.meanings[line.octets] = line
            self.said += line.octets + b"\r\n"

    def say_an_envelope(self, envelope, mail):
        reverse_path, forward_paths = envelope
        self.say(replace(mail, octets=mail.octets.replace(b"<>", str(reverse_path).encode())))
        self.say(*(Line(f"RCPT TO:{path}".encode(), "rcpt") for path in forward_paths))

    def say_a_content(self, content):
        """
        The lines begin with a space or a dot, so that those that come as commands after all are none.
        """
        lines = transmitted(content).split(b"\r\n")[:-2]
        self.said += b"".join((line if line.startswith(b".") else b" " + line) + b"\r\n" for line in lines) + b".\r\n"

    def say_chunks(self, chunks, lie):
        for octets, is_last in chunks:
            size = max(0, len(octets) + lie)
            self.say(Line(b"BDAT %d%b" % (size, b" LAST" * is_last), "bdat", size_bytes=size, is_last=is_last))
            self.said += octets

    def send(self, pace):
        """
        Send so many octets, or that part of all that was said.
        """
        count = pace if isinstance(pace, int) else ceil(len(self.said) * pace)
        octets, self.said = self.said[:count], self.said[count:]
        self.tell("data", octets)
        self.model.hear(octets)
        self.serve()

    # The programme behind the server.

    def serve(self):
        """
        Decide all that waits, if the programme is one that does so at once.
        """
        while self.is_prompt and (self.model.undecided or self.model.unsettled):
            self.accept_everybody(backwards=False)
            self.deliver_to_everybody(backwards=False)

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

    @precondition(lambda self: self.model.phase in ("content", "chunks", "broken", "replying"))
    @rule(refusal=st.sampled_from(OUTCOMES[1:]))
    def refuse_content(self, refusal):
        self.tell("refuse_content", refusal[0])
        self.model.refuse_content(refusal[1])
        self.serve()

    @precondition(lambda self: self.model.phase == "checking")
    @rule(step=st.sampled_from(STEPS))
    def answer(self, step):
        self.tell("answer", step[0])
        self.model.answer(step[1], getattr(step[0], "identity", ""))
        self.serve()

    # The end, not before there was something to see.

    @precondition(lambda self: len(self.stimuli) > MANY and not self.model.has_left)
    @rule(line=st.sampled_from(LAST_WORDS), pace=PACES)
    def say_last_words(self, line, pace):
        self.say(line)
        self.send(pace)

    @precondition(lambda self: len(self.stimuli) > MANY)
    @rule(how=st.sampled_from(["leave", "vanish", "drain", "close"]))
    def end(self, how):
        self.said = b"" if how in ("leave", "vanish") else self.said
        self.tell(how)
        getattr(self.model, how)()
        self.serve()

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
        elif self.model.chunk:
            assert len(connection._input) == 0
        elif not connection.has_backlog and connection.phase is not Phase.CLOSED:
            assert len(connection._input) <= LONGEST_LINE

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


Sessions.TestCase.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
TestSessions = pytest.mark.slow(Sessions.TestCase)
