"""What this program writes for a small stack on one release of Ray."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from manifests import service_manifests
from models.reading import read_stack
from planning import Plan, make_plan

SLEEPING: Final = "qwen2.5-0.5b-instruct"
"""Its own minimum is zero."""
EDITED: Final = "qwen2.5-1.5b-instruct"
SPLIT: Final = "qwen2.5-32b-instruct-awq"
"""Its tensor parallelism is 2, on a node with two GPUs."""
NODES: Final = {"t4": 1, "l4": 1, "l4-x2": 1}
"""Workers by pool, for all models at once. A replica that is replaced leaves its GPU first."""
ROUTER_NODES: Final = 2


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of the RayService: its rayStartParams, and the variables of its container."""

    name: str
    start_params: Mapping[str, str]
    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Written:
    """All that a cluster of one release needs.

    groups: the head's first, then the routers', then those of the pools.
    pool_gpus: the most GPUs that each pool can have.
    llm_configs: the files that the smoke test reads, by name.
    script, script_variables: the smoke test's files, and the environment that its Job gives it.
    """

    plan: Plan
    serve_config: dict[str, Any]
    groups: tuple[Group, ...]
    pool_gpus: Mapping[str, int]
    llm_configs: Mapping[str, str]
    script: Mapping[str, str]
    script_variables: Mapping[str, str]


def stack_values(ray: str, edits: int = 0) -> dict[str, Any]:
    """The stack file's values.

    edits: how often the edited model was edited before; every number gives another configuration.
    """
    return {
        "gcp:project": "acme-ml-dev",
        "gcp:region": "us-central1",
        "ray-llm:cluster": {"name": "llm-dev", "zones": ["us-central1-a"]},
        "ray-llm:versions": {"ray": ray},
        # Short pauses, so that scaling can be watched.
        "ray-llm:defaults": {"upscaleDelaySeconds": 2, "downscaleDelaySeconds": 15},
        "ray-llm:gpuPools": [{"tier": pool, "maxNodes": count} for pool, count in NODES.items()],
        "ray-llm:models": [
            {"model": SLEEPING, "gpu": "t4", "replicas": {"min": 0, "max": 1}},
            {
                "model": EDITED,
                "gpu": "l4",
                "replicas": {"min": 1, "max": 1},
                "engine": {"max_num_seqs": 16 + edits},
            },
            {"model": SPLIT, "gpu": "l4-x2", "replicas": {"min": 1, "max": 1}},
        ],
    }


def write(ray: str, edits: int = 0) -> Written:
    """What this program writes. Raises StackError if the stack cannot be deployed."""
    plan = make_plan(read_stack(f"ray {ray}", stack_values(ray, edits), frozenset()))
    manifests = service_manifests(plan)
    spec = manifests.ray_service["spec"]
    cluster = spec["rayClusterConfig"]
    containers = manifests.smoke_test.job["spec"]["template"]["spec"]["containers"]
    return Written(
        plan=plan,
        serve_config=yaml.safe_load(spec["serveConfigV2"]),
        groups=(
            _group("head", cluster["headGroupSpec"]),
            *(_group(item["groupName"], item) for item in cluster["workerGroupSpecs"]),
        ),
        pool_gpus=manifests.rollout.pool_gpus,
        llm_configs={k: v for item in manifests.config_maps for k, v in item["data"].items()},
        script=manifests.smoke_test.script["data"],
        script_variables={item["name"]: item["value"] for item in containers[0]["env"]},
    )


def _group(name: str, spec: Mapping[str, Any]) -> Group:
    container = spec["template"]["spec"]["containers"][0]
    return Group(
        name=name,
        start_params=spec["rayStartParams"],
        variables={item["name"]: item["value"] for item in container["env"]},
    )
