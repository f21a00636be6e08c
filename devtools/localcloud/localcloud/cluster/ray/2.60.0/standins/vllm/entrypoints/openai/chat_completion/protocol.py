"""The messages of /v1/chat/completions."""

from openai_messages import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    ChatCompletionStreamResponse,
)

__all__ = ["ChatCompletionRequest", "ChatCompletionResponse", "ChatCompletionStreamResponse"]
