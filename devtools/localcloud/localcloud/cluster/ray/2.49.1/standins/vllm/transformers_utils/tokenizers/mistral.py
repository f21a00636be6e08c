"""Tool calls of a chat request, made ready for pickling."""

from typing import Any


def maybe_serialize_tool_calls(request: Any) -> None:
    """Leave the request as it is: messages are plain dicts in the stand-in."""
