# SPDX-License-Identifier: Apache-2.0
"""
Where mail lands: one driver a module, all with the contract of base.py.
"""
