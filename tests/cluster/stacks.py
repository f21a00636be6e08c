"""Small stacks for the local cluster."""

from typing import Any

# Together on two pools, each with a replica that stays.
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
# One that tests add to them.
THIRD: dict[str, Any] = {
    "model": "qwen2.5-0.5b-instruct",
    "name": "third",
    "gpu": "t4",
    "replicas": {"min": 1},
}


def small_stack(*models: dict[str, Any]) -> dict[str, Any]:
    """Two models and those given, on T4 and L4, with the KubeRay that is there already.

    Without KubeRay's CRDs in its state an `up` takes seconds, which is what tests need that
    make many of them.
    """
    return {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": {
            "name": "llm-small",
            "zones": ["us-central1-a"],
            "deletionProtection": False,
        },
        "ray-llm:kubeRay": {"install": "existing"},
        "ray-llm:defaults": {"replicas": {"min": 0, "max": 2}},
        "ray-llm:gpuPools": [{"tier": "t4", "maxNodes": 4}, {"tier": "l4", "maxNodes": 2}],
        "ray-llm:models": [STEADY, OTHER, *models],
    }
