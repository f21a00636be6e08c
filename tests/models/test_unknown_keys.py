"""Keys of other tools are recognised; a misspelt key of ours is not mistaken for one."""

from collections import Counter
from pathlib import Path

import yaml

from models import unknown_keys
from models.unknown_keys import rules_of_other_tools, unknown_key

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


def test_no_value_is_repeated() -> None:
    problem = unknown_key("path", "hf_token", MODEL_KEYS, "hf_secretsecretsecret")
    assert problem.rule == "foreign-secret"
    assert "secretsecret" not in problem.sentence()
