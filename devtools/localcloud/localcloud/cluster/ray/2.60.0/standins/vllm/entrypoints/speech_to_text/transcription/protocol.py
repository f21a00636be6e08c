"""The messages of /v1/audio/transcriptions, which the echo engine does not have."""

from openai_messages import Message


class TranscriptionRequest(Message):
    """POST /v1/audio/transcriptions."""

    model: str | None = None
    stream: bool | None = False


class TranscriptionResponse(Message):
    """The answer."""

    text: str


class TranscriptionStreamResponse(Message):
    """One event of a streamed answer."""

    id: str
