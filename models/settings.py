"""What all settings have in common: the base class of a section and that of a list's entry."""

from collections.abc import Iterable
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr
from pydantic.alias_generators import to_camel


class Settings(BaseModel):
    """Base of all settings: frozen, strict types, camelCase keys, no unknown key."""

    model_config = ConfigDict(
        frozen=True,
        defer_build=True,  # StackSettings, the largest, is never validated as a whole
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        protected_namespaces=(),
    )


class Entry(Settings):
    """Base of a list's entries: an entry knows its path in the stack file."""

    _path: str = PrivateAttr()

    @property
    def path(self) -> str:
        """The path in the file, `ray-llm:models[2]`; the list's own outside of a stack."""
        return self._path

    def at(self, path: str) -> Self:
        """A copy of the entry at that path."""
        entry = self.model_copy()
        entry._path = path
        return entry


EntryT = TypeVar("EntryT", bound=Entry)


def with_paths(entries: Iterable[EntryT], key: str) -> tuple[EntryT, ...]:
    """Entries at the paths that they would have in a stack file's list `key`."""
    return tuple(entry.at(f"ray-llm:{key}[{index}]") for index, entry in enumerate(entries))
