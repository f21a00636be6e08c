"""The components' arguments have types that Pulumi can describe to its other languages."""

import types
from collections.abc import Awaitable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

import pulumi
import pytest

import components

ARGUMENTS = [
    item
    for name in components.__all__
    if name.endswith("Args") and is_dataclass(item := getattr(components, name))
]


def refused(hint: Any) -> Iterator[Any]:
    """The parts of a type that Pulumi's analyzer of components has no word for.

    It takes Optional, enums and lists, and a `pulumi.Input` as what it wraps. A Union is refused
    by name in both spellings, and a Literal ends in a bare TypeError.
    """
    parts = [part for part in get_args(hint) if part is not types.NoneType]
    origin = get_origin(hint)
    if origin is Literal:
        yield hint
        return
    if origin in (Union, types.UnionType):
        awaited = [part for part in parts if get_origin(part) is Awaitable]
        if awaited:  # Input[T] is Union[T, Awaitable[T], Output[T]]
            parts = list(get_args(awaited[0]))
        elif len(parts) > 1:
            yield hint
    for part in parts:
        yield from refused(part)


def test_every_component_has_arguments_to_look_at() -> None:
    assert len(ARGUMENTS) == 8


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_no_argument_is_a_union_or_a_literal(arguments: Any) -> None:
    for field in fields(arguments):
        assert not isinstance(field.type, str)
        assert list(refused(field.type)) == [], field.name


@pytest.mark.parametrize(
    ("hint", "known"),
    [
        (Literal["a"], False),
        (int | str, False),
        (Union[int, str, None], False),  # noqa: UP007 - the spelling is the subject
        (list[int | str], False),
        (str | None, True),
        (pulumi.Input[str] | None, True),
        (pulumi.Input[Literal["a"]], False),
    ],
)
def test_what_pulumi_has_no_word_for_is_seen(hint: Any, known: bool) -> None:
    assert (list(refused(hint)) == []) is known
