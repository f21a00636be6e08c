"""Ways out of a problem: changes of the stack file that would mend it, as data and in words.

A rule proposes them as `WayOut`. Planning applies each to the stack and plans again
(planning/tried_ways.py); those that pass become `TriedWayOut`, and only these are shown.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

# The key that an entry of a list stands for if it is a text alone.
SHORTHANDS: Final[Mapping[str, str]] = {"models": "model", "gpuPools": "tier"}
_PATH: Final = re.compile(r"(?P<key>[^.\[\]]+:[^.\[\]]+)(?P<rest>(?:\.[^.\[\]]+|\[\d+\])*)")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class Action(StrEnum):
    """What an edit does at its path."""

    SET = "set"
    REMOVE = "remove"
    APPEND = "append"
    MOVE = "move"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of a stack file.

    path: as messages show it, `ray-llm:models[1].engine.max_num_seqs`.
    value: the new value (SET), the new entry of a list (APPEND), the path to move to (MOVE).
    """

    path: str
    action: Action
    value: Any = None


@dataclass(frozen=True, kw_only=True)
class WayOut:
    """A change that may mend a problem.

    words: what to do, without a capital letter and without a full stop: `use gpu: l4`.
    edits: the same as changes of the stack file; none if it is done elsewhere, so that it cannot be
    tried.
    group: of several ways with the same group only the first that passes is tried; of groups that
    differ after a slash only the cheapest is shown, `pool/listed` or `pool/added`.
    """

    words: str
    edits: tuple[Edit, ...] = ()
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class TriedWayOut:
    """A way out with which the stack was planned again, and that mends its problem.

    usd_per_month: what the whole stack then costs in a typical month; None if it is not known.
    usd_per_month_more: the difference to the stack as it is or, if that cannot be deployed, to the
    cheapest way out of the same problem.
    """

    words: str
    edits: tuple[Edit, ...]
    usd_per_month: Decimal | None = None
    usd_per_month_more: Decimal | None = None

    def sentence_part(self) -> str:
        """The words, with the difference in money if there is one."""
        more = self.usd_per_month_more
        if more is None or round(more) == 0:
            return self.words
        return f"{self.words} ({more:+,.0f} USD a month)"


def use(path: str, value: Any, words: str = "", group: str = "") -> WayOut:
    """Set the value at a path; the words are `use KEY: VALUE` if none are given."""
    return WayOut(
        words=words or f"use {_key(path)}: {written(value)}",
        edits=(Edit(path=path, action=Action.SET, value=value),),
        group=group,
    )


def leave_out(path: str, words: str = "", group: str = "") -> WayOut:
    """Remove the key at a path."""
    return WayOut(
        words=words or f"leave {_key(path)} out",
        edits=(Edit(path=path, action=Action.REMOVE),),
        group=group,
    )


def rename(path: str, key: str) -> WayOut:
    """Give the value at a path another key, the one that was probably meant."""
    namespace, colon, _ = path.partition(":")
    parent = path.rpartition(".")[0] if "." in path else ""
    return move(
        path, f"{parent}.{key}" if parent else f"{namespace}{colon}{key}", f"did you mean {key}?"
    )


def meant(path: str, value: Any) -> WayOut:
    """Set the value that was probably meant."""
    return use(path, value, f"did you mean {written(value)}?")


def move(path: str, target: str, words: str) -> WayOut:
    """Put the value at a path elsewhere, where there is none yet."""
    return WayOut(words=words, edits=(Edit(path=path, action=Action.MOVE, value=target),))


def instead(path: str, sentence: str) -> WayOut:
    """Remove the key at a path, in the words of a sentence that says what to do instead."""
    return leave_out(path, sentence[:1].lower() + sentence[1:].rstrip("."))


def add(path: str, entry: Any, words: str, group: str = "") -> WayOut:
    """Append an entry to the list at a path."""
    return WayOut(
        words=words, edits=(Edit(path=path, action=Action.APPEND, value=entry),), group=group
    )


def together(words: str, *ways: WayOut, group: str = "") -> WayOut:
    """Several changes of which none is enough alone."""
    return WayOut(words=words, edits=tuple(edit for way in ways for edit in way.edits), group=group)


def outside(words: str) -> WayOut:
    """Something to do that is no change of the stack file."""
    return WayOut(words=words)


def spoken(ways: Sequence[TriedWayOut]) -> str:
    """Ways out as one sentence; a verb that all start with is said once."""
    questions = [way.words for way in ways if way.words.endswith("?")]
    advice = [way.sentence_part() for way in ways if not way.words.endswith("?")]
    if advice:
        verb = advice[0].split(" ", 1)[0] + " "
        kept = [advice[0], *(part.removeprefix(verb) for part in advice[1:])]
        advice = [("or " if questions else "") + ", or ".join(kept)]
    return " ".join(text[:1].upper() + text[1:] for text in (*questions, *advice))


def with_edits(values: Mapping[str, Any], edits: Iterable[Edit]) -> dict[str, Any] | None:
    """A stack's configuration with the edits; None if one of them has nothing to change.

    values: by full key, `ray-llm:models`. They are not changed.
    """
    changed: dict[str, Any] = dict(values)
    for edit in edits:
        if not _applied(changed, edit):
            return None
    return changed


def top_key(path: str) -> str:
    """The key without its namespace in which a path starts: `models`."""
    match = _PATH.fullmatch(path)
    return match["key"].partition(":")[2] if match else ""


def _applied(changed: dict[str, Any], edit: Edit) -> bool:
    steps = _steps(edit.path)
    if not steps:
        return False
    if edit.action is not Action.MOVE:
        return _apply(changed, steps, edit)
    value = _at(changed, steps)
    target = _steps(edit.value)
    if value is None or not target or _at(changed, target) is not None:
        return False
    removed = Edit(path=edit.path, action=Action.REMOVE)
    added = Edit(path=edit.value, action=Action.SET, value=value)
    return _apply(changed, steps, removed) and _apply(changed, target, added)


def _at(values: Any, steps: Iterable[str | int]) -> Any:
    for step in steps:
        values = _child(values, step)
    return values


def _steps(path: str) -> tuple[str | int, ...]:
    match = _PATH.fullmatch(path)
    if match is None:
        return ()
    rest = [name or int(number) for name, number in _STEP.findall(match["rest"])]
    return (match["key"], *rest)


def _apply(changed: dict[str, Any], steps: Sequence[str | int], edit: Edit) -> bool:
    """Copies what lies on the path, changes its end, and says whether there was something."""
    parent: Any = changed
    for place, step in enumerate(steps[:-1]):
        child = _child(parent, step)
        inner = steps[place + 1]
        if child is None:
            # A section that is not there yet; an entry of a list cannot be made up.
            if edit.action is not Action.SET or isinstance(inner, int) or isinstance(step, int):
                return False
            child = {}
        elif isinstance(child, str) and isinstance(step, int) and place == 1:
            child = {SHORTHANDS.get(str(steps[0]).partition(":")[2], ""): child}
        elif isinstance(child, Mapping):
            child = dict(child)
        elif isinstance(child, list | tuple):
            child = list(child)
        else:
            return False
        parent[step] = child
        parent = child
    return _change(parent, steps[-1], edit)


def _change(parent: Any, last: str | int, edit: Edit) -> bool:
    there = _child(parent, last)
    if edit.action is Action.SET:
        if isinstance(parent, list) and (not isinstance(last, int) or last >= len(parent)):
            return False
        parent[last] = edit.value
    elif edit.action is Action.APPEND:
        if not isinstance(there, list | tuple):
            return False
        parent[last] = [*there, edit.value]
    else:
        if not _holds(parent, last):
            return False
        del parent[last]
    return True


def _holds(parent: Any, step: str | int) -> bool:
    if isinstance(parent, Mapping):
        return step in parent
    return isinstance(parent, list | tuple) and isinstance(step, int) and step < len(parent)


def _child(parent: Any, step: str | int) -> Any:
    return parent[step] if _holds(parent, step) else None


def _key(path: str) -> str:
    """The end of a path as people write it: `engine.max_num_seqs`, `contextLength`."""
    within = re.sub(r"^[^:]*:", "", path)
    within = within.rsplit("].", 1)[-1]
    return within.rsplit(":", 1)[-1]


def written(value: Any) -> str:
    """A value as a stack file has it, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(part) for part in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {written(part)}" for key, part in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)
