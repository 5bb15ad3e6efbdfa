# SPDX-License-Identifier: Apache-2.0
"""
The fuzzer's invariant holds for its seeds, and for whatever comes to hypothesis' mind.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.engine_invariant import check, seeds
from lmtp.testing.dialogues import load_dialogues

DIALOGUES = load_dialogues(Path(__file__).parents[1] / "dialogues")


class TestInvariant:
    @pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.name)
    def test_holds_for_the_transcripts(self, dialogue):
        for seed in seeds(dialogue.client_octets[:8192]):
            check(seed)

    @given(octets=st.binary(max_size=300))
    def test_holds_for_anything(self, octets):
        check(octets)
