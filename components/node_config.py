"""What the CPU pool and the GPU pools have in common.

Boot disk, network card, identity and hardening of a node, and what Pulumi must not touch, so that
the pools differ only where they mean to.
"""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import container

# The autoscaler changes the number of nodes behind our back, as it should; a change of the initial
# count would replace the pool (https://github.com/hashicorp/terraform-provider-google/issues/6901).
NODE_POOL_IGNORED = ["initialNodeCount", "nodeCount"]

# With Workload Identity the node's own scopes do not limit pods; what nodes may do is decided by
# the roles of their service account. GKE's documentation asks for this one scope then.
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
) -> container.NodePoolNodeConfigArgs:
    """The node configuration of one pool.

    boot_disk_gb: GB; images and weights lie on it.
    service_account: e-mail of the nodes' Google service account; GKE's default without one.
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
        # Image streaming: a container starts before all of its 10 GB image is there. It works for
        # images in Artifact Registry and does nothing for others.
        gcfs_config=container.NodePoolNodeConfigGcfsConfigArgs(enabled=True),
        gvnic=container.NodePoolNodeConfigGvnicArgs(enabled=True),
        workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
            mode="GKE_METADATA"
        ),
        shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            # Secure boot refuses kernel modules that are not signed, GPU drivers among them on some
            # node images; without a GPU nothing speaks against it.
            enable_secure_boot=not guest_accelerators,
            enable_integrity_monitoring=True,
        ),
    )
