"""The three lists of what engine arguments do to GPU memory are complete and do not overlap."""

from collections import Counter

import pytest

from models.catalog import arguments_by_memory, data_file, engine_arguments, vllm_versions

LISTS = ("modelled", "unaffected", "not_understood")


@pytest.mark.parametrize("version", sorted(set(vllm_versions())))
def test_every_engine_argument_is_in_one_list(version: str) -> None:
    lists = arguments_by_memory()
    known = lists.modelled | lists.unaffected | set(lists.not_understood)
    assert set(engine_arguments(version)) <= known


def test_no_argument_is_in_two_lists_or_twice_in_one() -> None:
    rows = data_file.read("engine_argument_memory.yaml")
    counted = Counter(name for key in LISTS for name in rows[key])
    assert [name for name, times in counted.items() if times > 1] == []


def test_usual_values_are_of_arguments_that_are_not_understood_and_vllm_takes_them() -> None:
    lists = arguments_by_memory()
    for name, values in lists.usual_values.items():
        assert name in lists.not_understood
        closed = [
            {str(choice).lower() for choice in row.choices}
            for version in vllm_versions()
            if (row := engine_arguments(version).get(name)) is not None and row.choices
        ]
        assert all(any(str(value) in choices for choices in closed) for value in values if closed)


def test_no_list_has_an_argument_that_no_release_has() -> None:
    rows = data_file.read("engine_argument_memory.yaml")
    known = {name for version in vllm_versions() for name in engine_arguments(version)}
    assert {name for key in LISTS for name in rows[key]} == known
