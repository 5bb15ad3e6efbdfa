# SPDX-License-Identifier: Apache-2.0
"""
What the fuzzer checks holds for its seeds, for all it has kept, and for whatever comes to hypothesis' mind.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import addresses, chunks, client, engine, parameters, proxy

FUZZ = Path(__file__).parents[2] / "fuzz"
TARGETS = {
    target.__name__.removeprefix("fuzz."): target for target in (addresses, chunks, client, engine, parameters, proxy)
}

each_target = pytest.mark.parametrize("name", TARGETS)


class TestTargets:
    @pytest.mark.slow
    @each_target
    def test_hold_for_their_seeds(self, name):
        for seed in TARGETS[name].seeds():
            TARGETS[name].check(seed)

    @pytest.mark.slow
    @each_target
    def test_hold_for_what_was_kept(self, name):
        kept = list((FUZZ / "corpus" / name).iterdir())
        for path in kept:
            TARGETS[name].check(path.read_bytes())
        assert kept

    @each_target
    @given(octets=st.binary(max_size=300))
    def test_hold_for_anything(self, name, octets):
        TARGETS[name].check(octets)

    @each_target
    def test_have_words_to_play_with(self, name):
        assert (FUZZ / TARGETS[name].DICTIONARY).exists()
