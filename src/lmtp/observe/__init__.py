# SPDX-License-Identifier: Apache-2.0
"""
What can be told about the system, as typed events. Vocabulary only, pure.
"""
