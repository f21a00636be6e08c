"""The smallest stack that breaks each rule without a case in the corpus.

These are mistakes in this program's own format, so there are no public threads about them. As in
the corpus, each is merged into the base stack.
"""

from typing import Any

from models.problems import Severity
from tests.misconfigurations.corpus import Case

MODEL = "qwen2.5-7b-instruct"
UNDESCRIBED = {"source": "acme/any", "gpu": "l4", "checkFit": False}
MIB = "x" * 1024**2
SECURE = {"secure": "AAAB"}
EXTERNAL = {
    "exposure": "external",
    "host": "llm.acme.example",
    "certificate": "managed",
    "keys": {"search": SECURE},
}
CANARY = {"model": "qwen2.5-0.5b-instruct", "canaryOf": MODEL, "percent": 5}
_WINDOW = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}


def _nights(**changes: Any) -> dict[str, Any]:
    return {"ray-llm:offHours": {**_WINDOW, **changes}}


def _capacity(*ways: Any, **changes: Any) -> dict[str, Any]:
    return {"ray-llm:gpuPools": [{"tier": "l4", "capacity": list(ways), **changes}]}


_ZONE = "us-central1-a"
_RESERVED = {"reservation": "team-l4", "zone": _ZONE, "machineType": "g2-standard-12", "nodes": 2}
_STOPS: dict[str, dict[str, Any]] = {
    "accept-stop": {"ray-llm:accept": ["memory-fit"]},
    "accept-unknown": {"ray-llm:accept": ["eager-mod"]},
    "access-certificate": {"ray-llm:access": {**EXTERNAL, "certificate": None}},
    "access-host": {"ray-llm:access": {**EXTERNAL, "host": "https://llm.acme.example/v1"}},
    "access-limit": {"ray-llm:access": {"limits": {"requestsPerMinute": 600}}},
    "access-model-unknown": {
        "ray-llm:access": {"keys": {"search": {"key": SECURE, "models": ["qwen2.5-7b-instuct"]}}}
    },
    "access-unused": {
        "ray-llm:access": {
            "exposure": "internal",
            "host": "llm.acme.example",
            "keys": {"search": SECURE},
        }
    },
    "access-without-keys": {"ray-llm:access": {**EXTERNAL, "keys": None}},
    "alerts-channel": {
        "ray-llm:monitoring": "gmp",
        "ray-llm:alerts": {"channel": "#on-call"},
    },
    "alerts-without-monitoring": {"ray-llm:slo": {"timeToFirstTokenSeconds": 2}},
    "canary-of": {
        "ray-llm:access": {},
        "ray-llm:models": [MODEL, {**CANARY, "canaryOf": "qwen2.5-7b"}],
    },
    "canary-percent": {
        "ray-llm:access": {},
        "ray-llm:models": [
            MODEL,
            {**CANARY, "percent": 60},
            {**CANARY, "name": "third", "percent": 50},
        ],
    },
    "canary-without-access": {"ray-llm:models": [MODEL, CANARY]},
    "capacity-and-spot": _capacity(_RESERVED, "on-demand", spot=True),
    "capacity-twice": _capacity("on-demand", "spot", "on-demand"),
    "capacity-way": _capacity("on-demand", "preemptible"),
    "config-json": {
        "ray-llm:models": [{"source": "acme/a", "configFile": "none.json", "weightGib": 2}]
    },
    "config-map-size": {
        "ray-llm:models": [
            {"model": MODEL, "name": f"m{number}", "engine": {"chat_template": MIB[: 2**18]}}
            for number in range(5)
        ]
    },
    "context-missing": {"ray-llm:models": [UNDESCRIBED]},
    "contradiction": {
        "ray-llm:models": [{"model": MODEL, "contextLength": 4096, "engine": {"max_model_len": 8}}]
    },
    "empty-list": {"ray-llm:models": []},
    "engine-argument-choice": {
        "ray-llm:models": [{"model": MODEL, "engine": {"kv_cache_dtype": "fp4"}}]
    },
    "engine-argument-range": {"ray-llm:models": [{"model": MODEL, "engine": {"max_num_seqs": 0}}]},
    "flex-start-length": _capacity("on-demand", {"flexStart": "14d"}),
    "flex-start-single-replica": {
        **_capacity({"flexStart": "7d"}),
        "ray-llm:models": [{"model": MODEL, "gpu": "l4", "replicas": {"min": 1, "max": 1}}],
    },
    "foreign-versions": {"ray-llm:rayVersion": "2.49.1"},
    "misplaced-secret": {"ray-llm:service": {"name": {"secure": "AAAB"}}},
    "missing-key": {"ray-llm:models": None},
    "model-unknown": {"ray-llm:models": ["qwen9-7b"]},
    "object-size": {
        "ray-llm:models": [{"model": MODEL, "engine": {"chat_template": MIB + MIB[: 2**19]}}]
    },
    "pipeline-parallel-layers": {
        "ray-llm:gpuPools": ["l4-x8"],
        "ray-llm:models": [
            {"model": MODEL, "gpu": "l4-x8", "engine": {"pipeline_parallel_size": 64}}
        ],
    },
    "release-image": {"ray-llm:versions": {"vllm": "0.10.0"}},
    "reservation-machine": _capacity({**_RESERVED, "machineType": "g2-standard-8"}, "on-demand"),
    "reservation-zone": _capacity({**_RESERVED, "zone": "us-central1-f"}, "on-demand"),
    "reserved-name": {"ray-llm:access": {}, "ray-llm:models": [{"model": MODEL, "name": "v1"}]},
    "source-undescribed": {"ray-llm:models": [{"source": "acme/any"}]},
    "stack-empty": {
        "ray-llm:cluster": None,
        "ray-llm:huggingFaceToken": None,
        "ray-llm:gpuPools": None,
        "ray-llm:models": None,
    },
    "tier-unknown": {"ray-llm:gpuPools": ["l5"]},
    "off-hours-cron": _nights(sleep="0 20 30 2 *"),
    "off-hours-model": _nights(models=["qwen2.5-7b"]),
    "off-hours-overlap": {
        "ray-llm:offHours": [
            _WINDOW,
            {**_WINDOW, "sleep": "0 12 * * 6", "wake": "0 12 * * 0"},
        ]
    },
    "off-hours-same-minute": _nights(wake="0 20 * * 1-5"),
    "time-zone-unknown": _nights(timeZone="europe/berlin"),
    "utilization-high": {
        "ray-llm:models": [{"model": MODEL, "engine": {"gpu_memory_utilization": 0.995}}]
    },
    "weights-place": {"ray-llm:models": [{"model": MODEL, "weights": "bucket"}]},
    "weights-source": {
        "ray-llm:weights": {"bucket": "gs://acme-weights"},
        "ray-llm:models": [
            {
                **UNDESCRIBED,
                "source": "gs://acme-models/own",
                "contextLength": 4096,
                "weights": "bucket",
            }
        ],
    },
    "wrong-type": {"ray-llm:models": "qwen"},
    "zone-unknown": {"ray-llm:cluster": {"zones": ["us-central1-z"]}},
}
_WARNINGS: dict[str, dict[str, Any]] = {
    "accept-unused": {"ray-llm:accept": ["eager-mode"]},
    "access-gateway-api": {"ray-llm:cluster": {"existing": True}, "ray-llm:access": EXTERNAL},
    "access-network-policy": {"ray-llm:cluster": {"existing": True}, "ray-llm:access": {}},
    "budget-at-maximum": {
        "ray-llm:monthlyBudget": 2000,
        "ray-llm:models": [{"model": MODEL, "replicas": {"min": 1, "max": 5}}],
    },
    "budget-unknown-price": {
        "gcp:region": "asia-east1",
        "ray-llm:cluster": {"zones": ["asia-east1-a"]},
        "ray-llm:monthlyBudget": 100_000,
    },
    "cold-start-timeout": {
        "ray-llm:gpuPools": ["a100-80gb-x2"],
        "ray-llm:huggingFaceToken": SECURE,
        "ray-llm:models": [{"model": "llama-3.3-70b-instruct", "replicas": {"min": 0, "max": 1}}],
    },
    "cpu-offload-slow": {"ray-llm:models": [{"model": MODEL, "engine": {"cpu_offload_gb": 2}}]},
    "cpu-pool-zone": {
        **_capacity("on-demand", "spot"),
        "ray-llm:cluster": {"zones": [_ZONE]},
    },
    "slo-unseen": {
        "ray-llm:monitoring": "gmp",
        "ray-llm:slo": {"timeToFirstTokenSeconds": 2},
        "ray-llm:versions": {"ray": "2.49.1"},
        "ray-llm:gpuPools": ["t4"],
        "ray-llm:models": ["qwen2.5-0.5b-instruct"],
    },
    "measurement-unreadable": {"ray-llm:models": [MODEL]},
    "memory-doubt": {
        "ray-llm:versions": {"ray": "2.49.1"},
        "ray-llm:models": [{"model": "llama-3.1-8b-instruct", "gpu": "l4", "contextLength": 35840}],
    },
    "object-size-near": {
        "ray-llm:models": [
            {
                "model": MODEL,
                "name": name,
                "family": name,
                "engine": {"chat_template": MIB[: 2**19]},
            }
            for name in ("a", "b")
        ],
    },
    "off-hours-asleep": {
        **_nights(),
        "ray-llm:models": [{"model": MODEL, "replicas": {"min": 0, "max": 2}}],
    },
    "off-hours-kept": {**_nights(), "ray-llm:gpuPools": [{"tier": "l4", "minNodes": 1}]},
    "off-hours-short": _nights(sleep="0 20 * * *", wake="10 20 * * *"),
    "quota-below-maximum": {
        "ray-llm:quotas": {"NVIDIA_L4_GPUS": 2},
        "ray-llm:gpuPools": ["l4"],
        "ray-llm:models": [{"model": MODEL, "replicas": {"min": 1, "max": 4}}],
    },
    "release-untested": {"ray-llm:versions": {"ray": "2.51.2"}},
    "reservation-shared": {
        "ray-llm:gpuPools": [
            {"tier": "l4", "capacity": [_RESERVED, "on-demand"]},
            {"tier": "l4", "name": "l4-b", "capacity": [_RESERVED, "on-demand"]},
        ],
        "ray-llm:models": [{"model": MODEL, "gpu": "l4"}, {"model": "qwen2.5-1.5b-instruct"}],
    },
    "reservation-unchecked": _capacity({"reservation": "team-l4", "zone": _ZONE}, "on-demand"),
    "spot-only": {"ray-llm:gpuPools": [{"tier": "l4", "spot": True}]},
    "weights-driver": {
        "ray-llm:cluster": {"existing": True},
        "ray-llm:weights": "gs://acme-weights",
    },
    "weights-identity": {
        "ray-llm:weights": "gs://acme-weights",
        "ray-llm:models": [{"model": MODEL, "lora": {"path": "gs://acme-adapters/qwen"}}],
    },
    "weights-region": {
        "ray-llm:weights": {"bucket": "gs://acme-weights", "location": "europe-west4"}
    },
    "zones-unknown": {
        "gcp:region": "europe-north1",
        "ray-llm:cluster": {"zones": ["europe-north1-a"]},
    },
}

_IMAGE = "us-docker.pkg.dev/acme/llm/ray-llm:2.49.1"
_ON_L4 = {"model": MODEL, "gpu": "l4", "replicas": {"min": 1, "max": 1}}
# What stops a change: the stack before, and after.
_CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "model-without-room": (
        {
            "ray-llm:gpuPools": [{"tier": "l4", "maxNodes": 1}],
            "ray-llm:models": [_ON_L4],
        },
        {
            "ray-llm:gpuPools": [{"tier": "l4", "maxNodes": 1}],
            "ray-llm:models": [{**_ON_L4, "engine": {"max_num_seqs": 16}}],
            "ray-llm:rollout": {"withoutRoom": "wait"},
        },
    ),
    "operator-and-cluster": (
        {"ray-llm:versions": {"ray": "2.49.1", "kuberay": "1.4.2", "image": f"{_IMAGE}-a"}},
        {"ray-llm:versions": {"ray": "2.49.1", "kuberay": "1.6.2", "image": f"{_IMAGE}-b"}},
    ),
    "pool-in-use": (
        {"ray-llm:gpuPools": ["l4-x2", "l4"], "ray-llm:models": [{"model": MODEL, "gpu": "l4"}]},
        {"ray-llm:gpuPools": ["l4-x2"], "ray-llm:models": [{"model": MODEL, "gpu": "l4-x2"}]},
    ),
    "private-nodes-left-out": (
        {"ray-llm:cluster": {"name": "llm-one", "zones": ["us-central1-a"], "privateNodes": True}},
        {"ray-llm:cluster": {"name": "llm-one", "zones": ["us-central1-a"]}},
    ),
    "second-cluster-refused": (
        {"ray-llm:versions": {"ray": "2.49.1", "image": f"{_IMAGE}-a"}},
        {
            "ray-llm:versions": {"ray": "2.49.1", "image": f"{_IMAGE}-b"},
            "ray-llm:rollout": {"strategy": "inPlaceOnly"},
        },
    ),
}
_UNPROTECTED = {"ray-llm:cluster": {"deletionProtection": False}}
# What is warned of at a change.
_WARNED_CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "rollout-cluster-replaced": (
        {"ray-llm:cluster": {"name": "llm-one", "deletionProtection": False}},
        {"ray-llm:cluster": {"name": "llm-two", "deletionProtection": False}},
    ),
    "rollout-pool-replaced": (
        {**_UNPROTECTED, "ray-llm:gpuPools": [{"tier": "l4", "name": "main"}]},
        {**_UNPROTECTED, "ray-llm:gpuPools": [{"tier": "l4", "name": "main", "spot": True}]},
    ),
}


# Files beside the stack file, by the rule that judges them.
_FILES: dict[str, dict[str, Any]] = {
    "measurement-unreadable": {f"measurements/case/{MODEL}.yaml": {"version": 1, "levels": []}},
}


def examples() -> tuple[Case, ...]:
    """One case for each of these rules; its near miss is the base stack."""
    return tuple(
        Case(
            id=rule,
            area="examples",
            sources=(),
            did="",
            happened="",
            stack=stack,
            before=before,
            files=_FILES.get(rule, {}),
            verdict=verdict,
            rule=rule,
            change={},
            why="",
        )
        for verdict, stacks in (
            (Severity.STOP, _of_stacks(_STOPS)),
            (Severity.STOP, _CHANGES),
            (Severity.WARN, _of_stacks(_WARNINGS)),
            (Severity.WARN, _WARNED_CHANGES),
        )
        for rule, (before, stack) in stacks.items()
    )


def _of_stacks(
    stacks: dict[str, dict[str, Any]],
) -> dict[str, tuple[dict[str, Any] | None, dict[str, Any]]]:
    return {rule: (None, stack) for rule, stack in stacks.items()}
