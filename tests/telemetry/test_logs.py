# SPDX-License-Identifier: Apache-2.0
"""
Events as log lines: names, levels and keys are stable, and no value leaves its place.
"""

import json
import os
import pty
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.config.choices import LogFormat, LogLevel
from lmtp.observe.events import (
    ArrivalFailed,
    Authenticated,
    AuthenticationFailed,
    ClientReplaced,
    CommandRefused,
    Draining,
    Event,
    HandlerFailed,
    ListenerClosed,
    ListenerOpened,
    RecipientRefused,
    RecipientSettled,
    RepliesLost,
    SessionClosed,
    SessionOpened,
    SessionRefused,
    TlsStarted,
    TransactionAborted,
    TransactionRefused,
    Warned,
)
from lmtp.protocol.outcome import Deferred, Delivered, Failed, reply_for
from lmtp.protocol.reply import BAD_BASE64, TOO_BIG, TOO_MANY_CONNECTIONS, UNKNOWN_COMMAND
from lmtp.telemetry.logs import LogObserver, event_name, keys_of, level_of


def fail(text):
    raise RuntimeError(text)


def raised(text="no idea"):
    with pytest.raises(RuntimeError) as caught:
        fail(text)
    return caught.value


def settled(outcome=None, **changes):
    outcome = outcome or Delivered(where="maildir:ann")
    said = {
        "session_id": "s1",
        "transaction_id": "s1.1",
        "reverse_path": "<bob@example.net>",
        "forward_path": "<ann@example.org>",
        "size_bytes": 4096,
        "outcome": outcome,
        "reply": reply_for(outcome, "<ann@example.org>"),
        "seconds": 0.0123456,
    }
    return RecipientSettled(**said | changes)


EXAMPLES = [
    ListenerOpened(endpoint="127.0.0.1:2424"),
    ListenerClosed(endpoint="127.0.0.1:2424"),
    SessionOpened(session_id="s1", peer="127.0.0.1:5", endpoint="127.0.0.1:2424"),
    SessionRefused(session_id="s1", peer="127.0.0.1:5", reply=TOO_MANY_CONNECTIONS),
    SessionClosed(session_id="s1", reason="quit", doing="waiting", transactions=1, seconds=1.5),
    CommandRefused(session_id="s1", command="GET /", reply=UNKNOWN_COMMAND),
    RecipientRefused(
        session_id="s1",
        transaction_id="s1.1",
        reverse_path="<>",
        forward_path="<ann@example.org>",
        verdict=Failed("5.1.1"),
        reply=reply_for(Failed("5.1.1"), "<ann@example.org>"),
    ),
    settled(),
    TransactionRefused(session_id="s1", reverse_path="<bob@example.net>", reply=TOO_BIG),
    TransactionAborted(session_id="s1", transaction_id="s1.1", reason="reset"),
    RepliesLost(session_id="s1", transaction_id="s1.1", forward_paths=("<ann@x>", "<bob@x>")),
    HandlerFailed(session_id="s1", transaction_id="s1.1", doing="deliver", error=raised()),
    Warned(subject="users file", detail="gone"),
    Draining(sessions=3),
    ArrivalFailed(session_id="s1", peer="127.0.0.1:5", detail="TLS handshake took too long"),
    TlsStarted(session_id="s1", peer="127.0.0.1:5", version="TLSv1.3", cipher="AES", certificate=""),
    Authenticated(session_id="s1", peer="127.0.0.1:5", mechanism="PLAIN", identity="ann"),
    AuthenticationFailed(session_id="s1", peer="127.0.0.1:5", mechanism="PLAIN", reply=BAD_BASE64, detail=""),
    ClientReplaced(session_id="s1", proxy="127.0.0.1:5", peer="192.0.2.1:25"),
]


class Log:
    """
    A log into a pipe, read when it is closed.
    """

    def __init__(self, log_format, **options):
        self.reader, self.fd = os.pipe()
        self.observer = LogObserver(log_format, fd=self.fd, clock=lambda: 1_700_000_000.125, environ={}, **options)

    def lines(self, *events):
        for event in events:
            self.observer.observe(event)
        self.observer.close()
        os.close(self.fd)
        with os.fdopen(self.reader, encoding="utf-8", newline="\n") as text:
            return text.read().split("\n")[:-1]


def on_terminal(event, log_format=LogFormat.AUTO, environ=None):
    controller, terminal = pty.openpty()
    observer = LogObserver(log_format, fd=terminal, environ=environ or {})
    observer.observe(event)
    observer.close()
    os.close(terminal)
    line = os.read(controller, 65536).decode()
    os.close(controller)
    return line


class TestVocabulary:
    """
    Every event there is can be told, without code of its own.
    """

    def test_the_examples_are_all_events(self):
        assert set(typing.get_args(Event)) == {type(example) for example in EXAMPLES}

    @pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
    @pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.LOGFMT])
    def test_each_event_is_one_line_with_its_name(self, event, log_format):
        (line,) = Log(log_format, least=LogLevel.DEBUG).lines(event)

        assert event_name(event) in line

    @pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
    def test_each_value_is_flat(self, event):
        assert {str, int, float} >= {type(value) for value in keys_of(event).values()}

    def test_names_are_those_of_the_classes(self):
        assert "recipient_settled" == event_name(settled())
        assert "warned" == event_name(Warned(subject="s", detail="d"))


class TestLevels:
    @pytest.mark.parametrize(
        ("event", "level"),
        [
            (settled(Delivered()), LogLevel.INFO),
            (settled(Deferred()), LogLevel.WARNING),
            (settled(Failed()), LogLevel.WARNING),
            (EXAMPLES[6], LogLevel.INFO),
            (SessionOpened(session_id="s", peer="p", endpoint="e"), LogLevel.DEBUG),
            (TransactionRefused(session_id="s", reverse_path="<>", reply=TOO_BIG), LogLevel.WARNING),
            (Warned(subject="s", detail="d"), LogLevel.WARNING),
            (HandlerFailed(session_id="s", transaction_id="t", doing="d", error=raised()), LogLevel.ERROR),
        ],
    )
    def test_say_whether_somebody_should_look(self, event, level):
        assert level is level_of(event)

    def test_a_recipient_deferred_at_rcpt_is_a_warning(self):
        event = RecipientRefused(
            session_id="s",
            transaction_id="t",
            reverse_path="<>",
            forward_path="<ann@x>",
            verdict=Deferred(detail="directory down"),
            reply=reply_for(Deferred(), "<ann@x>"),
        )

        assert LogLevel.WARNING is level_of(event)

    def test_what_is_below_the_least_level_is_not_written(self):
        log = Log(LogFormat.JSON, least=LogLevel.WARNING)

        assert ["warned"] == [
            json.loads(line)["event"] for line in log.lines(*EXAMPLES[:3], Warned(subject="s", detail="d"))
        ]

    def test_sessions_are_not_written_unless_asked_for(self):
        assert [] == Log(LogFormat.JSON).lines(EXAMPLES[2])


class TestRecipientSettled:
    """
    The one line everybody greps for.
    """

    def test_as_json(self):
        (line,) = Log(LogFormat.JSON).lines(settled())

        assert [
            ("time", "2023-11-14T22:13:20.125Z"),
            ("level", "info"),
            ("event", "recipient_settled"),
            ("session", "s1"),
            ("transaction", "s1.1"),
            ("from", "<bob@example.net>"),
            ("to", "<ann@example.org>"),
            ("size", 4096),
            ("outcome", "delivered"),
            ("where", "maildir:ann"),
            ("seconds", 0.0123),
            ("reply", "250 2.0.0 <ann@example.org> Delivered"),
        ] == list(json.loads(line).items())

    def test_as_logfmt(self):
        (line,) = Log(LogFormat.LOGFMT).lines(settled(Deferred("4.2.2", detail='disk "a" is full')))

        assert (
            "time=2023-11-14T22:13:20.125Z level=warning event=recipient_settled session=s1 transaction=s1.1 "
            "from=<bob@example.net> to=<ann@example.org> size=4096 outcome=deferred seconds=0.0123 "
            'reply="452 4.2.2 <ann@example.org> Mailbox full" detail="disk \\"a\\" is full"'
        ) == line

    def test_pretty(self):
        (line,) = Log(LogFormat.PRETTY).lines(settled())

        assert line.startswith("2023-11-14T22:13:20.125Z [info     ] recipient_settled ")
        assert " to=<ann@example.org> size=4096 outcome=delivered where=maildir:ann " in line


class TestFormats:
    def test_a_terminal_gets_colours(self):
        assert "\x1b[" in on_terminal(settled())

    def test_no_color_is_obeyed(self):
        assert "\x1b[" not in on_terminal(settled(), environ={"NO_COLOR": "1"})

    def test_an_empty_no_color_is_none(self):
        assert "\x1b[" in on_terminal(settled(), environ={"NO_COLOR": ""})

    def test_what_is_no_terminal_gets_logfmt(self):
        (line,) = Log(LogFormat.AUTO).lines(settled())

        assert line.startswith("time=")

    def test_what_is_no_terminal_gets_no_colours(self):
        (line,) = Log(LogFormat.PRETTY).lines(settled())

        assert "\x1b[" not in line

    def test_a_terminal_gets_json_when_asked_for(self):
        assert "recipient_settled" == json.loads(on_terminal(settled(), LogFormat.JSON))["event"]


class TestHarm:
    """
    What a peer wrote can't start a line, move the cursor or turn the direction of the text.
    """

    HOSTILE = "<a\r\nlevel=error event=forged \x1b[2J\u202e\x85\udcff\0@x>"

    def test_logfmt_spells_it_out(self):
        (line,) = Log(LogFormat.LOGFMT).lines(settled(forward_path=self.HOSTILE))

        assert line.isprintable()
        assert r"to=\"<a\\r\\nlevel=error".replace('\\"', '"') in line

    def test_pretty_spells_it_out(self):
        (line,) = Log(LogFormat.PRETTY).lines(settled(forward_path=self.HOSTILE))

        assert line.isprintable()

    def test_json_keeps_it(self):
        (line,) = Log(LogFormat.JSON).lines(settled(forward_path=self.HOSTILE))

        assert line.isascii()
        assert line.isprintable()
        assert self.HOSTILE == json.loads(line)["to"]

    @given(st.text())
    def test_no_text_makes_a_second_line(self, text):
        event = settled(forward_path=text, outcome=Deferred(detail=text))
        for log_format in (LogFormat.JSON, LogFormat.LOGFMT, LogFormat.PRETTY):
            (line,) = Log(log_format).lines(event)
            assert line.isprintable()


class TestTraceback:
    EVENT = HandlerFailed(session_id="s1", transaction_id="s1.1", doing="deliver", error=raised("one\ntwo \x1b[2J"))

    def test_is_a_value_as_json(self):
        (line,) = Log(LogFormat.JSON).lines(self.EVENT)
        said = json.loads(line)

        assert "RuntimeError: one\ntwo \x1b[2J" == said["error"]
        assert said["traceback"].startswith("Traceback (most recent call last):\n")
        assert "traceback" == list(said)[-1]

    def test_is_one_line_as_logfmt(self):
        (line,) = Log(LogFormat.LOGFMT).lines(self.EVENT)

        assert "Traceback (most recent call last):" in line

    def test_is_indented_and_harmless_on_a_terminal(self):
        first, *others = Log(LogFormat.PRETTY).lines(self.EVENT)

        assert "handler_failed" in first
        assert "    Traceback (most recent call last):" == others[0]
        assert all(line.startswith("    ") and line.isprintable() for line in others)

    def test_of_an_error_that_can_not_be_shown_is_shown_without_it(self):
        class MuteError(Exception):
            def __str__(self):
                raise ValueError

        event = HandlerFailed(session_id="s1", transaction_id="s1.1", doing="deliver", error=MuteError())
        (line,) = Log(LogFormat.JSON).lines(event)

        assert "MuteError" in json.loads(line)["error"]


class TestLostLines:
    def test_are_told_in_the_format_of_the_log(self):
        log = Log(LogFormat.LOGFMT)
        log.observer._writer._refused = 7
        lines = log.lines(settled())

        assert 'event=warned subject=log detail="7 lines lost: nobody read them fast enough"' in lines[1]
