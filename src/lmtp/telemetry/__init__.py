# SPDX-License-Identifier: Apache-2.0
"""
Observers that leave the process.
"""
