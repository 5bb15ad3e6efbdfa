# SPDX-License-Identifier: Apache-2.0
"""
The client's engine under trio: octets from a stream go in, octets for it and events come out.

It has no deadlines of its own; trio's cancel scopes are better at that than any parameter.
"""

import sys

import trio

from lmtp import ClientConnection, OutgoingEnvelope, Result
from lmtp.protocol.client_events import ContentWanted, ReplyReceived, SessionLost


async def send(stream: trio.abc.Stream, envelope: OutgoingEnvelope, content: bytes) -> list[Result]:
    connection = ClientConnection("trio.example")
    await until(stream, connection, ReplyReceived)  # the greeting
    connection.greet()
    await until(stream, connection, ReplyReceived)
    transaction = connection.begin(envelope, len(content))
    while not transaction.is_over:
        event = await until(stream, connection, ContentWanted)
        if isinstance(event, ContentWanted):
            connection.send_content(content, is_last=True)
    await stream.send_all(b"QUIT\r\n")
    return [result for result in transaction.results if result is not None]


async def until(stream: trio.abc.Stream, connection: ClientConnection, kind: type) -> object:
    """
    Send what there is to send and take in what comes, until something happens or nothing can any more.
    """
    while not connection.is_over:
        if octets := connection.data_to_send():
            await stream.send_all(octets)
        elif connection.awaits is None:
            return None
        events = (
            connection.receive_data(received)
            if (received := await stream.receive_some())
            else (connection.receive_eof())
        )
        for event in events:
            if isinstance(event, kind | SessionLost):
                return event
        if connection.awaits is None:
            return None
    return None


async def main() -> None:
    sender, *recipients = sys.argv[1:]
    with trio.fail_after(60):
        stream = await trio.open_tcp_stream("127.0.0.1", 2424)
        async with stream:
            for result in await send(stream, OutgoingEnvelope.parse(sender, *recipients), sys.stdin.buffer.read()):
                print(result)


if __name__ == "__main__":
    trio.run(main)
