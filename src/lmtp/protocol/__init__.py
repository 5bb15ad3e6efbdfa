# SPDX-License-Identifier: Apache-2.0
"""
The words of RFC 2033 and RFC 5321: octets in, events out. No clock, no socket, no disk.
"""
