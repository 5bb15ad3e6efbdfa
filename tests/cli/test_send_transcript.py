# SPDX-License-Identifier: Apache-2.0
"""
The wire log: whole lines, who said them, and nothing a terminal would act on.
"""

import io

import pytest

from lmtp.cli.send_transcript import WireLog


@pytest.fixture
def file():
    return io.StringIO()


class TestWireLog:
    def test_has_a_line_for_each_line(self, file):
        connection = WireLog(file).for_connection()
        connection.server(b"220 x\r\n")
        connection.client(b"LHLO a\r\nMAIL FROM:<>\r\n")

        assert "1 S: 220 x\n1 C: LHLO a\n1 C: MAIL FROM:<>\n" == file.getvalue()

    def test_waits_for_the_end_of_a_line(self, file):
        connection = WireLog(file).for_connection()
        connection.server(b"22")
        connection.server(b"0 x\r")
        assert "" == file.getvalue()
        connection.server(b"\n")

        assert "1 S: 220 x\n" == file.getvalue()

    def test_numbers_connections(self, file):
        log = WireLog(file)
        log.for_connection().server(b"220 x\r\n")
        log.for_connection().server(b"220 y\r\n")

        assert "1 S: 220 x\n2 S: 220 y\n" == file.getvalue()

    def test_writes_what_never_came_to_its_end_when_it_is_finished(self, file):
        log = WireLog(file)
        connection = log.for_connection()
        connection.client(b"half")
        connection.server(b"25")
        log.finish()
        log.finish()

        assert "1 C: half\n1 S: 25\n" == file.getvalue()

    def test_escapes_what_is_not_printable_ascii(self, file):
        WireLog(file).for_connection().client(b"\x1b[2J\\\xff\r\r\n")

        assert "1 C: \\x1b[2J\\\\\\xff\\x0d\n" == file.getvalue()
