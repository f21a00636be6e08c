"""What is read of a stack where parts of it are broken, secret or left out."""

from typing import Any

import pytest

from models.reading import DEFAULT_POOLS, Reading, read_stack, reading_of
from models.spelling import nearest

GOOD: dict[str, Any] = {
    "gcp:project": "acme-ml",
    "gcp:region": "us-central1",
    "ray-llm:cluster": {"name": "llm", "zones": ["us-central1-a"]},
    "ray-llm:models": ["a", {"model": "b", "gpu": "l4"}],
}


def read(secrets: frozenset[str] = frozenset(), **keys: Any) -> Reading:
    values = {**GOOD, **{f"ray-llm:{key}": value for key, value in keys.items()}}
    return read_stack("dev", values, secrets)


def test_a_good_stack_is_read_without_problems() -> None:
    reading = read()
    assert reading.problems == ()
    assert reading.origin == "Pulumi.dev.yaml"
    assert reading.settings is not None
    assert [model.served_name for model in reading.settings.models] == ["a", "b"]
    assert [pool.tier for pool in reading.settings.gpu_pools] == list(DEFAULT_POOLS)
    assert reading.pool_indexes == ()


def test_readable_entries_keep_their_place_in_the_file() -> None:
    reading = read(models=["a", 5, "b"], gpuPools=["l4", {"tear": "t4"}, "t4"])
    assert reading.settings is not None
    assert reading.model_indexes == (0, 2)
    assert reading.pool_indexes == (0, 2)
    assert not reading.pools_complete


@pytest.mark.parametrize("key", ["cluster", "models", "gpuPools", "defaults", "service"])
def test_only_the_token_may_be_encrypted(key: str) -> None:
    reading = read(frozenset({f"ray-llm:{key}"}), **{key: None})
    (problem,) = reading.problems
    assert problem.sentence() == (
        f"ray-llm:{key}: is or holds an encrypted value, and the plan shows this section as plain "
        f"text. Keep secrets in ray-llm:huggingFaceToken only."
    )


def test_an_encrypted_token_is_known_and_not_kept() -> None:
    reading = read(frozenset({"ray-llm:huggingFaceToken"}), huggingFaceToken="hf_decrypted")
    assert reading.problems == ()
    assert reading.settings is not None
    assert reading.settings.has_hugging_face_token
    assert "hf_decrypted" not in repr(reading)


def test_other_programs_keys_are_left_alone() -> None:
    values = {**GOOD, "kubernetes:context": "x", "datadog:apiKey": "x", "pulumi:tags": {}}
    assert read_stack("dev", values).problems == ()


def test_settings_of_a_program_are_read_as_they_are() -> None:
    settings = read().settings
    assert settings is not None
    reading = reading_of(settings)
    assert reading.settings is settings
    assert (reading.model_indexes, reading.pool_indexes) == ((0, 1), (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("modles", ["models", "cluster"], "Did you mean models? "),
        ("max_nodes", ["minNodes", "maxNodes"], "Did you mean maxNodes? "),
        ("qwen2.5-7b", ["qwen3-1.7b", "qwen2.5-7b-instruct"], "Did you mean qwen2.5-7b-instruct? "),
        ("zzz", ["models", "cluster"], ""),
    ],
)
def test_the_nearest_name_is_offered(word: str, known: list[str], hint: str) -> None:
    assert nearest(word, known) == hint
