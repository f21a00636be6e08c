"""The messages of /v1/chat/completions."""

import openai_messages
from openai_messages import ChatCompletionResponse, ChatCompletionStreamResponse


class ChatCompletionRequest(openai_messages.ChatCompletionRequest):
    """A chat request. The engine checks these ranges later, in its own words (vllm_answers.py)."""

    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None


__all__ = ["ChatCompletionRequest", "ChatCompletionResponse", "ChatCompletionStreamResponse"]
