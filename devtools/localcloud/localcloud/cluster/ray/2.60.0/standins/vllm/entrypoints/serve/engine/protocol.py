"""Errors."""

from openai_messages import Message


class ErrorInfo(Message):
    """What went wrong; `code` is the HTTP status."""

    message: str
    type: str
    param: str | None = None
    code: int


class ErrorResponse(Message):
    """An error as an answer."""

    error: ErrorInfo
