# SPDX-License-Identifier: Apache-2.0
"""
A web application that sends mail to a store, and tells its caller what became of each recipient.

    LMTP_STORE=unix:/run/dovecot/lmtp uvicorn fastapi_app:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from lmtp import AddressSyntaxError, OutgoingEnvelope, Pool


class Note(BaseModel):
    sender: str
    recipients: list[str]
    subject: str
    text: str


class Answer(BaseModel):
    recipient: str
    outcome: str
    status: str
    said: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Pool([os.environ.get("LMTP_STORE", "127.0.0.1:2424")]) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/notes")
async def send(note: Note) -> list[Answer]:
    try:
        envelope = OutgoingEnvelope.parse(note.sender, *note.recipients)
    except AddressSyntaxError as error:
        raise HTTPException(422, f"an address is none: {error}") from error
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = note.sender, ", ".join(note.recipients), note.subject
    message.set_content(note.text)
    results = await app.state.pool.send(envelope, message)
    return [
        Answer(
            recipient=str(result.forward_path),
            outcome=type(result.outcome).__name__.lower(),
            status=result.outcome.status,
            said=str(result.reply or result.outcome),
        )
        for result in results
    ]
