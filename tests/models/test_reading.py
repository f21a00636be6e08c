"""What is read from a stack if parts of it are broken, secret or missing."""

from typing import Any

import pytest

from models.reading import DEFAULT_POOLS, Reading, read_stack, reading_of
from models.spelling import nearest
from models.stack import (
    ClusterSettings,
    GpuPoolSettings,
    ModelDeployment,
    RolloutSettings,
    RolloutStrategy,
    StackSettings,
    WithoutRoom,
)

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
    assert reading.settings.pools_are_default


def test_readable_entries_keep_their_place_in_the_file() -> None:
    reading = read(models=["a", 5, "b"], gpuPools=["l4", {"tear": "t4"}, "t4"])
    assert reading.settings is not None
    models, pools = reading.settings.models, reading.settings.gpu_pools
    assert [model.path for model in models] == ["ray-llm:models[0]", "ray-llm:models[2]"]
    assert [pool.path for pool in pools] == ["ray-llm:gpuPools[0]", "ray-llm:gpuPools[2]"]
    assert not reading.settings.pools_are_default
    assert not reading.pools_complete


@pytest.mark.parametrize("key", ["cluster", "models", "gpuPools", "defaults", "service"])
def test_only_the_token_and_the_keys_of_access_may_be_encrypted(key: str) -> None:
    reading = read(frozenset({f"ray-llm:{key}"}), **{key: None})
    (problem,) = reading.problems
    assert problem.sentence() == (
        f"ray-llm:{key}: is or holds an encrypted value, and the plan shows this section as plain "
        "text. Keep secrets in ray-llm:huggingFaceToken and ray-llm:access.keys only."
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


@pytest.mark.parametrize(
    ("accepted", "message"),
    [
        ("eager-mod", "eager-mod is not the id of a rule. Did you mean eager-mode?"),
        ("xyz", "xyz is not the id of a rule. List ids of rules"),
        ("memory-fit", "memory-fit stops the preview, and only warnings can be accepted."),
        ("rollout-pool-replaced", "rollout-pool-replaced is always shown and cannot be accepted."),
        (5, "5 is not the id of a rule."),
    ],
)
def test_only_rules_that_warn_can_be_accepted(accepted: object, message: str) -> None:
    reading = read(accept=["eager-mode", accepted])
    (problem,) = reading.problems
    assert problem.sentence().startswith(f"ray-llm:accept[1]: {message}")
    assert reading.settings is not None
    assert reading.settings.accept == ("eager-mode",)


def test_settings_of_a_program_are_read_as_they_are() -> None:
    settings = read().settings
    assert settings is not None
    reading = reading_of(settings)
    assert reading.settings is settings
    assert reading.problems == ()


def test_entries_of_a_programs_settings_know_their_paths() -> None:
    pool = GpuPoolSettings(tier="l4")
    settings = StackSettings(
        stack="own",
        project="acme-ml",
        region="us-central1",
        cluster=ClusterSettings(name="llm", zones=("us-central1-a",)),
        gpu_pools=(pool, pool),
        models=(ModelDeployment(model="a"),),
        has_hugging_face_token=False,
    )
    assert [pool.path for pool in settings.gpu_pools] == [
        "ray-llm:gpuPools[0]",
        "ray-llm:gpuPools[1]",
    ]
    assert [model.path for model in settings.models] == ["ray-llm:models[0]"]
    assert pool.path == "ray-llm:gpuPools"
    assert not settings.pools_are_default


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


@pytest.mark.parametrize(
    "value",
    [
        12345678,
        1e5,
        "12345678",
        "c123456",
        "C0123ABCD",
        "c0123abcg",
        True,
        [5],
        {"id": "c0123abcd"},
    ],
)
def test_only_the_id_of_a_change_can_be_allowed(value: object) -> None:
    (problem,) = read(rollout={"allow": value}).problems
    assert problem.path == "ray-llm:rollout.allow"
    assert "is not the id of a change. Copy the id from the sentence" in problem.sentence()


def test_a_rollout_is_read_and_has_defaults() -> None:
    settings = read(rollout={"withoutRoom": "wait", "allow": "c0123abcd"}).settings
    assert settings is not None
    assert settings.rollout == RolloutSettings(
        without_room=WithoutRoom.WAIT, strategy=RolloutStrategy.NEW_CLUSTER, allow=("c0123abcd",)
    )
    default = read().settings
    assert default is not None
    assert default.rollout == RolloutSettings()
    assert default.rollout.allow == ()
    several = read(rollout={"allow": ["c0123abcd", "c89abcdef"]}).settings
    assert several is not None
    assert several.rollout.allow == ("c0123abcd", "c89abcdef")


def test_a_misspelt_word_of_a_rollout_is_named() -> None:
    (problem,) = read(rollout={"strategy": "newcluster"}).problems
    assert problem.path == "ray-llm:rollout.strategy"
    assert [way.words for way in problem.candidates] == ["did you mean newCluster?"]
