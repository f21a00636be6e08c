"""Whether a node's boot disk holds the image and the weights."""

from collections.abc import Iterable

from models.problems import Problem
from planning.checks.contexts import PlacedContext
from planning.infrastructure.node_pools import IMAGE_GB


def boot_disk_problems(context: PlacedContext) -> Iterable[Problem]:
    """Weights that do not fit on the disk together with the image."""
    checkpoint, pool = context.spec.checkpoint, context.pool
    if checkpoint.checkpoint_bytes is None:
        return
    needed = IMAGE_GB + checkpoint.checkpoint_bytes / 1e9
    if needed > pool.boot_disk_gb:
        yield Problem(
            path=context.path,
            value=checkpoint.source,
            reason=f"downloads {checkpoint.checkpoint_bytes / 1e9:.0f} GB of weights, the "
            f"image takes some {IMAGE_GB} GB, and a node of {pool.id} has a disk of "
            f"{pool.boot_disk_gb} GB",
            remedy=f"Set bootDiskGb: {-(-int(needed + 1) // 50) * 50} on the pool",
            rule="boot-disk",
        )
