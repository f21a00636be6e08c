"""Stack values for tests: a small valid stack to vary, and Hypothesis strategies for random ones.

All have the form that `read_stack` takes: full keys with parsed values, as in a stack file.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from models.catalog import GpuTier, gpu_tiers, llms, machine_types, zones_with
from models.problems import StackError
from models.reading import Reading, read_stack
from planning import Plan, make_plan

Values = dict[str, Any]

REGION = "us-central1"
ZONES = ("us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f")
TOKEN_KEY = "ray-llm:huggingFaceToken"
SECRETS = frozenset({TOKEN_KEY})
MODEL = "qwen2.5-0.5b-instruct"  # public and small enough for every tier


def stack(
    models: Any = (MODEL,), gpu_pools: Any = None, *, token: bool = False, **keys: Any
) -> Values:
    """The values of a small valid stack, with added or replaced keys of `ray-llm:`.

    `token` adds the encrypted Hugging Face token.
    """
    values: Values = {
        "gcp:project": "acme-ml",
        "gcp:region": REGION,
        "ray-llm:cluster": {"name": "llm-test", "zones": [ZONES[0], ZONES[2]]},
        "ray-llm:models": list(models) if isinstance(models, tuple) else models,
    }
    if gpu_pools is not None:
        values["ray-llm:gpuPools"] = list(gpu_pools)
    if token:
        values[TOKEN_KEY] = None  # an encrypted value never reaches planning
    return values | {f"ray-llm:{key}": value for key, value in keys.items()}


def reading(values: Mapping[str, Any]) -> Reading:
    """The `Reading` of the values; a token that is None counts as encrypted."""
    secrets = SECRETS if values.get(TOKEN_KEY, "") is None else frozenset()
    return read_stack("test", values, secrets)


def planned(values: Mapping[str, Any]) -> Plan:
    """The plan of the values. Raises StackError if they cannot be deployed."""
    return make_plan(reading(values))


def sentences(values: Mapping[str, Any]) -> list[str]:
    """The messages about values that cannot be deployed, without the file's name."""
    with pytest.raises(StackError) as raised:
        planned(values)
    lines = str(raised.value).splitlines()
    assert len(lines) == 1 + len(raised.value.problems)
    return [line.removeprefix("Pulumi.test.yaml: ") for line in lines[1:]]


def warnings(values: Mapping[str, Any]) -> list[str]:
    """The warnings of a stack that can be deployed."""
    return [warning.sentence() for warning in planned(values).warnings]


@st.composite
def pools(draw: st.DrawFn, zones: tuple[str, ...]) -> list[Values]:
    """Pools of different tiers that the zones offer, some on spot or with several ways to pay."""
    offered = [
        tier
        for tier in gpu_tiers().values()
        if set(zones_with(tier.accelerator_type, REGION) or ()) & set(zones)
    ]
    chosen = draw(st.lists(st.sampled_from(offered), min_size=1, max_size=5, unique=True))
    entries = []
    for tier in chosen:
        entry: Values = {"tier": tier.id, "maxNodes": 1000}
        if "on-demand" not in tier.provisioning or ("spot" in tier.provisioning and draw(_seldom)):
            entry["spot"] = True
        elif draw(_seldom):
            entry["capacity"] = draw(st.sampled_from(_WAYS))
        if draw(_seldom):
            entry["minNodes"] = draw(st.integers(0, 3))
        if draw(_seldom):
            entry["machineType"] = draw(st.sampled_from(_usable(tier)))
        if draw(_seldom):
            entry["name"] = f"pool-{len(entries)}"
        if draw(_seldom):
            entry["bootDiskGb"] = draw(st.integers(1000, 4000))
        entries.append(entry)
    return entries


# Of the first way models see whether Google takes the nodes back.
_WAYS: list[list[Any]] = [
    ["on-demand"],
    ["on-demand", "spot"],
    ["on-demand", {"flexStart": "7d"}, "spot"],
]


def _usable(tier: GpuTier) -> list[str]:
    """The tier's machines on which every replica finds its CPU and memory."""
    machines = [machine_types()[name] for name in tier.machine_types]
    return [machine.id for machine in machines if machine.vcpus >= 4 and machine.memory_gib >= 15]


_seldom = st.integers(0, 3).map(lambda number: number == 0)


@st.composite
def replica_ranges(draw: st.DrawFn) -> Values:
    """A minimum, a maximum or both."""
    low = draw(st.integers(0, 4))
    entry = {"min": low, "max": draw(st.integers(max(low, 1), 8))}
    for key in ("min", "max"):
        if draw(_seldom):
            del entry[key]
            break
    return entry


@st.composite
def model_entries(draw: st.DrawFn, index: int, pool_ids: list[str]) -> Values:
    """One model of the catalogue with random keys; it may or may not fit."""
    entry: Values = {
        "model": draw(st.sampled_from(list(llms()))),
        "name": draw(st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,20}[a-z0-9])?", fullmatch=True))
        + f"-{index}",
        "replicas": draw(replica_ranges()),
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "gpu": st.sampled_from(pool_ids),
        "contextLength": st.integers(1, 40_000),
        "profile": st.sampled_from(["throughput", "latency", "memory"]),
        "tensorParallelSize": st.sampled_from([1, 2, 4, 8]),
        "targetOngoingRequests": st.integers(1, 16),
        "upscaleDelaySeconds": st.integers(0, 600),
        "dtype": st.sampled_from(["auto", "float16", "bfloat16"]),
        "quantization": st.sampled_from(["fp8", "bitsandbytes", "awq"]),
        "family": st.sampled_from(["team-a", "team-b"]),
        "engine": st.fixed_dictionaries(
            {},
            optional={
                "max_num_seqs": st.integers(1, 512),
                "gpu_memory_utilization": st.floats(0.5, 1.0),
                "enforce_eager": st.booleans(),
                "enable_prefix_caching": st.booleans(),
                "max_num_batched_tokens": st.integers(2048, 32_768),
            },
        ),
    }
    for key, strategy in optional.items():
        if draw(_seldom):
            entry[key] = draw(strategy)
    return entry


@st.composite
def stacks(draw: st.DrawFn, max_models: int = 6) -> Values:
    """Values of a deployable stack: entries that do not fit are left out."""
    zones = tuple(draw(st.lists(st.sampled_from(ZONES), min_size=1, unique=True)))
    pool_entries = draw(pools(zones))
    values = stack(
        gpuPools=pool_entries,
        token=True,
        cluster={"name": "llm-test", "zones": list(zones), "cpuPool": {"maxNodes": 1000}},
        defaults=draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "replicas": st.sampled_from([{"min": 0, "max": 2}, {"min": 1}, {"max": 8}]),
                    "targetOngoingRequests": st.integers(1, 200),
                    "profile": st.sampled_from(["throughput", "latency", "memory"]),
                    "contextLength": st.integers(2048, 32_768),
                },
            )
        ),
    )
    ids = [entry.get("name") or _pool_id(entry) for entry in pool_entries]
    entries = [
        entry
        for index in range(draw(st.integers(1, max_models)))
        if _deployable({**values, "ray-llm:models": [entry := draw(model_entries(index, ids))]})
    ]
    sure = {"model": MODEL, "name": "sure", "gpu": ids[0], "replicas": {"min": 0, "max": 1}}
    return {**values, "ray-llm:models": entries or [sure]}


def _pool_id(entry: Mapping[str, Any]) -> str:
    return f"{entry['tier']}-spot" if entry.get("spot") else str(entry["tier"])


def _deployable(values: Values) -> bool:
    try:
        planned(values)
    except StackError:
        return False
    return True
