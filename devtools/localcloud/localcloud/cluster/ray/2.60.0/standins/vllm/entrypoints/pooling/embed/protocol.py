"""The messages of /v1/embeddings."""

from openai_messages import EmbeddingChatRequest, EmbeddingCompletionRequest, EmbeddingResponse

__all__ = ["EmbeddingChatRequest", "EmbeddingCompletionRequest", "EmbeddingResponse"]
