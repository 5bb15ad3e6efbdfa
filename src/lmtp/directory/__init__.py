# SPDX-License-Identifier: Apache-2.0
"""
Who is this recipient: one driver a module, all with the contract of base.py.
"""
