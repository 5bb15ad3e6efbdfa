# SPDX-License-Identifier: Apache-2.0
"""
The classes people already use, with results that are true: what replaces them by a changed import.
"""
