"""Small stacks for the local cluster."""

from typing import Any

from models.catalog.releases import DEFAULT_KUBERAY
from tests.cluster.releases import with_release

# Two models on two pools, each with a permanent replica.
STEADY: dict[str, Any] = {
    "model": "qwen2.5-0.5b-instruct",
    "name": "steady",
    "gpu": "t4",
    "replicas": {"min": 1, "max": 2},
}
OTHER: dict[str, Any] = {
    "model": "qwen2.5-1.5b-instruct",
    "name": "other",
    "gpu": "l4",
    "replicas": {"min": 1, "max": 2},
}
# A model that tests add to them.
THIRD: dict[str, Any] = {
    "model": "qwen2.5-0.5b-instruct",
    "name": "third",
    "gpu": "t4",
    "replicas": {"min": 1},
}


def small_stack(*models: dict[str, Any]) -> dict[str, Any]:
    """Two models and the given ones, on T4 and L4, with an existing KubeRay.

    Helm's part of an `up` takes a second, and these tests run many.
    """
    stack = {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": {
            "name": "llm-small",
            "zones": ["us-central1-a"],
            "deletionProtection": False,
        },
        "ray-llm:versions": {"kuberay": DEFAULT_KUBERAY},
        "ray-llm:kubeRay": {"install": "existing"},
        "ray-llm:defaults": {"replicas": {"min": 0, "max": 2}},
        "ray-llm:gpuPools": [{"tier": "t4", "maxNodes": 4}, {"tier": "l4", "maxNodes": 2}],
        "ray-llm:models": [STEADY, OTHER, *models],
    }
    return with_release(stack)
