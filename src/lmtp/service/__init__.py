# SPDX-License-Identifier: Apache-2.0
"""
A process: building the parts from the configuration, starting, draining, stopping.
"""
