# SPDX-License-Identifier: Apache-2.0
"""
The asyncio binding of the protocol room: server, sessions, listeners, spool.
"""
