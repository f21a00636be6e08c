"""The messages of /v1/score."""

from typing import Any

from openai_messages import Message


class ScoreTextRequest(Message):
    """POST /v1/score."""

    model: str | None = None


class ScoreResponse(Message):
    """The answer: a score for each pair of texts."""

    data: list[dict[str, Any]]
