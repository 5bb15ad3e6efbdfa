# SPDX-License-Identifier: Apache-2.0
"""
Fuzz one part of the project with libFuzzer, by atheris.

    python -m fuzz.run engine -max_total_time=360

Each target is a module beside this one: its `check` raises when what it says at its head does not hold, and its `seeds`
are where the fuzzer begins. What earlier runs found is in fuzz/corpus, what this one finds goes to build/fuzz; beside
it lies whatever breaks the invariant. All other options are libFuzzer's. Needs atheris, and lmtp on the path.
"""

import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["lmtp.protocol", "lmtp.aio.proxyline"]):
    from fuzz import addresses, chunks, client, engine, parameters, proxy

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parent / "build" / "fuzz"
TARGETS: Final = {
    "engine": engine,
    "client": client,
    "chunks": chunks,
    "parameters": parameters,
    "addresses": addresses,
    "proxy": proxy,
}
"""What can be fuzzed."""


def main() -> None:
    """
    Run libFuzzer with the target's dictionary and corpus and whatever options were given.
    """
    name, options = sys.argv[1], sys.argv[2:]
    target = TARGETS[name]
    found = BUILD / name
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (found / f"seed-{number}").write_bytes(seed)
    settings = [f"-dict={HERE / target.DICTIONARY}", f"-artifact_prefix={found}-", "-timeout=10"]
    corpora = [str(found), str(HERE / "corpus" / name)]
    atheris.Setup([sys.argv[0], *settings, f"-max_len={target.LONGEST}", *options, *corpora], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
