"""Typed access to the fields of a config.json, with errors that name the field.

Numbers in JSON may be text, booleans, zeros, negatives or absurdly large; each of these
is refused here, once, so that the reader above can be written plainly.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, overload

from models.architecture.llm_architecture import LARGEST_DIMENSION

CONFIG_JSON = "config.json"
# The largest real one is some 100 kB; a multi-megabyte one is another file.
MAX_CHARACTERS = 5_000_000
WAY_OUT = (
    "Use the config.json next to the model's weights, or give gpu and contextLength and set "
    "checkFit: false."
)


# For a model that is what its config.json says, only not what the fit computes.
NOT_COMPUTED = "Give gpu and contextLength and set checkFit: false."


class ConfigJsonError(ValueError):
    """A config.json that does not describe a decoder LLM."""


def parse_object(text: str, file: str = CONFIG_JSON) -> dict[str, Any]:
    """Return the object in a JSON file; `file` is its name for the errors."""
    if len(text) > MAX_CHARACTERS:
        msg = f"{file} is {len(text):,} characters long, more than any real one. {WAY_OUT}"
        raise ConfigJsonError(msg)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        msg = (
            f"{file} is not JSON: {error.msg} at line {error.lineno}, "
            f"column {error.colno}. {WAY_OUT}"
        )
        raise ConfigJsonError(msg) from None
    except (ValueError, RecursionError):
        msg = f"{file} holds a number or a nesting beyond any real one. {WAY_OUT}"
        raise ConfigJsonError(msg) from None
    if not isinstance(document, dict):
        msg = f"{file} holds a {type(document).__name__}, not an object of fields. {WAY_OUT}"
        raise ConfigJsonError(msg)
    return document


class NotComputedError(ConfigJsonError):
    """A decoder LLM whose memory cannot be computed from its config.json."""


class Fields:
    """The fields of one JSON object; `null` counts as absent, as in transformers."""

    def __init__(
        self,
        values: Mapping[str, Any],
        path: str = "",
        defaults: Mapping[str, Any] | None = None,
        file: str = CONFIG_JSON,
        unnamed: Mapping[str, Any] | None = None,
    ) -> None:
        self._values = values
        self._path = path
        self._defaults = defaults or {}
        self._file = file
        self._unnamed = unnamed or {}

    def with_defaults(
        self, defaults: Mapping[str, Any], unnamed: Mapping[str, Any] | None = None
    ) -> "Fields":
        """Return the same fields, with values for those that are absent.

        unnamed: values for those that are not even named as null.
        """
        return Fields(self._values, self._path, defaults, self._file, unnamed)

    def with_values(self, values: Mapping[str, Any]) -> "Fields":
        """Return the same fields, with others in place of some."""
        named = {**self._values, **values}
        return Fields(named, self._path, self._defaults, self._file, self._unnamed)

    def _get(self, name: str) -> Any:
        value = self._said(name)
        return self._unnamed.get(name) if value is None and name not in self._values else value

    def _said(self, name: str) -> Any:
        value = self._values.get(name)
        return self._defaults.get(name) if value is None else value

    @property
    def size(self) -> int:
        """How many fields there are."""
        return len(self._values)

    def _first(self, names: tuple[str, ...]) -> str | None:
        """The first name that is there; what the class sets of the others comes after them."""
        said = (name for name in names if self._said(name) is not None)
        return next(said, next((name for name in names if self.has(name)), None))

    def has(self, name: str) -> bool:
        """Return whether the field is there and not null."""
        return self._get(name) is not None

    def is_null(self, name: str) -> bool:
        """Return whether the field is named, and null."""
        return name in self._values and not self.has(name)

    def error(
        self, name: str, reason: str, *, value: Any = None, way_out: str = WAY_OUT
    ) -> ConfigJsonError:
        """Return an error about a field: its path, its value, the reason, the way out."""
        shown = self._get(name) if value is None else value
        text = "" if shown is None else f" {_shown(shown)}"
        return ConfigJsonError(f"{self._file}: {self._path}{name}{text} {reason}. {way_out}")

    def not_computed(self, name: str, reason: str, *, value: Any = None) -> NotComputedError:
        """Return an error about a model that another file would not describe better."""
        return NotComputedError(str(self.error(name, reason, value=value, way_out=NOT_COMPUTED)))

    def nested(self, name: str) -> "Fields":
        """Return the fields of an object inside this one."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise self.error(name, "must be an object of fields")
        return Fields(value, f"{self._path}{name}.", file=self._file)

    def integer(self, *names: str, default: int | None = None) -> int:
        """Return the first of `names` that is there: a whole number from 1 up."""
        name = self._first(names)
        if name is not None:
            return self._whole(name, least=1)
        if default is None:
            raise self.error(names[0], "is missing")
        return default

    def count(self, *names: str) -> int | None:
        """Return the first of `names` that is there, which may be 0, or None."""
        name = self._first(names)
        return None if name is None else self._whole(name, least=0)

    def _whole(self, name: str, *, least: int) -> int:
        return self._whole_of(name, self._get(name), least=least)

    def _whole_of(self, name: str, value: Any, *, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(name, "must be a whole number")
        if not least <= value <= LARGEST_DIMENSION:
            raise self.error(name, f"must be from {least} to {LARGEST_DIMENSION:,}")
        return value

    def is_text(self, name: str) -> bool:
        """Return whether the field is a text."""
        return isinstance(self._get(name), str)

    def is_list(self, name: str) -> bool:
        """Return whether the field is a list, as some families have one value for each kind."""
        return isinstance(self._get(name), list)

    def items(self, name: str) -> list[Any]:
        """Return a list of anything, empty if the field is no list."""
        value = self._get(name)
        return value if isinstance(value, list) else []

    def is_minus_one(self, name: str) -> bool:
        """Return whether the field is -1, which several formats write for "none"."""
        value = self._get(name)
        return value == -1 and not isinstance(value, bool)

    def number(self, name: str) -> float | None:
        """Return a finite number above 0, or None if there is none."""
        value = self._get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(name, "must be a number")
        if not (0 < value <= LARGEST_DIMENSION) or not math.isfinite(value):
            raise self.error(name, f"must be above 0 and at most {LARGEST_DIMENSION:,}")
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    @overload
    def text(self, name: str, *, default: str) -> str: ...
    @overload
    def text(self, name: str, *, default: str | None) -> str | None: ...
    def text(self, name: str, *, default: str | None) -> str | None:
        """Return a text."""
        value = self._get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.error(name, "must be text")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, empty if the field is absent."""
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(name, "must be a list of texts")
        return value

    def integers(self, name: str) -> list[int]:
        """Return a list of whole numbers of at least 1, empty if the field is absent."""
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(
            isinstance(item, int) and not isinstance(item, bool) and item > 0 for item in value
        ):
            raise self.error(name, "must be a list of whole numbers")
        return value

    def indices(self, name: str) -> list[int]:
        """Return a list of whole numbers of at least 0, empty if the field is absent."""
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(name, "must be a list of whole numbers")
        return [self._whole_of(name, item, least=0) for item in value]

    def objects(self, name: str) -> "list[Fields]":
        """Return the fields of each object in a list."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(name, "must be a list of objects")
        paths = (f"{self._path}{name}[{index}]." for index in range(len(value)))
        return [
            Fields(item, path, file=self._file) for item, path in zip(value, paths, strict=True)
        ]

    def flags_as_numbers(self, name: str) -> list[int]:
        """Return a list of zeros and ones, empty if the field is absent."""
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(
            item in (0, 1) and not isinstance(item, bool) and isinstance(item, int)
            for item in value
        ):
            raise self.error(name, "must be a list of zeros and ones")
        return value

    def largest(self, *names: str, default: int | None = None) -> int:
        """Return the first of `names` that is there; the largest if it has one a layer."""
        name = self._first(names)
        if name is not None and isinstance(self._get(name), list) and self._get(name):
            return max(self._whole_of(name, item, least=1) for item in self._get(name))
        return self.integer(*names, default=default)

    def first_object(self, name: str) -> "Fields | None":
        """Return the first object inside the object `name`, or None if there is none."""
        groups = self.nested(name)
        inner = next((key for key in groups._values if isinstance(key, str)), None)
        return None if inner is None else groups.nested(inner)


def _shown(value: Any) -> str:
    """Return a value as JSON, shortened: a huge one must not drown the sentence."""
    try:
        text = json.dumps(value)
    except ValueError:  # an integer beyond Python's limit for conversion to text
        return "(a huge number)"
    return text if len(text) <= 60 else f"{text[:57]}..."
