"""Compares planning/sizing/memory/estimate.py with the memory that real engines stated.

    python -m tests.planning.sizing.memory_calibration

prints the table of every point in memory_points.yaml: the stated and the estimated KV cache per
GPU and the error, which is negative if the estimate is lower; then the errors by GPU and release,
and those of the points that nothing was fitted to. test_memory_calibration.py bounds the errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from statistics import mean, median
from typing import Any

import yaml

from models.architecture import LlmArchitecture
from models.catalog import llms, vllm_behaviour
from planning import GIB, MemoryFit
from planning.sizing.memory.estimate import memory_fit, token_bytes
from planning.sizing.memory.vllm_accounting import MemoryInputs, accounting

# The GPUs of the points by compute capability, and by the most memory in GiB that one shows.
GPUS = (
    ((7, 0), 99, "V100"),
    ((7, 5), 99, "T4"),
    ((8, 0), 99, "A100"),
    ((8, 6), 99, "RTX 3090"),
    ((8, 9), 23, "L4"),
    ((8, 9), 24, "RTX 4090"),
    ((8, 9), 45, "L40S"),
    ((8, 9), 99, "RTX 6000 Ada"),
    ((9, 0), 99, "H100"),
    ((9, 0), 199, "H200"),
    ((12, 0), 40, "RTX 5090"),
    ((12, 0), 99, "RTX PRO 6000"),
)

POINTS = Path(__file__).with_name("memory_points.yaml")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One start of an engine: its configuration, the stated memory, and the estimate."""

    id: str
    source: str
    vllm: str
    bound: bool
    held_out: bool
    inputs: MemoryInputs
    stated: dict[str, float]
    fit: MemoryFit

    @property
    def gpu(self) -> str:
        """The name of its GPU."""
        return next(
            name
            for capability, most, name in GPUS
            if capability == self.inputs.compute_capability and self.inputs.gpu_memory_gib <= most
        )

    @property
    def release(self) -> str:
        """Minor release of vLLM, or its V0 engine."""
        return "V0" if self.vllm.endswith("V0") else ".".join(self.vllm.split(".")[:2])

    @property
    def stated_kv_gib(self) -> float | None:
        """The KV cache per GPU in GiB, which the source gives in GiB or in tokens."""
        if "kv" in self.stated:
            return self.stated["kv"]
        if "tokens" in self.stated:
            return self.stated["tokens"] * token_bytes(self.inputs) / GIB
        return None

    @property
    def kv_gib(self) -> float:
        """The estimated KV cache per GPU, in GiB."""
        return self.fit.kv_available_bytes / GIB

    @property
    def kv_error_gib(self) -> float | None:
        """Estimate minus stated; negative is pessimistic."""
        return None if self.stated_kv_gib is None else self.kv_gib - self.stated_kv_gib

    @property
    def kv_error_share(self) -> float | None:
        """The error as a share of the GPU's memory."""
        return None if self.kv_error_gib is None else self.kv_error_gib / self.inputs.gpu_memory_gib


@cache
def points() -> tuple[Point, ...]:
    """Every point of the data file, with its estimate."""
    return tuple(_point(row) for row in _data()["points"])


def context_needs() -> list[dict[str, Any]]:
    """The KV cache that a context needs by vLLM's own log: model, tokens, GiB, source."""
    rows: list[dict[str, Any]] = _data()["context_needs"]
    return rows


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(POINTS.read_text("utf-8"))
    return data


@cache
def _dimensions() -> dict[str, LlmArchitecture]:
    return {
        name: LlmArchitecture.model_validate(row) for name, row in _data()["dimensions"].items()
    }


def _stated_weights(row: dict[str, Any]) -> int:
    return int(row["weight_gib"] * GIB)


def _point(row: dict[str, Any]) -> Point:
    llm = llms().get(row.get("model") or row.get("like", ""))
    architecture = _dimensions()[row["dimensions"]] if llm is None else llm.architecture
    if row.get("vision"):
        architecture = architecture.model_copy(update={"multimodal": True})
    weight_bytes = llm.weight_bytes if llm and "weight_gib" not in row else _stated_weights(row)
    stored = llm.quantization if llm else None
    release = accounting(row["vllm"], row.get("v0", False))
    if not row.get("graphs_charged", True):
        release = replace(release, graphs_in_budget=False)
    if row.get("sampler") == "flashinfer":
        unsorted = vllm_behaviour("0.18.0").sampling_bytes_per_logit
        release = replace(release, logit_bytes=unsorted)
    inputs = MemoryInputs(
        architecture=architecture,
        weight_bytes=weight_bytes,
        packed_weights=row.get(
            "packed", stored is not None and stored.bits <= 4 and stored.method != "mxfp4"
        ),
        value_bytes=row.get("value_bytes", 2),
        kv_value_bytes=row.get("kv_value_bytes", 2),
        tensor_parallel_size=row.get("tensor_parallel_size", 1),
        pipeline_parallel_size=row.get("pipeline_parallel_size", 1),
        gpu_memory_utilization=row["gpu"]["utilization"],
        gpu_memory_gib=row["gpu"]["memory_gib"],
        compute_capability=tuple(row["gpu"]["capability"]),
        enforce_eager=row.get("enforce_eager", False),
        images_per_prompt=row.get("images"),
        accounting=release,
        **row["limits"],
    )
    return Point(
        id=row["id"],
        source=row["source"],
        vllm=row["vllm"] + (" V0" if row.get("v0") else ""),
        bound=row.get("bound", True),
        held_out=row.get("held_out", False),
        inputs=inputs,
        stated=row["stated"],
        fit=memory_fit(inputs),
    )


def part_errors(part: str, chosen: Sequence[Point]) -> list[float]:
    """Estimate minus stated, GiB, of one part: weights, activations, runtime or graphs."""
    return [
        getattr(point.fit, f"{part.removesuffix('s')}_bytes") / GIB - point.stated[part]
        for point in chosen
        if part in point.stated
    ]


def table() -> str:
    """The comparison as text."""
    every = points()
    lines = [
        f"{'point':34} {'vLLM':9} {'stated':>7} {'estim.':>7} {'error':>6} {'% GPU':>6}"
        f" {'weights':>8} {'activ.':>7} {'runtime':>8} {'graphs':>7}"
    ]
    for point in every:
        stated, error = point.stated_kv_gib, point.kv_error_gib
        cells = (
            f"{stated:7.2f} {point.kv_gib:7.2f} {error:+6.2f} {100 * point.kv_error_share:+6.1f}"
            if stated is not None and error is not None and point.kv_error_share is not None
            else " " * 29
        )
        parts = " ".join(
            f"{part_errors(part, [point])[0]:+{width}.2f}" if part in point.stated else " " * width
            for part, width in (("weights", 8), ("activations", 7), ("runtime", 8), ("graphs", 7))
        )
        mark = "" if point.bound else " (not bound)"
        lines.append(f"{point.id:34} {point.vllm:9} {cells} {parts}{mark}")
    bound = [point for point in every if point.bound]
    lines += ["", *by_gpu_and_release(bound), "", held_out(bound), summary(bound)]
    return "\n".join(lines)


def by_gpu_and_release(chosen: Sequence[Point]) -> list[str]:
    """A table in Markdown, a row for each GPU and release, which docs/memory.md shows.

    The errors of the KV cache as shares of the stated one, in percent, and the most optimistic
    one, GiB, with the margin that the plan states there.
    """
    lines = [
        "| GPU | vLLM | starts | mean error | median | most optimistic, of its margin |",
        "|---|---|---|---|---|---|",
    ]
    with_kv = [point for point in chosen if point.kv_error_gib is not None]
    named = sorted(with_kv, key=lambda point: (point.gpu, release_order(point.release)))
    for (gpu, release), group in groupby(named, key=lambda point: (point.gpu, point.release)):
        points_of_it = list(group)
        shares = [kv_error_percent(point) for point in points_of_it]
        worst = max(points_of_it, key=lambda point: point.kv_error_gib or 0.0)
        lines.append(
            f"| {gpu} | {release} | {len(shares)} | {mean(shares):.1f} % | {median(shares):.1f} % "
            f"| {worst.kv_error_gib:+.2f} of {worst.fit.margin_bytes / GIB:.2f} GiB |"
        )
    return lines


def release_order(release: str) -> tuple[int, ...]:
    """V0 before all others."""
    return () if release == "V0" else tuple(map(int, release.split(".")))


def kv_error_percent(point: Point) -> float:
    """The error of the KV cache as a share of the stated one, without its sign."""
    return 100 * abs((point.kv_error_gib or 0.0) / (point.stated_kv_gib or 1.0))


def held_out(chosen: Sequence[Point]) -> str:
    """The errors of the points that nothing was fitted to."""
    unseen = [point for point in chosen if point.held_out]
    caches = [kv_error_percent(point) for point in unseen if point.kv_error_gib is not None]
    on_h100 = [kv_error_percent(point) for point in unseen if point.gpu == "H100"]
    graphs = [
        100 * abs(point.fit.graph_bytes / GIB / point.stated["graphs"] - 1)
        for point in unseen
        if "graphs" in point.stated
    ]
    return (
        f"{len(caches)} points that fitted nothing: KV cache {mean(caches):.2f} % off on average, "
        f"{median(caches):.2f} % in the median ({len(on_h100)} on H100: {mean(on_h100):.2f} %); "
        f"CUDA graphs of {len(graphs)}: {mean(graphs):.1f} %, {median(graphs):.1f} %"
    )


def summary(chosen: Sequence[Point]) -> str:
    """Median and worst error of the KV cache."""
    errors = [point.kv_error_gib for point in chosen if point.kv_error_gib is not None]
    shares = [point.kv_error_share for point in chosen if point.kv_error_share is not None]
    absolute = [abs(error) for error in errors]
    pessimistic = sum(error <= 0 for error in errors)
    return (
        f"{len(errors)} points: median absolute error {median(absolute):.2f} GiB "
        f"({100 * median(abs(share) for share in shares):.1f} % of GPU memory), worst optimistic "
        f"{max(errors):+.2f} GiB ({100 * max(shares):+.1f} %), worst pessimistic "
        f"{min(errors):+.2f} GiB ({100 * min(shares):+.1f} %); "
        f"{pessimistic} of {len(errors)} pessimistic"
    )


if __name__ == "__main__":
    print(table())
