# SPDX-License-Identifier: Apache-2.0
"""
TOML in, validated values out.
"""
