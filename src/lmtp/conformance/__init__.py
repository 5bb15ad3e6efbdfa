# SPDX-License-Identifier: Apache-2.0
"""
The conformance tester behind `lmtp check`: cases, what they expect, and the clause that says so.
"""
