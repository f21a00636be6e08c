"""The messages of /tokenize and /detokenize, which the echo engine does not have."""

from typing import Any

from openai_messages import Message


class TokenizeCompletionRequest(Message):
    """POST /tokenize with text."""

    model: str | None = None
    prompt: str


class TokenizeChatRequest(Message):
    """POST /tokenize with messages."""

    model: str | None = None
    messages: list[dict[str, Any]]


class TokenizeResponse(Message):
    """The answer: the tokens' numbers."""

    count: int
    max_model_len: int
    tokens: list[int]


class DetokenizeRequest(Message):
    """POST /detokenize."""

    model: str | None = None
    tokens: list[int]


class DetokenizeResponse(Message):
    """The answer: the text."""

    prompt: str
