"""How long a replica takes from nothing to its first answer, phase by phase, as ranges.

A range is what public logs show, not a bound: a zone without a free GPU takes as long as it takes.
All are orders of magnitude that decide between seconds, minutes and an hour; where they come from
is in models/catalog/start_times.yaml.
"""

from dataclasses import dataclass
from typing import Final, Literal

from models.catalog import Phase, start_times
from models.weights import WeightsPlace
from planning.infrastructure.weights import MOUNT
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
    download: of the weights to the node.
    load: of the weights from there to the GPU.
    engine: the process, compilation and memory profiling.
    graphs: the capture of CUDA graphs.
    """

    node: Seconds
    image: Seconds
    download: Seconds
    load: Seconds
    engine: Seconds
    graphs: Seconds

    @property
    def weights(self) -> Seconds:
        """Until they are on the GPU."""
        return self.download + self.load

    @property
    def anew(self) -> Seconds:
        """On a node that comes for it."""
        return self.node + self.image + self.weights + self.engine + self.graphs

    @property
    def beside(self) -> Seconds:
        """Beside another version: a node of the pool may have a free GPU, the image and weights."""
        return (
            self.node.or_nothing()
            + self.image.or_nothing()
            + self.download.or_nothing()
            + self.load
            + self.engine
            + self.graphs
        )

    @property
    def in_place(self) -> Seconds:
        """On the node of the old version, which has the image and perhaps these weights."""
        return self.download.or_nothing() + self.load + self.engine + self.graphs


_NOTHING: Final = Seconds(least=0, most=0)
_IN_IMAGE: Final = ("/", ".", "~", "file:")
_IN_BUCKET: Final = "gs://"


def cold_start(model: ModelPlan, pool: PoolPlan, place: WeightsPlace | None = None) -> ColdStart:
    """The phases of a replica's start on its pool; without `most` if its size is not known.

    place: from where the weights come; by default from where the plan has them.
    """
    spare = pool.min_nodes > pool.nodes_at_min
    compiled = not model.enforce_eager and not model.v0_engine
    compilation, graphs = _phase("compile"), _phase("graphs")
    # Another engine may have compiled the same before.
    compiles = compiled and pool.compile_cache is None
    image = _phase("streamed_image" if model.image_streams else "image")
    download, load = _weights(model, place)
    return ColdStart(
        node=_phase("node").or_nothing() if spare else _phase("node"),
        image=image.or_nothing() if spare else image,
        download=download,
        load=load,
        engine=_phase("process") + (compilation if compiles else compilation.or_nothing()),
        graphs=graphs if compiled else graphs.or_nothing(),
    )


def weights_place(model: ModelPlan) -> WeightsPlace | None:
    """From where a node reads the weights of a model; None if they are in the image."""
    if model.source.startswith(f"{MOUNT}/"):
        return model.weights_place
    if model.source.startswith(_IN_IMAGE):
        return None
    return WeightsPlace.BUCKET if model.source.startswith(_IN_BUCKET) else model.weights_place


def _weights(model: ModelPlan, place: WeightsPlace | None) -> tuple[Seconds, Seconds]:
    """Until the node has the weights, and from there to the GPU.

    A disk is read as it is. Weights of a bucket are loaded while they come, so that both together
    are an upper estimate.
    """
    size, place = model.checkpoint_bytes, place or weights_place(model)
    if place is None:
        return _NOTHING, _at(size, "load")
    if place is WeightsPlace.DISK:
        return _NOTHING, _at(size, "disk")
    way = _at(size, "bucket" if place is WeightsPlace.BUCKET else "hub")
    return way, _at(size, "load")


def _phase(name: Phase) -> Seconds:
    least, most = start_times().seconds[name].range
    return Seconds(least=round(least), most=round(most))


def _at(size_bytes: int | None, way: Literal["hub", "bucket", "disk", "load"]) -> Seconds:
    if size_bytes is None:
        return Seconds(least=0, most=None)
    slow, fast = start_times().bytes_per_second[way].range
    return Seconds(least=round(size_bytes / fast), most=round(size_bytes / slow))
