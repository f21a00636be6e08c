"""`GpuNodePools`: the GPU node pools of a plan, each growing from zero nodes and back.

A pool with several ways to pay is a node pool for each of them, which a ComputeClass joins
(manifests/compute_class.py).

It works on any GKE cluster, given by name. The cluster must have a pool without GPUs before the
first GPU pool: only then GKE taints GPU nodes and adds the toleration to GPU pods. Which fields
replace a pool is in models/catalog/replacing_fields.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
from pulumi_gcp import container

from components.node_config import NODE_POOL_IGNORED, network_config, node_config
from components.node_pool_record import record_node_pools
from manifests import COMPUTE_CLASS_LABEL, GPU_TYPE_TAINT
from models.capacity import Buying
from planning import Plan, PoolPlan, WayPlan
from reports.pool_fields import gpu_pools_fields


@dataclass(frozen=True, kw_only=True)
class GpuNodePoolsArgs:
    """Pools to create in a cluster.

    node_service_account: e-mail of the nodes' Google service account; by default that of the plan.
    deletion_protection: whether a preview that would replace a pool is stopped.
    allow: the ids of changes that pass nevertheless; the message has the id.
    """

    project: pulumi.Input[str]
    location: pulumi.Input[str]
    cluster: pulumi.Input[str]
    pools: Sequence[PoolPlan]
    node_service_account: pulumi.Input[str] | None = None
    deletion_protection: bool = False
    allow: Sequence[str] = ()

    @classmethod
    def of(
        cls, plan: Plan, location: pulumi.Input[str], cluster: pulumi.Input[str]
    ) -> "GpuNodePoolsArgs":
        """The arguments that a plan asks for, in the cluster of this location and name."""
        return cls(
            project=plan.project,
            location=location,
            cluster=cluster,
            pools=plan.pools,
            deletion_protection=plan.cluster.deletion_protection,
            allow=plan.rollout.allow,
        )


class GpuNodePools(pulumi.ComponentResource):
    """One GKE node pool for each pool of a plan, or for each of its ways to pay.

    pools: the node pools by their names, for `depends_on` and further use.
    names: the same names as an output.
    """

    pools: Mapping[str, container.NodePool]
    names: pulumi.Output[list[str]]

    def __init__(
        self, name: str, args: GpuNodePoolsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:GpuNodePools", name, None, opts)
        self.pools = MappingProxyType(
            {
                node_pool: self._node_pool(name, node_pool, pool, way, args)
                for pool in args.pools
                for node_pool, way in _node_pools(pool)
            }
        )
        record_node_pools(
            f"{name}-record",
            gpu_pools_fields(args.pools),
            self,
            list(self.pools.values()),
            ray_head=False,
            protected=args.deletion_protection,
            allow=args.allow,
        )
        self.names = pulumi.Output.all(*(pool.name for pool in self.pools.values()))
        self.register_outputs({"names": self.names})

    def _node_pool(
        self,
        name: str,
        node_pool: str,
        pool: PoolPlan,
        way: WayPlan | None,
        args: GpuNodePoolsArgs,
    ) -> container.NodePool:
        driver = container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
            gpu_driver_version=pool.gpu_driver_version.value
        )
        of_class = {COMPUTE_CLASS_LABEL: pool.compute_class} if pool.compute_class else {}
        run_seconds = None if way is None else way.run_seconds
        return container.NodePool(
            f"{name}-{node_pool}",
            container.NodePoolArgs(
                name=node_pool,
                project=args.project,
                location=args.location,
                cluster=args.cluster,
                # Named one by one: GKE does not always refuse a zone without this GPU at once.
                node_locations=list((way or pool).zones),
                initial_node_count=0,
                autoscaling=container.NodePoolAutoscalingArgs(
                    # Totals, because the plain minimum and maximum count per zone.
                    total_min_node_count=(way or pool).min_nodes,
                    total_max_node_count=(way or pool).max_nodes,
                    # Wherever there is capacity, instead of the same number in each zone.
                    location_policy="ANY",
                ),
                node_config=node_config(
                    machine_type=pool.machine_type,
                    boot_disk_type=pool.boot_disk_type,
                    boot_disk_gb=pool.boot_disk_gb,
                    spot=pool.spot if way is None else way.buying is Buying.SPOT,
                    service_account=args.node_service_account or pool.node_service_account,
                    guest_accelerators=[
                        container.NodePoolNodeConfigGuestAcceleratorArgs(
                            type=pool.tier.accelerator_type,
                            count=pool.tier.gpu_count,
                            gpu_driver_installation_config=driver,
                        )
                    ],
                    # Keeps pods off a tier that they do not ask for. GKE itself adds the taint of
                    # all GPU nodes and the labels to select by.
                    taints=[
                        container.NodePoolNodeConfigTaintArgs(
                            key=GPU_TYPE_TAINT, value=pool.tier.taint, effect="NO_SCHEDULE"
                        ),
                        # By it and the label GKE knows that the node pool belongs to the class.
                        *(
                            container.NodePoolNodeConfigTaintArgs(
                                key=key, value=value, effect="NO_SCHEDULE"
                            )
                            for key, value in of_class.items()
                        ),
                    ],
                    cost_labels=pool.cost_labels,
                    labels=of_class,
                    reservation=None if way is None else way.reservation,
                    run_seconds=run_seconds,
                ),
                network_config=network_config(private_nodes=pool.private_nodes),
                # One node after the other without a spare one, because there may be neither GPUs
                # nor quota for a spare. Flex-start nodes are not upgraded: they end soon.
                upgrade_settings=None
                if run_seconds
                else container.NodePoolUpgradeSettingsArgs(max_surge=0, max_unavailable=1),
                # A repair would make a new flex-start node, for which there may be no machine; GKE
                # asks for pools without it.
                management=container.NodePoolManagementArgs(auto_repair=False, auto_upgrade=True)
                if run_seconds
                else None,
            ),
            pulumi.ResourceOptions(parent=self, ignore_changes=NODE_POOL_IGNORED),
        )


def _node_pools(pool: PoolPlan) -> Iterator[tuple[str, WayPlan | None]]:
    if not pool.ways:
        yield pool.id, None
    for way in pool.ways:
        yield way.node_pool, way
