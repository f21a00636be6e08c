"""Reads a plan that is only data: the JSON of an earlier output, checked once."""

import json
from typing import Any, Final, cast, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from reports import plan_data
from reports.json_values import unreadable
from reports.plan_data import VERSION, PlanSummary
from reports.sources import SourceError

_GIVE: Final = "Give the JSON of `pulumi stack output plan --json` or of `ray-llm plan --json`"
_ROWS: Final = [
    row
    for row in vars(plan_data).values()
    if isinstance(row, type) and hasattr(row, "__required_keys__")
]
_HINTS: Final = {key: hint for row in _ROWS for key, hint in get_type_hints(row).items()}
# Pulumi leaves null out of outputs, and plans of earlier versions have no task.
_MAY_BE_MISSING: Final = {"task", "taskPath"} | {
    key for key, hint in _HINTS.items() if type(None) in get_args(hint)
}


def summary_of_json(text: str, origin: str) -> PlanSummary:
    """The plan in the JSON of `pulumi stack output plan --json` or `ray-llm plan --json`.

    Raises SourceError if it is something else.
    """
    try:
        data = _opened(json.loads(text.removeprefix("\ufeff")))
        if isinstance(data, dict) and "plan" in data:
            data = _opened(data["plan"])  # all outputs of the stack
    except RecursionError:
        raise SourceError(f"{origin}: is nested too deeply for a plan. {_GIVE}.") from None
    except json.JSONDecodeError as error:
        raise SourceError(f"{origin}: is not JSON (line {error.lineno}: {error.msg}).") from None
    except ValueError:  # Python's limit for the digits of a whole number
        raise SourceError(f"{origin}: holds a whole number with too many digits.") from None
    if wrong := unreadable(data, figures=True):
        raise SourceError(f"{origin}: {wrong}. {_GIVE}.")
    if not isinstance(data, dict) or not {"version", "models", "gpuPools"} <= data.keys():
        raise SourceError(f"{origin}: is not a plan. {_GIVE}.")
    if data["version"] != VERSION:
        raise SourceError(
            f"{origin}: was made by another version of this program (form {_form(data)}, here "
            f"{VERSION}). Compare the stack files instead."
        )
    if place := _wrong_place(data):
        raise SourceError(f"{origin}: is not a plan ({place} has another form). {_GIVE}.")
    return cast("PlanSummary", data)


def _form(data: dict[str, Any]) -> str:
    return str(data["version"]) if isinstance(data["version"], int) else "unknown"


def _wrong_place(data: Any) -> str | None:
    """The first place that has not the form of a plan."""
    try:
        TypeAdapter(PlanSummary).validate_python(data, strict=True)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            *_, key = found["loc"]
            if found["type"] != "missing" or key not in _MAY_BE_MISSING:
                return "".join(map(_shown, found["loc"])).lstrip(".")
    return None


def _shown(part: int | str) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part in _HINTS else "[...]"


def _opened(data: Any) -> Any:
    """What JSON strings hold: the stack output is one, and `--json` puts it into another."""
    while isinstance(data, str):
        try:
            data = json.loads(data)
        except json.JSONDecodeError:
            break
    return data
