"""The paths at which models are asked.

From Ray Serve LLM's ingress: the JSON endpoints that it has in the catalogue's releases. Its
/v1/audio/transcriptions takes a form, in which the model cannot be read; it is reachable below the
model's own route.
"""

from typing import Any, Final

API_PATHS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/score")
MODELS_PATH: Final = "/v1/models"

_API_REGEX: Final = "/v1/(chat/completions|completions|embeddings|score)"


def api_path() -> dict[str, Any]:
    """The part of a route's match that takes every path of `API_PATHS`."""
    return {"safe_regex": {"regex": _API_REGEX}}


def own_prefix(model: str) -> str:
    """The prefix of a model's own route, that of its application in Ray Serve."""
    return f"/{model}/v1"


def rewrite_to(model: str) -> dict[str, Any]:
    """The part of a route that turns /v1/... into the model's own route."""
    return {
        "regex_rewrite": {
            "pattern": {"regex": "^/v1/"},
            "substitution": f"{own_prefix(model)}/",
        }
    }
