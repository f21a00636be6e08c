"""The OpenAI message classes that Ray Serve imports from vLLM, whatever the release.

Each release has them at places of its own. Fields that the API defines are typed; others are
allowed, as vLLM allows them.
"""

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """A message of the API."""

    model_config = ConfigDict(extra="allow")


class _Request(Message):
    model: str | None = None
    stream: bool | None = False
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0)
    stop: str | list[str] | None = None
    user: str | None = None


class ChatCompletionRequest(_Request):
    """POST /v1/chat/completions."""

    messages: list[dict[str, Any]]
    max_completion_tokens: int | None = Field(default=None, ge=1)


class CompletionRequest(_Request):
    """POST /v1/completions."""

    prompt: str | list[str]


class UsageInfo(Message):
    """Token counts; the stand-in counts words."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Response(Message):
    id: str
    created: int = Field(default_factory=lambda: int(time.time()))
    model: str
    choices: list[dict[str, Any]]
    usage: UsageInfo | None = None


class ChatCompletionResponse(_Response):
    """The answer to a chat request."""

    object: Literal["chat.completion"] = "chat.completion"


class ChatCompletionStreamResponse(_Response):
    """One event of a streamed chat answer."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"


class CompletionResponse(_Response):
    """The answer to a completion request."""

    object: Literal["text_completion"] = "text_completion"


class CompletionStreamResponse(_Response):
    """One event of a streamed completion."""

    object: Literal["text_completion"] = "text_completion"


class EmbeddingCompletionRequest(Message):
    """POST /v1/embeddings with text."""

    model: str | None = None
    input: str | list[str]


class EmbeddingChatRequest(Message):
    """POST /v1/embeddings with messages."""

    model: str | None = None
    messages: list[dict[str, Any]]


class EmbeddingResponse(_Response):
    """The answer to an embedding request."""

    choices: list[dict[str, Any]] = Field(default_factory=list)
    data: list[dict[str, Any]]


class LoadLoRAAdapterRequest(Message):
    """A LoRA adapter to load."""

    lora_name: str
    lora_path: str
