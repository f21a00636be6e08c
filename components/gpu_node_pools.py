"""`GpuNodePools`: the GPU node pools of a plan, each growing from zero nodes and back.

It works on any GKE cluster, given by name. The cluster must have a pool without GPUs before the
first GPU pool: only then GKE taints GPU nodes and adds the toleration to GPU pods. Which fields
replace a pool is in models/catalog/replacing_fields.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
from pulumi_gcp import container

from components.node_config import NODE_POOL_IGNORED, network_config, node_config
from components.node_pool_record import record_node_pools
from manifests import GPU_TYPE_TAINT
from planning import Plan, PoolPlan
from reports.pool_fields import gpu_pool_fields


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
    """One GKE node pool for each pool of a plan.

    pools: the node pools by their ids, for `depends_on` and further use.
    names: the same ids as an output.
    """

    pools: Mapping[str, container.NodePool]
    names: pulumi.Output[list[str]]

    def __init__(
        self, name: str, args: GpuNodePoolsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:GpuNodePools", name, None, opts)
        self.pools = MappingProxyType(
            {pool.id: self._node_pool(name, pool, args) for pool in args.pools}
        )
        record_node_pools(
            f"{name}-record",
            {pool.id: gpu_pool_fields(pool) for pool in args.pools},
            self,
            list(self.pools.values()),
            ray_head=False,
            protected=args.deletion_protection,
            allow=args.allow,
        )
        self.names = pulumi.Output.all(*(pool.name for pool in self.pools.values()))
        self.register_outputs({"names": self.names})

    def _node_pool(self, name: str, pool: PoolPlan, args: GpuNodePoolsArgs) -> container.NodePool:
        driver = container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
            gpu_driver_version=pool.gpu_driver_version.value
        )
        return container.NodePool(
            f"{name}-{pool.id}",
            container.NodePoolArgs(
                name=pool.id,
                project=args.project,
                location=args.location,
                cluster=args.cluster,
                # Named one by one: GKE does not always refuse a zone without this GPU at once.
                node_locations=list(pool.zones),
                initial_node_count=0,
                autoscaling=container.NodePoolAutoscalingArgs(
                    # Totals, because the plain minimum and maximum count per zone.
                    total_min_node_count=pool.min_nodes,
                    total_max_node_count=pool.max_nodes,
                    # Wherever there is capacity, instead of the same number in each zone.
                    location_policy="ANY",
                ),
                node_config=node_config(
                    machine_type=pool.machine_type,
                    boot_disk_type=pool.boot_disk_type,
                    boot_disk_gb=pool.boot_disk_gb,
                    spot=pool.spot,
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
                        )
                    ],
                    cost_labels=pool.cost_labels,
                ),
                network_config=network_config(private_nodes=pool.private_nodes),
                # One node after the other without a spare one, because there may be neither GPUs
                # nor quota for a spare.
                upgrade_settings=container.NodePoolUpgradeSettingsArgs(
                    max_surge=0, max_unavailable=1
                ),
            ),
            pulumi.ResourceOptions(parent=self, ignore_changes=NODE_POOL_IGNORED),
        )
