"""Whether a node's boot disk holds the image and the weights."""

from collections.abc import Iterable

from models.problems import Problem
from models.ways_out import leave_out, use
from planning.checks.contexts import PlacedContext
from planning.infrastructure.node_pools import IMAGE_GB


def boot_disk_problems(context: PlacedContext) -> Iterable[Problem]:
    """Weights that do not fit on the disk together with the image."""
    checkpoint, pool = context.spec.checkpoint, context.pool
    if checkpoint.checkpoint_bytes is None:
        return
    needed = IMAGE_GB + checkpoint.checkpoint_bytes / 1e9
    enough = -(-int(needed + 1) // 50) * 50
    if needed > pool.boot_disk_gb:
        yield Problem(
            path=context.path,
            value=checkpoint.source,
            reason=f"downloads {checkpoint.checkpoint_bytes / 1e9:.0f} GB of weights, the "
            f"image takes some {IMAGE_GB} GB, and a node of {pool.id} has a disk of "
            f"{pool.boot_disk_gb} GB",
            remedy="Give the pool a larger disk",
            rule="boot-disk",
            candidates=(
                use(
                    f"{pool.path}.bootDiskGb",
                    enough,
                    f"set bootDiskGb: {enough} on the pool",
                    group="disk",
                ),
                leave_out(f"{pool.path}.bootDiskGb", "leave bootDiskGb out", group="disk"),
            ),
        )
