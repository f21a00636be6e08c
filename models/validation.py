"""Pydantic's findings about a part of a stack file, in the words of this project.

Paths are those of the file, values are shown as they were written, and every finding has a way
out.
"""

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from models.invalid_value import InvalidValueError
from models.problems import Problem
from models.settings import Settings
from models.spelling import nearest_of
from models.unknown_keys import unknown_key
from models.ways_out import WayOut, leave_out, meant, rename, use, written

Section = TypeVar("Section", bound=Settings)

_LARGEST_MEANT_AS_TEXT: Final = 10**15
_NUMBER: Final = re.compile(r"\s*[-+]?[0-9.]+\s*")


def validated(
    section: type[Section], value: Mapping[Any, Any], path: str
) -> tuple[Section | None, tuple[Problem, ...]]:
    """The settings in a mapping, and what is wrong with it.

    If only unknown keys are wrong, the settings are returned without them, so that the rest of an
    entry with a misspelt key is checked in the same preview.
    """
    settings, errors = _validate(section, value)
    problems = [_problem(details, section, path) for details in errors]
    unknown = [details["loc"] for details in errors if details["type"] in _UNKNOWN]
    if settings is None and unknown:
        settings, errors = _validate(section, _without(value, unknown))
        # What an unknown key leaves empty is no further mistake.
        further = [
            _problem(details, section, path)
            for details in errors
            if details["input"] != {} or not any(key[:-1] == details["loc"] for key in unknown)
        ]
        problems += [problem for problem in further if problem not in problems]
    return settings, tuple(problems)


_UNKNOWN: Final = ("extra_forbidden", "invalid_key")


def _validate(
    section: type[Section], value: Mapping[Any, Any]
) -> tuple[Section | None, list[ErrorDetails]]:
    try:
        return section.model_validate(value, by_alias=True, by_name=False), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # A list whose only entries are broken looks empty to Pydantic.
        broken = {
            details["loc"][:length] for details in errors for length in range(len(details["loc"]))
        }
        return None, [
            details
            for details in errors
            if details["type"] != "too_short" or details["loc"] not in broken
        ]


def _without(value: Mapping[Any, Any], paths: Iterable[Sequence[int | str]]) -> Mapping[Any, Any]:
    """A copy of a mapping without some keys; a path names a key that is no text by its text."""
    kept = dict(value)
    for path in paths:
        parent: Any = kept
        for part in path[:-1]:  # copies what it changes, nothing else
            parent[part] = copy.copy(parent[part])
            parent = parent[part]
        for key in [key for key in parent if str(key) == str(path[-1])]:
            del parent[key]
    return kept


def keys_of(section: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a section as the file spells them."""
    return tuple(field.alias or name for name, field in section.model_fields.items())


def not_a(value: object, path: str, wanted: str, remedy: str) -> Problem:
    """The problem of a value of the wrong type; `wanted` is the right one with its article."""
    reason = f"has no value, and {wanted} is needed" if value is None else f"is not {wanted}"
    return Problem(path=path, value=value, reason=reason, remedy=remedy, rule="wrong-type")


def _problem(details: ErrorDetails, section: type[BaseModel], path: str) -> Problem:
    location = details["loc"]
    of_key = bool(location) and location[-1] == "[key]"  # the key itself, not what it holds
    if of_key:
        location = location[:-1]
    where = path + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in location
    )
    kind = details["type"]
    value = details["input"]
    if kind in _UNKNOWN:
        known = keys_of(_section_at(section, location[:-1]))
        return unknown_key(where, str(location[-1]), known, value)
    if kind == "missing":
        return Problem(path=where, reason="is missing", remedy="Add this key", rule="missing-key")
    if kind == "value_error":
        cause = details.get("ctx", {}).get("error")
        reason, remedy = (
            (cause.reason, cause.remedy)
            if isinstance(cause, InvalidValueError)
            else (str(cause or details["msg"]), "Change it")
        )
        shown = None if isinstance(value, Mapping | BaseModel) else value
        fixes = cause.fixes if isinstance(cause, InvalidValueError) else ()
        rule = cause.rule if isinstance(cause, InvalidValueError) else "invalid-value"
        return Problem(
            path=where,
            value=shown,
            reason=reason,
            remedy=remedy,
            rule=rule,
            candidates=[rename(where, str(name)) for _, name in fixes]
            if of_key
            else _fixes(where, fixes, remedy, quoted=isinstance(value, int | float)),
        )
    candidates = _nearest_values(where, kind, details)
    if kind in ("dict_type", "model_type") and isinstance(value, str):
        candidates = _under_its_key(where, value, keys_of(_section_at(section, location)))
    reason, remedy = _wording(kind, details)
    wrong_type = kind.endswith(("_type", "_parsing"))
    if value is None:
        reason = f"has no value, which {reason}"
    elif wrong_type and isinstance(value, str):
        value = f'"{value}"'  # or the text 8 would read like the number
    elif isinstance(value, list | tuple) and not value:
        value = "[]"
    rule = "wrong-type" if wrong_type else "invalid-value"
    return Problem(
        path=where, value=value, reason=reason, remedy=remedy, rule=rule, candidates=candidates
    )


def _fixes(
    path: str, fixes: Iterable[tuple[str, object]], remedy: str, *, quoted: bool
) -> Iterable[WayOut]:
    """quoted: whether a text is shown in quotes, because a number stands in its place."""
    for key, value in fixes:
        if not key:
            shown = f'"{value}"' if isinstance(value, str) and quoted else written(value)
            yield use(path, value, f"{remedy[:1].lower()}{remedy[1:]}: {shown}")
        elif value is None:
            yield leave_out(f"{path}.{key}", f"leave out {key}")
        else:
            yield use(f"{path}.{key}", value)


def _nearest_values(path: str, kind: str, details: ErrorDetails) -> tuple[WayOut, ...]:
    """The value that was probably meant: the nearest one that is allowed, or read from its text."""
    context, value = details.get("ctx", {}), details["input"]
    if kind == "greater_than_equal":
        return (use(path, context["ge"], f"use {context['ge']} or more"),)
    if kind == "less_than_equal":
        return (use(path, context["le"], f"use at most {context['le']}"),)
    if kind in ("literal_error", "enum"):
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        near = nearest_of(value, allowed) if isinstance(value, str) else None
        return () if near is None else (meant(path, near),)
    if isinstance(value, str):
        return _from_text(path, kind, value)
    if kind == "string_type" and _is_short_number(value):
        return (use(path, str(value), "put it in quotes"),)
    return ()


def _under_its_key(path: str, text: str, keys: Sequence[str]) -> tuple[WayOut, ...]:
    """A text in place of a section that has one key."""
    return (use(path, {keys[0]: text}),) if len(keys) == 1 else ()


def _is_short_number(value: object) -> bool:
    """Whether it may have been meant as a text, as a version may be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST_MEANT_AS_TEXT


def _from_text(path: str, kind: str, text: str) -> tuple[WayOut, ...]:
    words = "write it without quotes"
    if kind == "bool_type" and text.strip().lower() in ("true", "false"):
        return (use(path, text.strip().lower() == "true", words),)
    if kind == "int_type" and text.strip().isdecimal() and len(text) < 20:
        return (use(path, int(text), words),)
    if kind in ("tuple_type", "list_type"):
        return (use(path, [text]),)
    if kind == "float_type" and _NUMBER.fullmatch(text):
        try:
            return (use(path, float(text), words),)
        except ValueError:
            return ()
    return ()


def _section_at(section: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """The settings class in which a path of keys ends."""
    for part in location:
        for name, field in section.model_fields.items():
            if part in (name, field.alias):
                for kind in _kinds(field.annotation):
                    if isinstance(kind, type) and issubclass(kind, BaseModel):
                        section = kind
    return section


def _kinds(annotation: Any) -> Iterable[Any]:
    """A type and those in it: LoraSettings | None is a union of both, a list has its entries'."""
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _wording(kind: str, details: ErrorDetails) -> tuple[str, str]:
    """Reason and remedy for Pydantic's error types; its own text for the rare others."""
    context = details.get("ctx", {})
    value = details["input"]
    quoted = isinstance(value, str) and _NUMBER.fullmatch(value) is not None
    wordings: Mapping[str, Callable[[], tuple[str, str]]] = {
        "int_type": lambda: (
            "is not a whole number",
            "Write it without quotes" if quoted else "Write a whole number",
        ),
        "float_type": lambda: (
            "is not a number",
            "Write it without quotes" if quoted else "Write a number",
        ),
        "string_type": lambda: (
            "is not a text",
            "Put it in quotes" if isinstance(value, int | float) else "Write a text",
        ),
        "bool_type": lambda: ("is neither true nor false", "Write true or false"),
        "dict_type": lambda: ("is not a mapping", "Write `key: value` lines"),
        "model_type": lambda: ("is not a mapping", "Write `key: value` lines"),
        "tuple_type": lambda: ("is not a list", "Write [first, second]"),
        "list_type": lambda: ("is not a list", "Write [first, second]"),
        "greater_than": lambda: (f"is not above {context['gt']}", "Write a larger number"),
        "greater_than_equal": lambda: (f"is below {context['ge']}", f"Use {context['ge']} or more"),
        "less_than_equal": lambda: (f"is above {context['le']}", f"Use at most {context['le']}"),
        "literal_error": lambda: (
            f"is not one of {context['expected']}",
            "Choose one of these",
        ),
        "enum": lambda: (f"is not one of {context['expected']}", "Choose one of these"),
        "string_too_short": lambda: ("is empty", "Give a text"),
        "too_short": lambda: ("is empty", "List at least one"),
    }
    wording = wordings.get(kind)
    return wording() if wording else (f"is invalid ({details['msg']})", "Change it")
