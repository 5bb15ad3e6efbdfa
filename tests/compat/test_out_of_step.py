# SPDX-License-Identifier: Apache-2.0
"""
smtplib's class fails where ours is right, on the same server: cpython issue 76984, as the example shows it.
"""

import ast
import importlib.util
import shutil
from pathlib import Path

import pytest

from tests.peers.process import make_place
from tests.peers.servers import FAILING, SERVERS, USERS

EXAMPLE = Path(__file__).parents[2] / "examples/out_of_step.py"
THEIRS, OURS = "smtplib", "lmtp.compat.smtplib"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("out_of_step", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dovecot():
    place = make_place()
    try:
        server = SERVERS["dovecot"](place)
        with server.peer:
            yield server
    finally:
        shutil.rmtree(place)


def refused(said):
    """
    Return who was refused, with the codes.
    """
    return {address: code for address, (code, _) in ast.literal_eval(said.removeprefix("refused: ")).items()}


class TestOurServer:
    def test_is_misunderstood_by_smtplib_and_understood_by_us(self, example, collect):
        server = collect()
        server.fail("full@*", "452 4.2.2 Full")
        said = example.main(server.host, "works@x", "full@x", server.port)

        assert {} == refused(said[THEIRS][0])
        assert "raised: SMTPSenderRefused(452, b'4.2.2 <full@x> Full', 'sender@example.org')" == said[THEIRS][1]
        assert [{"full@x": 452}, {}] == [refused(each) for each in said[OURS]]
        assert 3 == len(server.messages)


@pytest.mark.slow
@pytest.mark.peer("dovecot")
class TestDovecot:
    def test_is_misunderstood_by_smtplib_and_understood_by_us(self, example, dovecot):
        said = example.main(str(dovecot.endpoint), USERS[0], FAILING)

        assert {} == refused(said[THEIRS][0])
        assert said[THEIRS][1].startswith("raised: SMTPSenderRefused(")
        assert FAILING in said[THEIRS][1]
        assert [{FAILING: 552}, {}] == [refused(each) for each in said[OURS]]
