# SPDX-License-Identifier: Apache-2.0
"""
Fuzz the engine: for any octets, events or a documented reply, the same whatever the chunking, in linear time.

    python fuzz/fuzz_engine.py -max_total_time=300

Options are libFuzzer's. The corpus begins with the transcripts of tests/dialogues and stays in build/fuzz/corpus,
beside it whatever breaks the invariant (engine_invariant.py). Needs atheris, and lmtp on the path.
"""

import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["lmtp.protocol"]):
    from engine_invariant import check, seeds

    from lmtp.testing.dialogues import load_dialogues

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parent / "build" / "fuzz"
LONGEST: Final = 2048
"""Longer inputs say little more and slow the fuzzer down."""


def make_corpus(folder: Path) -> None:
    """
    Write the seeds; what earlier runs have found stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for dialogue in load_dialogues(HERE.parent / "tests" / "dialogues"):
        for number, seed in enumerate(seeds(dialogue.client_octets[:LONGEST])):
            (folder / f"{dialogue.name}-{number}").write_bytes(seed)


def main() -> None:
    """
    Run libFuzzer with our dictionary and corpus and whatever options were given.
    """
    corpus = BUILD / "corpus"
    make_corpus(corpus)
    options = [f"-dict={HERE / 'lmtp.dict'}", f"-artifact_prefix={BUILD}/", "-timeout=10", f"-max_len={LONGEST}"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
