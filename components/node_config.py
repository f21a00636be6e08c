"""What the CPU pool and the GPU pools have in common.

Boot disk, network card, identity and hardening of a node, and the fields that Pulumi ignores.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pulumi
from pulumi_gcp import container

# The autoscaler changes the number of nodes, which Pulumi must not undo; a change of the initial
# count would replace the pool (https://github.com/hashicorp/terraform-provider-google/issues/6901).
NODE_POOL_IGNORED = ["initialNodeCount", "nodeCount"]

# With Workload Identity the node's scopes do not limit pods, and the roles of the service account
# decide what nodes may do. GKE's documentation then asks for this one scope.
_OAUTH_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def node_config(
    *,
    machine_type: str,
    boot_disk_type: str,
    boot_disk_gb: int,
    spot: bool = False,
    service_account: pulumi.Input[str] | None = None,
    guest_accelerators: Sequence[container.NodePoolNodeConfigGuestAcceleratorArgs] = (),
    taints: Sequence[container.NodePoolNodeConfigTaintArgs] = (),
    cost_labels: Mapping[str, str],
    labels: Mapping[str, str] = MappingProxyType({}),
    reservation: str | None = None,
    run_seconds: int | None = None,
) -> container.NodePoolNodeConfigArgs:
    """The node configuration of one pool.

    boot_disk_gb: GB; it holds images and weights.
    service_account: e-mail of the nodes' Google service account; by default GKE's own.
    cost_labels: for Google's bill, and the same for what reads labels of Kubernetes' nodes; a
        change of them is in place.
    labels: further ones of Kubernetes' nodes alone.
    reservation: from which alone nodes come; its name, or its path if another project shares it.
    run_seconds: for how long a flex-start node runs; None for nodes of another kind. A change of
        either replaces the pool.
    """
    return container.NodePoolNodeConfigArgs(
        machine_type=machine_type,
        disk_type=boot_disk_type,
        disk_size_gb=boot_disk_gb,
        spot=spot,
        service_account=service_account,
        oauth_scopes=list(_OAUTH_SCOPES),
        guest_accelerators=list(guest_accelerators) or None,
        taints=list(taints) or None,
        resource_labels=dict(cost_labels) or None,
        labels={**cost_labels, **labels} or None,
        flex_start=True if run_seconds else None,
        max_run_duration=f"{run_seconds}s" if run_seconds else None,
        reservation_affinity=_reservation_affinity(reservation, flex_start=bool(run_seconds)),
        # Image streaming: a container starts before its image of 10 GB is complete. It works for
        # images in Artifact Registry and has no effect on others.
        gcfs_config=container.NodePoolNodeConfigGcfsConfigArgs(enabled=True),
        gvnic=container.NodePoolNodeConfigGvnicArgs(enabled=True),
        workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
            mode="GKE_METADATA"
        ),
        shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            # Secure boot refuses unsigned kernel modules, which GPU drivers are on some node
            # images. Nodes without a GPU have none.
            enable_secure_boot=not guest_accelerators,
            enable_integrity_monitoring=True,
        ),
    )


def _reservation_affinity(
    reservation: str | None, *, flex_start: bool
) -> container.NodePoolNodeConfigReservationAffinityArgs | None:
    """GKE takes a flex-start pool only if it names no reservation, in words."""
    if reservation is None:
        none = container.NodePoolNodeConfigReservationAffinityArgs(
            consume_reservation_type="NO_RESERVATION"
        )
        return none if flex_start else None
    return container.NodePoolNodeConfigReservationAffinityArgs(
        consume_reservation_type="SPECIFIC_RESERVATION",
        key="compute.googleapis.com/reservation-name",
        values=[reservation],
    )


def network_config(*, private_nodes: bool | None) -> container.NodePoolNetworkConfigArgs | None:
    """The network of one pool.

    private_nodes: a change of it lets GKE replace the nodes one after the other; None leaves a pool
        as it is, and a new one is as private as its cluster.
    """
    if private_nodes is None:
        return None
    return container.NodePoolNetworkConfigArgs(enable_private_nodes=private_nodes)
