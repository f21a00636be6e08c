"""The messages of /v1/completions."""

from openai_messages import CompletionRequest, CompletionResponse, CompletionStreamResponse

__all__ = ["CompletionRequest", "CompletionResponse", "CompletionStreamResponse"]
