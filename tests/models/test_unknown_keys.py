"""Keys of other tools are recognised; a misspelt key of ours is not mistaken for one."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from models import unknown_keys
from models.unknown_keys import rules_of_other_tools, unknown_key
from models.ways_out import with_edits

TABLE = yaml.safe_load(
    (Path(unknown_keys.__file__).parent / "keys_of_other_tools.yaml").read_text()
)
POOL_KEYS = ("tier", "spot", "name", "machineType", "minNodes", "maxNodes")
MODEL_KEYS = ("model", "replicas", "targetOngoingRequests", "contextLength", "engine")


def _folded(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "")


def test_no_key_is_in_two_rows() -> None:
    keys = Counter(_folded(key) for row in TABLE for key in row["keys"])
    assert [key for key, count in keys.items() if count > 1] == []
    assert set(rules_of_other_tools()) == {row["rule"] for row in TABLE}


def test_every_row_says_why_and_what_instead() -> None:
    for row in TABLE:
        assert row["reason"].startswith("because ")
        assert row["remedy"]


def test_a_foreign_key_is_known_in_any_spelling() -> None:
    for key in ("initial_node_count", "initialNodeCount", "initial-node-count"):
        assert unknown_key("path", key, POOL_KEYS).rule == "foreign-node-pool"


def test_our_own_key_in_another_spelling_is_ours() -> None:
    problem = unknown_key("path", "target_ongoing_requests", MODEL_KEYS)
    assert problem.rule == "unknown-key"
    assert problem.remedy == "Did you mean targetOngoingRequests?"


def test_an_engine_argument_is_one_only_where_an_engine_is() -> None:
    assert unknown_key("path", "max_num_seqs", MODEL_KEYS).rule == "foreign-engine-argument"
    assert unknown_key("path", "max_num_seqs", POOL_KEYS).rule == "unknown-key"
    assert "contextLength" in unknown_key("path", "max_model_len", MODEL_KEYS).remedy


def test_a_key_inside_a_section_of_another_tool_gets_the_best_hint() -> None:
    problem = unknown_key("ray-llm:head", "head", (), {"serviceType": "LoadBalancer"})
    assert (problem.rule, problem.path) == ("foreign-exposure", "ray-llm:head.serviceType")
    problem = unknown_key("ray-llm:head", "head", (), {"rayStartParams": {"num-gpus": "1"}})
    assert problem.rule == "foreign-worker-group"


def test_a_service_type_tells_what_any_key_is_about() -> None:
    assert unknown_key("path", "kind", ("name",), "LoadBalancer").rule == "foreign-exposure"
    assert unknown_key("path", "kind", ("name",), ["LoadBalancer"]).rule == "unknown-key"


def test_each_foreign_key_names_the_setting_that_governs_it() -> None:
    for key, setting in {
        "upgradeStrategy": "maxNodes",
        "idleTimeoutSeconds": "downscaleDelaySeconds",
        "restart_policy": "no setting",
        "serviceUnhealthySecondThreshold": "no setting",
        "readinessProbe": "no setting",
        "gpuSharingConfig": "tier",
        "enablePrivateNodes": "cluster.existing",
        "headResources": "cluster.cpuPool.machineType",
        "nodeConfig": "cluster.cpuPool",
        "kubernetes_version": "cluster.releaseChannel",
        "diskSizeGb": "bootDiskGb",
    }.items():
        problem = unknown_key(f"ray-llm:models[0].{key}", key, MODEL_KEYS)
        assert problem.rule.startswith("foreign-"), key
        assert setting in problem.remedy, (key, problem.remedy)


def test_a_row_says_leave_it_out_and_what_does_the_same() -> None:
    for row in TABLE:
        assert row["remedy"].startswith("Leave it out"), row["keys"]
        assert not row["remedy"].endswith("."), row["keys"]


def test_a_value_that_ours_takes_is_moved_there() -> None:
    problem = unknown_key("ray-llm:models[0].min_replicas", "min_replicas", MODEL_KEYS, 2)
    first, *_ = problem.candidates
    values = {"ray-llm:models": [{"model": "x", "min_replicas": 2}]}
    assert with_edits(values, first.edits) == {
        "ray-llm:models": [{"model": "x", "replicas": {"min": 2}}]
    }


def test_a_whole_section_of_another_tool_is_moved_at_once() -> None:
    section = {"min_replicas": 1, "max_replicas": 3, "look_back_period_s": 30}
    path = "ray-llm:models[0].autoscaling_config"
    first, *_ = unknown_key(path, "autoscaling_config", MODEL_KEYS, section).candidates
    values = {"ray-llm:models": [{"model": "x", "autoscaling_config": section}]}
    assert with_edits(values, first.edits) == {
        "ray-llm:models": [{"model": "x", "replicas": {"min": 1, "max": 3}}]
    }


def test_a_dropped_engine_argument_outside_of_engine_is_not_sent_there() -> None:
    problem = unknown_key("path", "speculative_model", MODEL_KEYS)
    assert problem.rule == "foreign-engine-argument"
    assert "speculative_config" in problem.remedy


@pytest.mark.parametrize(
    ("key", "known", "nested"),
    [
        ("engine.max_num_seqs", MODEL_KEYS, "engine: {max_num_seqs: ...}"),
        ("versions.ray", ("versions", "models"), "versions: {ray: ...}"),
        ("engine.compilation_config.mode", MODEL_KEYS, "engine: {compilation_config: {mode: ...}}"),
    ],
)
def test_a_path_as_messages_write_it_is_no_key(
    key: str, known: tuple[str, ...], nested: str
) -> None:
    problem = unknown_key(f"path.{key}", key, known, 1)
    assert problem.remedy == f"Write {nested}"
    assert "a dot in a key is no path" in problem.reason
    assert "Write" not in unknown_key("path", "engines.max_num_seqs", ("name",)).remedy


def test_no_value_is_repeated() -> None:
    problem = unknown_key("path", "hf_token", MODEL_KEYS, "hf_secretsecretsecret")
    assert problem.rule == "foreign-secret"
    assert "secretsecret" not in problem.sentence()


def test_an_engine_argument_in_a_section_of_a_model_belongs_to_the_model() -> None:
    problem = unknown_key("ray-llm:models[3].lora.maxLoras", "maxLoras", ("path",), 4)
    assert problem.rule == "foreign-engine-argument"
    (way,) = problem.candidates
    assert [edit.value for edit in way.edits] == ["ray-llm:models[3].engine.max_loras"]


def test_a_text_in_a_section_of_one_key_may_be_meant_for_it() -> None:
    problem = unknown_key("ray-llm:models[0].lora.bucket", "bucket", ("path",), "gs://acme/sql")
    (way,) = problem.candidates
    assert (problem.rule, way.words) == ("unknown-key", "write it as path")
    assert [edit.value for edit in way.edits] == ["ray-llm:models[0].lora.path"]
