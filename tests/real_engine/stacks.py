"""Stacks whose models a real vLLM runs, and some that it refuses."""

from typing import Any, Final

from models.catalog.releases import DEFAULT_KUBERAY

RAY: Final = "2.60.0"
# One model that runs and calls tools, and one that sleeps until its first request.
AWAKE: Final[dict[str, Any]] = {
    "model": "qwen2.5-1.5b-instruct",
    "name": "awake",
    "gpu": "l4",
    "replicas": {"min": 1, "max": 1},
}
WITH_TOOLS: Final[dict[str, Any]] = {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"}
ASLEEP: Final[dict[str, Any]] = {
    "model": "qwen2.5-0.5b-instruct",
    "name": "asleep",
    "gpu": "t4",
    "replicas": {"min": 0, "max": 1},
    "engine": WITH_TOOLS,
}

# One that sleeps, and keeps what it compiles in a claim.
KEEPING: Final[dict[str, Any]] = {**ASLEEP, "name": "keeping", "gpu": "keeping"}
KEEPING_POOL: Final[dict[str, Any]] = {
    "tier": "t4",
    "name": "keeping",
    "maxNodes": 1,
    "idleTimeoutSeconds": 10,
    "compileCache": "vllm-cache",
}

# Four engines that fail start on one node.
REFUSED_POOL: Final[dict[str, Any]] = {"tier": "l4-x4", "maxNodes": 1}


def real_stack(*models: dict[str, Any]) -> dict[str, Any]:
    """The three models, or the given ones, with the release that has a real engine here."""
    return {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": {
            "name": "llm-real",
            "zones": ["us-central1-a"],
            "deletionProtection": False,
        },
        "ray-llm:versions": {"ray": RAY, "kuberay": DEFAULT_KUBERAY},
        "ray-llm:kubeRay": {"install": "existing"},
        # Short delays, so that a model sleeps soon.
        "ray-llm:defaults": {"upscaleDelaySeconds": 2, "downscaleDelaySeconds": 15},
        "ray-llm:gpuPools": [
            {"tier": "t4", "maxNodes": 2},
            {"tier": "l4", "maxNodes": 2},
            REFUSED_POOL,
            KEEPING_POOL,
        ],
        "ray-llm:models": list(models or (AWAKE, ASLEEP, KEEPING)),
    }
