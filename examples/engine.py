# SPDX-License-Identifier: Apache-2.0
"""
The engine without asyncio: any transport will do, here a blocking socket.

It takes one connection, accepts every recipient, and prints what it gets.
"""

import socket
from collections.abc import Iterator

from lmtp import Accepted, Deferred, ServerConnection
from lmtp.protocol import events


def converse(transport: socket.socket) -> bytes:
    connection = ServerConnection("engine.example")
    content = bytearray()
    transport.sendall(connection.data_to_send())
    while octets := transport.recv(65536):
        connection.receive_data(octets)
        for event in happenings(connection, transport):
            react(connection, event, content)
    return bytes(content)


def happenings(connection: ServerConnection, transport: socket.socket) -> Iterator[events.Event]:
    """
    Yield what happens, and send what there is to send, until neither is left.
    """
    is_going_on = True
    while is_going_on:
        while happened := connection.next_events():
            yield from happened
        said = connection.data_to_send()
        transport.sendall(said)
        is_going_on = bool(said)


def react(connection: ServerConnection, event: events.Event, content: bytearray) -> None:
    match event:
        case events.RecipientOffered(recipient):
            connection.decide(recipient, Accepted())
        case events.ContentReceived(octets):
            content += octets
        case events.ContentCompleted(envelope):
            for recipient in envelope.recipients:
                recipient.settle(Deferred("4.3.2", "Only printed, not stored"))


def main() -> None:
    with socket.create_server(("127.0.0.1", 2424)) as listener:
        transport, _ = listener.accept()
        with transport:
            print(converse(transport).decode("utf-8", "replace"))


if __name__ == "__main__":
    main()
