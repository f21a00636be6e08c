"""Engine arguments of a model at zero replicas, which Serve calls RUNNING and HEALTHY unread.

Seen with Ray Serve 2.49.1: the values below fail only when the first request starts a replica.
"""

from typing import Any

import pytest

from models.catalog import ray_releases
from tests.planning.stacks import MODEL, sentences, stack

UNCHECKED = {"source": "acme/any", "gpu": "l4", "checkFit": False}


@pytest.mark.parametrize("ray", sorted(ray_releases()))
@pytest.mark.parametrize("model", [{"model": MODEL}, UNCHECKED], ids=["catalogue", "unchecked"])
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("max_model_len", "8k"),
        ("dtype", "bf16"),
        ("rope_scaling", "yarn"),
        ("hf_overrides", "{}"),
        ("max_num_seqs", "64"),
        ("enforce_eager", "yes"),
        ("quantization", "fp9"),
        ("kv_cache_dtype", "fp4"),
    ],
)
def test_a_value_that_vllm_refuses_stops_a_model_at_zero_too(
    ray: str, model: dict[str, Any], argument: str, value: str
) -> None:
    context = {} if argument == "max_model_len" else {"contextLength": 4096}
    engine = {argument: value}
    asleep = {**model, **context, "replicas": {"min": 0, "max": 1}, "engine": engine}
    found = sentences(stack((asleep,), ["l4"], versions={"ray": ray}))
    assert any(text.startswith(f"ray-llm:models[0].engine.{argument}: ") for text in found)
