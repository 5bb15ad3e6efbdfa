# SPDX-License-Identifier: Apache-2.0
"""
lmtp: the last hop of mail (RFC 2033).
"""
