"""Values of JSON that no report could show, refused before anything reads them."""

from typing import Any, Final

# The deepest document seen, a preview with all states, has 15 levels. What reads a document calls
# itself by level.
_DEEPEST: Final = 100
# Bytes of memory and USD a month stay far below it, and their sums and shares stay finite.
_LARGEST: Final = 1e15


def unreadable(data: Any, *, figures: bool = False) -> str | None:
    """What is wrong with a document, as the rest of a sentence; None if nothing is.

    figures: whether its numbers are added up and shown.
    """
    # Without calling itself, because Python limits that.
    waiting: list[tuple[Any, int]] = [(data, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            return "is nested more than 100 levels deep"
        below: list[Any] = []
        if isinstance(value, dict):
            below = [*value, *value.values()]
        elif isinstance(value, list):
            below = value
        elif isinstance(value, str) and not _is_text(value):
            return "holds a text that is no Unicode (half of a surrogate pair)"
        elif figures and isinstance(value, int | float) and not abs(value) < _LARGEST:
            return "holds a number that is no figure of a plan"
        waiting.extend((item, depth + 1) for item in below)
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
