# SPDX-License-Identifier: Apache-2.0
"""
The conformance tester behind `lmtp check`: cases, what they expect, and the clause that says so.

model.py has the words, cases/ what is to be seen, session.py and wire.py how it is looked at, runner.py runs it,
reports.py tells it to machines. It shares the grammar with the engine and nothing else.
"""
