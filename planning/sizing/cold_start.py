"""How long a replica takes from nothing to its first answer, phase by phase, as ranges.

A range is what public logs show, not a bound: a zone without a free GPU takes as long as it takes.
All constants are orders of magnitude that decide between seconds, minutes and an hour.
"""

from dataclasses import dataclass
from typing import Final

from planning.plan import ModelPlan, PoolPlan


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """From `least` to `most`; `most` is None if nothing is known of the upper end."""

    least: int
    most: int | None

    def __add__(self, other: "Seconds") -> "Seconds":
        known = self.most is not None and other.most is not None
        most = (self.most or 0) + (other.most or 0) if known else None
        return Seconds(least=self.least + other.least, most=most)

    def or_nothing(self) -> "Seconds":
        """The same phase where it may have been done already."""
        return Seconds(least=0, most=self.most)


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """The phases of one replica's start, in their order.

    node: until a node of the pool is there with its GPU driver; from 0 if the pool keeps one more
        than its models need at their minima.
    image: until the node has pulled and unpacked the image.
    download: of the weights to the node's disk.
    load: of the weights from the disk to the GPU.
    engine: the process, compilation, memory profiling and CUDA graphs.
    """

    node: Seconds
    image: Seconds
    download: Seconds
    load: Seconds
    engine: Seconds

    @property
    def anew(self) -> Seconds:
        """On a node that comes for it."""
        return self.node + self.image + self.download + self.load + self.engine

    @property
    def beside(self) -> Seconds:
        """Beside another version: a node of the pool may have a free GPU, the image and weights."""
        return (
            self.node.or_nothing()
            + self.image.or_nothing()
            + self.download.or_nothing()
            + self.load
            + self.engine
        )

    @property
    def in_place(self) -> Seconds:
        """On the node of the old version, which has the image and perhaps these weights."""
        return self.download.or_nothing() + self.load + self.engine


# "Cluster Autoscaler provisions GPU nodes in 3-8 minutes": https://blog.easecloud.io/en/ai-cloud/
# scale-gpu-workloads-on-gke-clusters. The autoscaler's own code waits up to 15 minutes for the GPU
# (kubernetes/autoscaler, cluster-autoscaler/utils/gpu/gpu.go).
_NODE: Final = Seconds(least=180, most=480)
# The image unpacks to some 30 GB, and a balanced disk of 200 GB writes 196 MiB a second, 140 and
# 0.28 for each GiB (https://cloud.google.com/compute/docs/disks/performance); larger ones more.
_IMAGE: Final = Seconds(least=100, most=300)
# From Hugging Face: 30 MB/s in each of two files in https://github.com/vllm-project/vllm/issues/
# 12916, 318 MB/s in https://github.com/replicate/cog-vllm/issues/38.
_DOWNLOAD_BYTES_PER_SECOND: Final = (60e6, 320e6)
# 7.64 GiB in 26.9 s in https://github.com/vllm-project/vllm/pull/44106, and 3.4 GiB that were in
# the page cache in 0.7 s in https://github.com/vllm-project/vllm/issues/20264.
_LOAD_BYTES_PER_SECOND: Final = (300e6, 5e9)
# Imports, Ray's actor, profiling of memory: the same issue misses 25 s beside the log's 34 s.
_PROCESS: Final = Seconds(least=25, most=60)
# Compilation and graphs: 34 s with a warm cache in that issue, and 91 s of one model in
# https://github.com/run-ai/runai-model-streamer/issues/67; large models take a few minutes.
_COMPILATION: Final = Seconds(least=30, most=180)
_NOTHING: Final = Seconds(least=0, most=0)
_LOCAL: Final = ("/", ".", "~", "file:")


def cold_start(model: ModelPlan, pool: PoolPlan) -> ColdStart:
    """The phases of a replica's start on its pool; without `most` if its size is not known."""
    size = model.checkpoint_bytes
    local = model.source.startswith(_LOCAL)
    compiled = not model.enforce_eager and not model.v0_engine
    return ColdStart(
        node=_NODE.or_nothing() if pool.min_nodes > pool.nodes_at_min else _NODE,
        image=_IMAGE.or_nothing() if pool.min_nodes > pool.nodes_at_min else _IMAGE,
        download=_NOTHING if local else _at(size, _DOWNLOAD_BYTES_PER_SECOND),
        load=_at(size, _LOAD_BYTES_PER_SECOND),
        engine=_PROCESS + (_COMPILATION if compiled else _COMPILATION.or_nothing()),
    )


def _at(size_bytes: int | None, bytes_per_second: tuple[float, float]) -> Seconds:
    if size_bytes is None:
        return Seconds(least=0, most=None)
    slow, fast = bytes_per_second
    return Seconds(least=round(size_bytes / fast), most=round(size_bytes / slow))
