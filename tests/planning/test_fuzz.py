"""For any stack file the result is a plan or a StackError, and no key is ignored.

RAY_LLM_FUZZ_EXAMPLES sets the number of random stacks; `make test` runs a few thousand.
"""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models.problems import StackError
from models.reading import read_stack
from models.stack_file import StackFileError, parse_stack_file
from planning import make_plan
from tests.planning.stacks import MODEL, TOKEN_KEY, ZONES, Values, planned

EXAMPLES = int(os.environ.get("RAY_LLM_FUZZ_EXAMPLES", "2000"))
fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

# A stack with a value in every section.
FULL: Values = {
    "gcp:project": "acme-ml",
    "gcp:region": "us-central1",
    TOKEN_KEY: None,
    "ray-llm:cluster": {
        "name": "llm-test",
        "zones": list(ZONES),
        "existing": True,
        "location": "us-central1",
        "context": "gke",
        "deletionProtection": False,
        "releaseChannel": "STABLE",
        "network": "vpc",
        "subnetwork": "subnet",
        "cpuPool": {
            "name": "cpu",
            "machineType": "e2-standard-8",
            "minNodes": 1,
            "maxNodes": 9,
        },
    },
    "ray-llm:defaults": {
        "replicas": {"min": 0, "max": 2},
        "targetOngoingRequests": 50,
        "upscaleDelaySeconds": 5,
        "downscaleDelaySeconds": 300,
        "profile": "latency",
        "contextLength": 4096,
    },
    "ray-llm:versions": {"ray": "2.49.1", "kuberay": "1.6.2"},
    "ray-llm:kubeRay": {"install": "helm"},
    "ray-llm:service": {"name": "llm-serving", "namespace": "ai"},
    "ray-llm:quotas": {"GPUS_ALL_REGIONS": 100_000, "GPUS_PER_GPU_FAMILY": {"NVIDIA_H100": 8}},
    "ray-llm:gpuPools": [
        "t4",
        {
            "tier": "l4",
            "name": "fast",
            "machineType": "g2-standard-8",
            "zones": ["us-central1-a"],
            "minNodes": 0,
            "maxNodes": 30,
            "bootDiskGb": 300,
        },
        {"tier": "l4-x2", "spot": True},
        {
            "tier": "l4-x2",
            "capacity": [
                {
                    "reservation": "team-l4",
                    "zone": "us-central1-b",
                    "machineType": "g2-standard-24",
                    "nodes": 2,
                },
                "on-demand",
                {"flexStart": "7d"},
            ],
        },
        "a100-80gb-x2",
    ],
    "ray-llm:models": [
        MODEL,
        {
            "model": "qwen2.5-7b-instruct",
            "name": "chat",
            "family": "team-a",
            "gpu": "fast",
            "contextLength": 8192,
            "tensorParallelSize": 1,
            "dtype": "bfloat16",
            "quantization": "fp8",
            "profile": "throughput",
            "replicas": {"min": 1, "max": 3},
            "targetOngoingRequests": 16,
            "upscaleDelaySeconds": 5,
            "downscaleDelaySeconds": 300,
            "gated": False,
            "engine": {
                "max_num_seqs": 64,
                "max_num_batched_tokens": 4096,
                "gpu_memory_utilization": 0.9,
                "enforce_eager": False,
                "enable_prefix_caching": True,
                "kv_cache_dtype": "auto",
            },
        },
        {
            "source": "acme/support-7b",
            "gpu": "l4-x2-spot",
            "checkFit": False,
            "contextLength": 4096,
        },
        {
            "source": "acme/described-7b",
            "configFile": "examples/support-7b/config.json",
            "weightGib": 14.2,
        },
    ],
}

KeyPath = tuple[str | int, ...]


def test_the_stack_that_is_varied_can_be_deployed() -> None:
    assert len(planned(FULL).models) == 4


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of all parts of a value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        value = value[part]
    return value


KEYS = [
    path
    for path in _paths(FULL)
    if isinstance(path[-1], str) and not str(path[-1]).startswith("gcp:")
]


@pytest.mark.parametrize("path", KEYS, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("misspelt", ["{}x", "x{}", "zz"])
def test_a_misspelt_key_never_passes_silently(path: KeyPath, misspelt: str) -> None:
    values = copy.deepcopy(FULL)
    parent = _at(values, path[:-1])
    key = str(path[-1])
    namespace, _, name = key.rpartition(":")
    new = f"{namespace}:{misspelt.format(name)}" if namespace else misspelt.format(name)
    parent[new] = parent.pop(key)
    with pytest.raises(StackError) as raised:
        make_plan(read_stack("test", values, frozenset({TOKEN_KEY})))
    known = {"unknown-key", "engine-argument-unknown"}
    found = [p.path for p in raised.value.problems if p.rule in known]
    assert any(path.endswith(new) for path in found), str(raised.value)


junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, -1, 10**30, -(10**400), 10**4000, 2**63]),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(
            ["", " ", "\n", "\x1b[31m", "l4", "😀", "a" * 5000, "1e9", "null", "\ud800"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=8), st.integers()), inner, max_size=3),
    ),
    max_leaves=6,
)


def _nested(depth: int, in_list: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if in_list else {"engine": value}
    return value


deep = st.builds(_nested, st.sampled_from([20, 100]), st.booleans())


@st.composite
def broken_stacks(draw: st.DrawFn) -> Values:
    """The full stack after one to four random changes."""
    values = copy.deepcopy(FULL)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(_paths(values))))
        parent, key = _at(values, path[:-1]), path[-1]
        change = draw(st.sampled_from(["drop", "rename", "junk", "deep", "double", "swap", "add"]))
        if change == "drop":
            del parent[key]
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.text(max_size=12))] = parent.pop(key)
        elif change == "double":
            if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[int(key)]))
            else:
                parent[key] = [parent[key], parent[key]]
        elif change == "swap":
            other = draw(st.sampled_from(list(_paths(FULL))))
            parent[key] = copy.deepcopy(_at(FULL, other))
        elif change == "add" and isinstance(parent[key], dict):
            parent[key][draw(st.one_of(st.text(max_size=12), st.integers()))] = draw(junk)
        else:
            parent[key] = draw(deep if change == "deep" else junk)
    # The engine passes only strings as top-level keys.
    return {str(key): value for key, value in values.items()}


@fuzzed
@given(values=broken_stacks(), secrets=st.sets(st.sampled_from(list(FULL)), max_size=2))
@example(values={}, secrets=set())
def test_any_values_give_a_plan_or_sentences(values: Values, secrets: set[str]) -> None:
    error = None
    try:
        make_plan(read_stack("test", values, frozenset({TOKEN_KEY, *secrets})))
    except StackError as refusal:
        error = refusal
    if error is not None:
        lines = str(error).split("\n")
        assert len(lines) == 1 + len(error.problems) > 1
        assert all(line.isprintable() for line in lines)
        assert max(map(len, lines)) < 3000


@pytest.mark.parametrize("depth", [300, 900, 5000])
@pytest.mark.parametrize("in_list", [True, False])
def test_nesting_of_any_depth_gives_sentences(depth: int, in_list: bool) -> None:
    deep = _nested(depth, in_list)
    for values in (
        {"ray-llm:models": deep},
        {**FULL, "ray-llm:models": [{"model": MODEL, "engine": deep}]},
        {**FULL, "ray-llm:models": [{"model": MODEL, "engine": {"hf_overrides": {"x": deep}}}]},
        {**FULL, "ray-llm:models": [{"model": MODEL, "unknown": deep}]},
        {**FULL, "ray-llm:prices": {"l4": deep}, "ray-llm:quotas": deep},
    ):
        with pytest.raises(StackError):
            make_plan(read_stack("test", values, frozenset({TOKEN_KEY})))


@pytest.mark.parametrize("path", KEYS, ids=lambda path: ".".join(map(str, path)))
def test_a_number_that_python_cannot_write_gives_sentences(path: KeyPath) -> None:
    values = copy.deepcopy(FULL)
    _at(values, path[:-1])[path[-1]] = 10**5000
    with pytest.raises(StackError):
        make_plan(read_stack("test", values))


TEXT = """\
config:
  gcp:project: acme-ml
  gcp:region: us-central1
  ray-llm:huggingFaceToken: {secure: AAABAKf==}
  ray-llm:cluster: {name: llm-test, zones: [us-central1-a]}
  ray-llm:defaults: &habits
    replicas: {min: 0, max: 2}
  ray-llm:models:
    - qwen2.5-0.5b-instruct
    - model: qwen2.5-7b-instruct
      <<: *habits
      contextLength: 8_192
      gpu: "l4"
"""


@fuzzed
@given(
    cuts=st.lists(
        st.tuples(
            st.integers(0, len(TEXT)),
            st.integers(0, 12),
            st.one_of(
                st.text(max_size=6),
                st.sampled_from(list("[]{}:,&*!|>%@`\"'#-?~\t\n\x00\x85\ufeff")),
                st.sampled_from(["*habits", "&a [*a]", "!!binary x", "[" * 3000, "- " * 3000]),
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_gives_a_plan_or_sentences(cuts: list[tuple[int, int, str]]) -> None:
    text = TEXT
    for start, length, inserted in cuts:
        text = text[:start] + inserted + text[start + length :]
    reported = "Pulumi.test.yaml: "
    try:
        file = parse_stack_file(text, Path("Pulumi.test.yaml"))
        make_plan(read_stack("test", file.values, file.secret_keys))
    except (StackError, StackFileError) as refusal:
        reported = str(refusal)
    assert reported.startswith("Pulumi.test.yaml: ")
