"""The forms in which a model is asked one small question, by its task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUESTION = "Say hello."
_SHORT = {"max_tokens": 8, "temperature": 0}
_EMBEDDINGS = ("embeddings", {"input": _QUESTION}, "data")
# Path, body, and what holds the answer. A base model refuses chat, and a class that is not known
# may turn out to embed.
FORMS: Mapping[str, tuple[tuple[str, Mapping[str, Any], str], ...]] = {
    "generate": (
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": _QUESTION}], **_SHORT},
            "choices",
        ),
        ("completions", {"prompt": _QUESTION, **_SHORT}, "choices"),
        _EMBEDDINGS,
    ),
    "embed": (_EMBEDDINGS,),
    "score": (("score", {"text_1": _QUESTION, "text_2": "Hello."}, "data"),),
}
