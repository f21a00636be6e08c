"""The section `ray-llm:access`, read so that one broken key hides nothing about the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_snake

from models.access import AccessSettings, KeySettings
from models.access_keys import ACCESS, entries_written_out, is_encrypted, section_problems
from models.problems import Problem
from models.validation import keys_of, not_a, validated
from models.ways_out import leave_out, outside


@dataclass(frozen=True, kw_only=True)
class AccessSection:
    """What could be read of the section.

    settings: None if there is no section, or none that can be read.
    complete: False if a part was left out, so that its absence proves nothing.
    """

    settings: AccessSettings | None
    problems: tuple[Problem, ...] = ()
    complete: bool = True


def access_section(section: object) -> AccessSection:
    """The settings in a section without the texts of keys, and what is wrong with its form."""
    problems = tuple(section_problems(section))
    if is_encrypted(section):
        return AccessSection(settings=None, problems=problems, complete=False)
    if not isinstance(section, Mapping):
        known = f"Keys: {', '.join(keys_of(AccessSettings))}; {{}} alone makes a gateway"
        wrong = not_a(section, ACCESS, "a mapping of keys", known)
        return AccessSection(settings=None, problems=(*problems, wrong), complete=False)
    nobody = tuple(_without_a_key(section))
    written = entries_written_out(section)
    settings, found = validated(AccessSettings, written, ACCESS)
    complete = settings is not None and not nobody
    return AccessSection(
        settings=_readable(written) if settings is None else settings,
        problems=(*problems, *nobody, *found),
        complete=complete,
    )


def _without_a_key(section: Mapping[Any, Any]) -> Iterator[Problem]:
    """`keys: {}`, which may mean that nobody may ask, and would mean that everybody may."""
    keys = section.get("keys")
    if isinstance(keys, Mapping) and not keys:
        yield Problem(
            path=f"{ACCESS}.keys",
            value="{}",
            reason="is empty, which would let everybody who reaches the gateway ask every model",
            remedy="Write a key a team, TEAM: {secure: ...}, or leave keys out",
            rule="empty-list",
            candidates=(
                leave_out(f"{ACCESS}.keys", "leave keys out to let everybody in"),
                outside("write a key a team, TEAM: {secure: ...}"),
            ),
        )


def _readable(section: Mapping[Any, Any]) -> AccessSettings:
    """The settings of those parts that can be read, the others left out."""
    parts: dict[str, Any] = {}
    for key, value in section.items():
        if key == "keys" and isinstance(value, Mapping):
            parts["keys"] = dict(_readable_keys(value))
            continue
        settings, _ = validated(AccessSettings, {key: value}, ACCESS)
        field = to_snake(key) if isinstance(key, str) else ""
        if settings is not None and field in AccessSettings.model_fields:
            parts[field] = getattr(settings, field)
    return AccessSettings().model_copy(update=parts)


def _readable_keys(keys: Mapping[Any, Any]) -> Iterator[tuple[str, KeySettings]]:
    for team, entry in keys.items():
        settings, _ = validated(AccessSettings, {"keys": {team: entry}}, ACCESS)
        if settings is not None:
            yield from settings.keys.items()
