"""Since when an engine argument is gone or there, and that each replacement is one."""

import pytest

from models.catalog import added_in, dropped_arguments, dropped_in, vllm_versions
from models.catalog.engine_argument_history import has


def test_the_first_release_without_an_argument_is_named() -> None:
    assert dropped_in("swap_space", "0.29.0") == "0.18.0"
    assert dropped_in("disable_log_requests", "0.10.2") == "0.10.2"
    assert dropped_in("disable_log_requests", "0.29.0") == "0.10.2"


def test_an_argument_that_was_never_there_was_not_dropped() -> None:
    assert dropped_in("max_num_seq", "0.29.0") is None
    assert dropped_in("kv_cache_memory_bytes", "0.10.0") is None


def test_the_first_release_with_an_argument_is_named() -> None:
    assert added_in("kv_cache_memory_bytes", "0.10.0") == "0.10.2"
    assert added_in("kv_cache_memory_bytes", "0.29.0") is None


@pytest.mark.parametrize("name", dropped_arguments())
def test_a_replaced_argument_is_gone_and_what_replaces_it_is_there(name: str) -> None:
    row, newest = dropped_arguments()[name], vllm_versions()[-1]
    assert not has(newest, name)
    assert row.becomes is None or has(newest, row.becomes)
    assert row.instead.startswith("Leave it out")
    assert row.source.startswith("https://")


def test_what_the_pinned_releases_have_dropped_is_nearly_all_explained() -> None:
    pinned, newest = vllm_versions(), vllm_versions()[-1]
    from models.catalog import engine_arguments

    gone = {name for vllm in pinned for name in engine_arguments(vllm) if not has(newest, name)}
    assert len(gone - set(dropped_arguments())) < 12
