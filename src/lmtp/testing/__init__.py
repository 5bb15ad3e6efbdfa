# SPDX-License-Identifier: Apache-2.0
"""
Help for the tests of those who use lmtp, and for ours.
"""
