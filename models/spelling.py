"""The known word nearest to a misspelt one, for the way out that an error message names."""

import difflib
from collections.abc import Iterable
from typing import Final

_MOST_NAMED: Final = 12  # a longer list is not read


def nearest(word: str, known: Iterable[str]) -> str:
    """`"Did you mean x? "` for the known word nearest to a misspelt one, else an empty text."""
    match = nearest_of(word, known)
    return "" if match is None else f"Did you mean {match}? "


def nearest_of(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to a misspelt one; None if none is near."""
    by_folded = {_folded(name): name for name in known}
    longer = [name for name in by_folded if len(word) > 2 and name.startswith(_folded(word))]
    if longer:  # a name that was cut short: qwen2.5-7b for qwen2.5-7b-instruct
        return by_folded[min(longer, key=len)]
    match = respelt(_folded(word), by_folded, likeness=0.6)
    return by_folded[match] if match else None


def respelt(word: str, known: Iterable[str], likeness: float) -> str | None:
    """The known word that is spelt most like another, as like as that (1 for equal) or more."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)), None)


def accepted(word: str, known: Iterable[str]) -> str:
    """`"Did you mean x? vLLM accepts x, y, z"`; of many words the nearest ones only."""
    names = list(known)
    if len(names) > _MOST_NAMED:
        ranked = sorted(names, key=lambda name: -_likeness(word, name))[:_MOST_NAMED]
        return (
            f"{nearest(word, names)}vLLM accepts {len(names)}, such as {', '.join(sorted(ranked))}"
        )
    return f"{nearest(word, names)}vLLM accepts {', '.join(names)}"


def _likeness(word: str, name: str) -> float:
    return difflib.SequenceMatcher(None, _folded(word), _folded(name)).ratio()


def _folded(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")
