"""The keys under `ray-llm:access`: where their values stand, and what a value must be.

Pulumi hands a program the whole section decrypted as soon as one value in it is encrypted, and does
not say which one. So the section is brought into one form before anything reads it: an encrypted
value is `{secure: "[secret]"}`, a key in plain text is `[secret]`, and neither holds the value. A
key that is kept elsewhere is `{secretManager: NAME}` throughout.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from models.access import ENCRYPTED, SHORTEST_KEY
from models.problems import Problem
from models.secret_forms import HIDDEN
from models.ways_out import leave_out, outside

ACCESS: Final = "ray-llm:access"
"""The full key of the section."""

_KEYS: Final = "keys"
_KEY: Final = "key"
_DEEPEST: Final = 50  # levels that are read; what lies deeper is hidden whole
# Longer than any key that is made, and short enough for a header of every client.
_LONGEST: Final = 512
# What is shown although the section holds secrets and no stack file says which of its values are.
_SHOWN: Final = frozenset({"exposure", "host", "certificate", "securityPolicy"})
_SUSPECT: Final = re.compile(r"key|token|secret|password", re.IGNORECASE)
_ONE_WORD: Final = re.compile(r"[a-z]{1,16}", re.IGNORECASE)
_VISIBLE_ASCII: Final = re.compile(r"[!-~]*")
_Path = tuple[str | int, ...]


def is_encrypted(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether this is an encrypted value as a stack file writes it, `{secure: ...}`."""
    return isinstance(value, Mapping) and set(value) == {"secure"}


def is_reference(value: object) -> bool:
    """Whether this says where a key is kept, `{secretManager: NAME}`, and is none itself."""
    return isinstance(value, Mapping) and set(value) == {"secretManager"}


def with_hidden_keys(section: object) -> object:
    """The section of a stack file without the text of any key, encrypted or not."""
    return _hidden(section, ())


def _hidden(value: object, path: _Path) -> object:
    if is_encrypted(value):
        # `{secure: }` and `{secure: ""}` hold nothing, as a key that is left empty.
        return ENCRYPTED if value["secure"] or not _is_key(value, path) else None
    if is_reference(value) and _is_key(value, path):
        return value
    if value is not None and (_is_key(value, path) or len(path) > _DEEPEST):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: _hidden(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, str) and not path and not _ONE_WORD.fullmatch(value):
        # `pulumi config set ray-llm:access '{"keys": ...}'` writes the whole section as one text.
        return HIDDEN
    # A misspelt `key` or `keys` must not show what it holds.
    suspect = path and _SUSPECT.search(str(path[0])) and not _is_shown(path)
    return HIDDEN if isinstance(value, str) and suspect else value


def as_in_file(section: object, in_file: object) -> object:
    """A section that the engine decrypted, as the stack file would hold it, keys hidden.

    in_file: the section of the stack file beside the program; None if there is none. A text is
    taken for plain only if the file has the same text at the same place; without a file, if its
    place is one where nobody keeps a secret.
    """
    return _undone(section, in_file, ())


def _undone(value: object, in_file: object, path: _Path) -> object:
    if value is not None and (is_encrypted(in_file) or len(path) > _DEEPEST):
        return ENCRYPTED
    if is_reference(value) and value == in_file:
        return value
    if _is_key(value, path):
        return value if value is None else HIDDEN if value == in_file else ENCRYPTED
    if isinstance(value, Mapping):
        return {
            key: _undone(item, _child(in_file, key), (*path, key)) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            _undone(item, _child(in_file, index), (*path, index))
            for index, item in enumerate(value)
        ]
    if isinstance(value, str) and value != in_file and not _is_shown(path):
        return ENCRYPTED
    return value


def _child(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _is_key(value: object, path: _Path) -> bool:
    """Whether this is the place of a key: `keys.TEAM`, if it is no entry, or `keys.TEAM.key`."""
    if path[:1] != (_KEYS,):
        return False
    return path[2:] == (_KEY,) or (len(path) == 2 and not _is_entry(value))


def _is_entry(value: object) -> bool:
    """Whether this is what a team may do, with its key under `key`."""
    return isinstance(value, Mapping) and not is_encrypted(value) and not is_reference(value)


def _is_shown(path: _Path) -> bool:
    within_key = len(path) == 4 and path[0] == _KEYS and path[2] == "models"
    return within_key or (len(path) == 1 and path[0] in _SHOWN)


def key_texts(section: object) -> dict[str, object]:
    """What a decrypted section holds as each team's key."""
    keys = section.get(_KEYS) if isinstance(section, Mapping) else None
    if not isinstance(keys, Mapping):
        return {}
    return {
        str(team): entry.get(_KEY) if _is_entry(entry) else entry for team, entry in keys.items()
    }


def section_problems(section: object) -> Iterator[Problem]:
    """What is wrong with where secrets stand in a section without the texts of keys."""
    waiting: list[tuple[str, object, _Path]] = [(ACCESS, section, ())]
    while waiting:
        path, value, steps = waiting.pop()
        if is_encrypted(value):
            if not _is_key(None, steps):
                yield _misplaced(path)
        elif is_reference(value) and _is_key(value, steps):
            continue
        elif _is_key(value, steps):
            yield _missing(path) if value is None else _plain(path)
        elif isinstance(value, Mapping):
            if _is_key(None, steps) and _KEY not in value:
                yield _missing(f"{path}.{_KEY}", path)
            inner = [(f"{path}.{key}", item, (*steps, key)) for key, item in value.items()]
            waiting.extend(reversed(inner))
        elif isinstance(value, list | tuple):
            entries = [(f"{path}[{at}]", item, (*steps, at)) for at, item in enumerate(value)]
            waiting.extend(reversed(entries))


def _misplaced(path: str) -> Problem:
    return Problem(
        path=path,
        reason="holds an encrypted value, and the plan shows this place as plain text",
        remedy=(
            "Write the teams' names in plain text, and encrypt each key by itself: "
            if path == f"{ACCESS}.{_KEYS}"
            else "Write it in plain text; in this section only the keys are encrypted, each by "
            "itself: "
        )
        + f"{ACCESS}.keys.TEAM",
        rule="misplaced-secret",
    )


def _plain(path: str) -> Problem:
    return Problem(
        path=path,
        reason="is in plain text in the stack file",
        remedy=f"{_set(path)}; the key that was written here is known now and must not be used",
        rule="plain-secret",
    )


def _missing(path: str, team: str = "") -> Problem:
    """A team without a key."""
    made = _set(path)
    return Problem(
        path=path,
        reason="is missing" if team else "has no value",
        remedy=f"{made}, or leave the team out",
        rule="missing-key",
        # Without the last team there would be no keys, which lets everybody in.
        candidates=(
            leave_out(team or path, "leave the team out"),
            outside(f"{made[:1].lower()}{made[1:]}"),
        ),
    )


def _set(path: str) -> str:
    return f"Make a key, with `openssl rand -hex 32 | pulumi config set --secret --path {path}`"


def key_problems(texts: Mapping[str, object]) -> tuple[Problem, ...]:
    """What is wrong with the decrypted keys, by team; no problem holds any part of one."""
    first: dict[object, str] = {}
    problems: list[Problem] = []
    for team, text in texts.items():
        path = f"{ACCESS}.keys.{team}"
        reason = _why_no_key(text)
        if reason:
            problems.append(
                Problem(path=path, reason=reason, remedy=_set(path), rule="access-key-value")
            )
        elif text in first:
            problems.append(
                Problem(
                    path=path,
                    reason=f"has the same value as the key of {first[text]}, so that nobody could "
                    "tell who asks, and neither could be revoked alone",
                    remedy=_set(path),
                    rule="access-key-twice",
                )
            )
        else:
            first[text] = team
    return tuple(problems)


def _why_no_key(text: object) -> str:
    """Why a text cannot be a key; empty if it can."""
    if not isinstance(text, str):
        return "is encrypted, and what it holds is not a text"
    if not text.strip():
        return "is encrypted, and what it holds is empty"
    if not _VISIBLE_ASCII.fullmatch(text):
        return (
            "holds a blank, a line end or a character outside of visible ASCII, which no client "
            "can send in a header"
        )
    if len(text) < SHORTEST_KEY:
        return f"is shorter than {SHORTEST_KEY} characters, and a short key can be guessed"
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST} characters, which not every client can send in a header"
    return ""


def sound_keys(texts: Mapping[str, object]) -> dict[str, str]:
    """The keys that a gateway can check, by team."""
    return {
        team: text
        for team, text in texts.items()
        if isinstance(text, str) and not _why_no_key(text)
    }


def entries_written_out(section: Any) -> Any:
    """A section whose keys are all in the long form, `TEAM: {key: ...}`, as settings read it."""
    keys = section.get(_KEYS) if isinstance(section, Mapping) else None
    if not isinstance(keys, Mapping):
        return section
    # A key that is missing or in plain text is reported by `section_problems`.
    written = {
        team: {**entry, _KEY: _source(entry.get(_KEY))}
        if _is_entry(entry)
        else {_KEY: _source(entry)}
        for team, entry in keys.items()
    }
    return {**section, _KEYS: written}


def _source(key: object) -> object:
    """Where a key is kept, if that is said; else it is encrypted in the stack file."""
    return key if is_reference(key) else ENCRYPTED
