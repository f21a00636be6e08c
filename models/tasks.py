"""What a served model does: the word for it that vLLM uses."""

from enum import StrEnum


class Task(StrEnum):
    """What a model answers with: text, embeddings, or a score of a pair of texts."""

    GENERATE = "generate"
    EMBED = "embed"
    SCORE = "score"

    @property
    def pools(self) -> bool:
        """Whether the answer is made of the hidden states of the prompt: nothing is generated."""
        return self is not Task.GENERATE
