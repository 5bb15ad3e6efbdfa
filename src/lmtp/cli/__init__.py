# SPDX-License-Identifier: Apache-2.0
"""
One module for each subcommand, without logic of its own, and beside `send` what it is made of.
"""
