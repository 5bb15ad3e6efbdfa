# SPDX-License-Identifier: Apache-2.0
"""
The delivery agent behind `lmtp serve`: from a finished transaction to an outcome for each recipient.
"""
