"""The metrics of vLLM's V1 engine, made through Ray as its `RayPrometheusStatLogger` makes them.

Names, types, labels and buckets are those of vLLM's `v1/metrics`; tests/real_engine of the project
compare them with its catalogue, and with what a real engine was seen to export. As there, a metric
is exported only after the first event that counts it. Left out is what this engine never has: LoRA
adapters, caches of other media, sleep.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MODEL, ENGINE, REPLICA = "model_name", "engine", "ReplicaId"
_FIRST_TOKEN = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
_TOKEN = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0),
)
_REQUEST = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0),
    *(240.0, 480.0, 960.0, 1920.0, 7680.0),
)
_STEP = tuple(2**power for power in (0, *range(3, 15)))
_FEW = (1, 2, 5, 10, 20)

Record = Callable[..., None]
"""Counts, sets or observes a value: `record(NAME, VALUE, **LABELS)`."""


def nowhere(name: str, value: float, **labels: str) -> None:
    """Record nothing: the engine logs no metrics."""


def tokens_up_to(context: int) -> tuple[int, ...]:
    """The buckets of a number of tokens: 1, 2, 5, 10 and so on."""
    powers = range(len(str(context)))
    return tuple(
        each for power in powers for digit in _FEW[:3] if (each := digit * 10**power) <= context
    )


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a release of vLLM names its metrics for Ray.

    renamed: the release's name of each metric that has another one here; none if it has no such.
    colon: whether its names have vLLM's own colon. by_replica: whether it labels with the replica.
    """

    renamed: Mapping[str, tuple[str, ...]]
    colon: bool
    by_replica: bool


NEW = Dialect(renamed={}, colon=False, by_replica=True)
V0_10_0 = Dialect(
    renamed={
        "inter_token_latency_seconds": ("time_per_output_token_seconds",),
        "kv_cache_usage_perc": ("kv_cache_usage_perc", "gpu_cache_usage_perc"),
        "prefix_cache_queries": ("prefix_cache_queries", "gpu_prefix_cache_queries"),
        "num_requests_waiting_by_reason": (),
        "prompt_tokens_by_source": (),
        "request_prefill_kv_computed_tokens": (),
        "request_time_per_output_token_seconds": (),
    },
    colon=True,
    by_replica=False,
)


class RayMetrics:
    """All metrics of one engine. metrics: Ray's module `ray.util.metrics`."""

    def __init__(
        self, metrics: Any, model_id: str, dialect: Dialect, context: int, replica: str = ""
    ):
        tokens = tokens_up_to(context)
        self._labels = {MODEL: model_id, ENGINE: "0"}
        if dialect.by_replica:
            self._labels[REPLICA] = replica
        self._made: dict[str, list[Any]] = {}

        def make(kind: Any, name: str, *labels: str, **more: Any) -> None:
            keys = (MODEL, ENGINE, *labels, *((REPLICA,) if dialect.by_replica else ()))
            names = [f"vllm:{each}" for each in dialect.renamed.get(name, (name,))]
            if not dialect.colon:
                names = [re.sub("[^a-zA-Z0-9_]", "_", each) for each in names]
            self._made[name] = [
                kind(name=each, description="", tag_keys=keys, **more) for each in names
            ]

        make(metrics.Gauge, "num_requests_running")
        make(metrics.Gauge, "num_requests_waiting")
        make(metrics.Gauge, "num_requests_waiting_by_reason", "reason")
        make(metrics.Gauge, "kv_cache_usage_perc")
        make(metrics.Counter, "prefix_cache_queries")
        make(metrics.Counter, "num_preemptions")
        make(metrics.Counter, "prompt_tokens")
        make(metrics.Counter, "prompt_tokens_by_source", "source")
        make(metrics.Counter, "generation_tokens")
        make(metrics.Counter, "request_success", "finished_reason")
        for name, buckets in (
            ("iteration_tokens_total", _STEP),
            ("request_prompt_tokens", tokens),
            ("request_generation_tokens", tokens),
            ("request_max_num_generation_tokens", tokens),
            ("request_params_max_tokens", tokens),
            ("request_prefill_kv_computed_tokens", tokens),
            ("request_params_n", _FEW),
            ("time_to_first_token_seconds", _FIRST_TOKEN),
            ("inter_token_latency_seconds", _TOKEN),
            ("request_time_per_output_token_seconds", _TOKEN),
            ("e2e_request_latency_seconds", _REQUEST),
            ("request_queue_time_seconds", _REQUEST),
            ("request_prefill_time_seconds", _REQUEST),
            ("request_decode_time_seconds", _REQUEST),
            ("request_inference_time_seconds", _REQUEST),
        ):
            make(metrics.Histogram, name, boundaries=list(buckets))

    def record(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge, add to a counter, or observe a value of a histogram."""
        for metric in self._made[name]:
            write = getattr(metric, _WRITE[type(metric).__name__])
            write(value, tags={**self._labels, **labels})


_WRITE = {"Gauge": "set", "Counter": "inc", "Histogram": "observe"}
