"""What people are told: sentences, and lists in them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """One or a few sentences; `warns` if something stops answering, costs or goes missing."""

    text: str
    warns: bool


def joined(sentences: Sequence[Sentence]) -> Sentence | None:
    """All of them as one, which warns if one of them does; None if there are none."""
    if not sentences:
        return None
    return Sentence(
        " ".join(sentence.text for sentence in sentences),
        warns=any(sentence.warns for sentence in sentences),
    )


def listed(names: Sequence[str], at_most: int) -> str:
    """The first `at_most` names and how many more there are, joined for people."""
    shown, more = list(names[:at_most]), len(names) - at_most
    if more > 0:
        shown.append(f"{more} more")
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]
