# SPDX-License-Identifier: Apache-2.0
"""
The octets of a message: header section, trace fields, dates. Pure.
"""
