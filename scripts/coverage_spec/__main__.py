# SPDX-License-Identifier: Apache-2.0
"""
Print which test covers which requirement; ends with status 1 when one is missing, or names what does not exist.

Run as ``python -m scripts.coverage_spec`` from the project's root; ``--json`` for machines.
"""

import argparse
import sys

from scripts.coverage_spec.coverage import chapters, problems
from scripts.coverage_spec.markers import collect
from scripts.coverage_spec.register import load
from scripts.coverage_spec.tables import as_json, as_text, summary

parser = argparse.ArgumentParser(prog="python -m scripts.coverage_spec", description=(__doc__ or "").strip())
parser.add_argument("--json", action="store_true", help="print JSON")
wants_json = parser.parse_args().json
tests = collect()
found = chapters(load(), tests)
wrong = list(problems(found, tests))
print(as_json(found, wrong) if wants_json else "\n".join([as_text(found), "", summary(found), *wrong]))
sys.exit(1 if wrong else 0)
