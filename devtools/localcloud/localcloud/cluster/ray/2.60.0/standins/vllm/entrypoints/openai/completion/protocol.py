"""The messages of /v1/completions."""

import openai_messages
from openai_messages import CompletionResponse, CompletionStreamResponse


class CompletionRequest(openai_messages.CompletionRequest):
    """A request. The engine checks these ranges later, in its own words (vllm_answers.py)."""

    max_tokens: int | None = None
    temperature: float | None = None


__all__ = ["CompletionRequest", "CompletionResponse", "CompletionStreamResponse"]
