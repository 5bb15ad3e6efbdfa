# SPDX-License-Identifier: Apache-2.0
"""
Help for the tests of those who use lmtp, and for ours. Its modules are public, and imported one by one.

    pytest_plugin     fixtures: lmtp_server, lmtp_client, lmtp_script
    collecting        a real server that keeps what it gets
    script            what a server does wrong, as text or value; script_session plays it without I/O
    script_server     the same over TCP, over Unix sockets and in memory
    scripted_client   the client of a transcript; dialogues reads transcripts
    memory            connections without sockets, in a test's hand; memory_network has endpoints for them
    clock             time in a test's hand, for a loop as well
    background        what is asynchronous, for tests that are not
    strategies        addresses, envelopes and messages for hypothesis
    stores            the tests that every store must pass
    scripted          a server that is right, to be broken by subclassing, for testers of servers
"""
