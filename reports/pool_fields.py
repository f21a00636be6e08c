"""What of a node pool counts when it changes, by the keys of a plan as data.

The stack's state remembers the same, so that a preview and a comparison of two stack files say the
same of a change.
"""

from collections.abc import Iterable, Mapping, Sequence

from models.capacity import Buying
from planning import CpuPoolPlan, PoolPlan, WayPlan
from rollouts import NOT_SAID, PoolFields


def gpu_pools_fields(pools: Iterable[PoolPlan]) -> Mapping[str, PoolFields]:
    """What is remembered of GPU pools, by the names of their node pools."""
    found: dict[str, PoolFields] = {}
    for pool in pools:
        of_pool = gpu_pool_fields(pool)
        if not pool.ways:
            found[pool.id] = of_pool
        for place, way in enumerate(pool.ways, start=1):
            found[way.node_pool] = {**of_pool, **_of_way(way), "preference": place}
    return found


def _of_way(way: WayPlan) -> PoolFields:
    """What a node pool has that is one way to pay of several, or none that `spot` can say."""
    return {
        "spot": way.buying is Buying.SPOT,
        "flexStart": NOT_SAID if way.run_seconds is None else f"{way.run_seconds} s",
        "reservation": way.reservation or NOT_SAID,
        "zones": list(way.zones),
        "minNodes": way.min_nodes,
        "maxNodes": way.max_nodes,
    }


def gpu_pool_fields(pool: PoolPlan) -> PoolFields:
    """What is remembered of a GPU pool, by the keys of a plan as data."""
    return {
        "tier": pool.tier.id,
        "accelerator": pool.tier.accelerator_type,
        "gpusPerNode": pool.tier.gpu_count,
        "gpuDriverVersion": pool.gpu_driver_version.value,
        "spot": pool.spot,
        **_of_the_cluster(pool),
        "machineType": pool.machine_type,
        "bootDiskType": pool.boot_disk_type,
        "bootDiskGb": pool.boot_disk_gb,
        "zones": list(pool.zones),
        "minNodes": pool.min_nodes,
        "maxNodes": pool.max_nodes,
        **_cost_labels(pool),
    }


def _cost_labels(pool: PoolPlan | CpuPoolPlan) -> PoolFields:
    """Only if there are any, so that a stack without them has the record that it had."""
    return {"costLabels": dict(pool.cost_labels)} if pool.cost_labels else {}


def _of_the_cluster(pool: PoolPlan | CpuPoolPlan) -> PoolFields:
    """What the cluster's settings say of all pools."""
    return {
        "privateNodes": NOT_SAID if pool.private_nodes is None else pool.private_nodes,
        "nodeServiceAccount": pool.node_service_account or "",
    }


def cpu_pool_fields(pool: CpuPoolPlan, zones: Sequence[str]) -> PoolFields:
    """What is remembered of the CPU pool, by the keys of a plan as data."""
    return {
        "machineType": pool.machine_type,
        "bootDiskType": pool.boot_disk_type,
        "bootDiskGb": pool.boot_disk_gb,
        **_of_the_cluster(pool),
        "zones": list(zones),
        "minNodes": pool.min_nodes,
        "maxNodes": pool.max_nodes,
        **_cost_labels(pool),
    }
