"""The OpenAI message classes of vLLM 0.10.0."""

from openai_messages import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    ChatCompletionStreamResponse,
    CompletionRequest,
    CompletionResponse,
    CompletionStreamResponse,
    EmbeddingChatRequest,
    EmbeddingCompletionRequest,
    EmbeddingResponse,
    LoadLoRAAdapterRequest,
    Message,
)

__all__ = [
    "ChatCompletionRequest",
    "ChatCompletionResponse",
    "ChatCompletionStreamResponse",
    "CompletionRequest",
    "CompletionResponse",
    "CompletionStreamResponse",
    "EmbeddingChatRequest",
    "EmbeddingCompletionRequest",
    "EmbeddingResponse",
    "ErrorResponse",
    "LoadLoRAAdapterRequest",
]


class ErrorResponse(Message):
    """An error."""

    object: str = "error"
    message: str
    type: str
    param: str | None = None
    code: int
