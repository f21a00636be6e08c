"""The fields of a node pool whose change makes GKE replace it, or its nodes.

A pool has a name that the program chose, so the old one is deleted before the new one is made: its
models are down meanwhile. Everything else changes in place: sizes and zones at once, the rest node
by node. Source: ForceNew in terraform-provider-google, `resource_container_node_pool.go` and
`node_config.go`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Field of the provider -> keys of a pool in the plan as data that set it; none if a stack cannot
# change the field of an existing pool.
REPLACING_POOL_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "cluster": (),
        "location": (),
        "name": (),
        "nodeConfig.flexStart": ("flexStart",),
        "nodeConfig.guestAccelerators": (
            "tier",
            "accelerator",
            "gpusPerNode",
            "gpuDriverVersion",
        ),
        "nodeConfig.maxRunDuration": ("flexStart",),
        "nodeConfig.oauthScopes": (),
        "nodeConfig.reservationAffinity": ("reservation",),
        "nodeConfig.serviceAccount": ("nodeServiceAccount",),
        "nodeConfig.shieldedInstanceConfig": (),
        "nodeConfig.spot": ("spot",),
        "project": (),
    }
)

NODE_BY_NODE_POOL_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "nodeConfig.diskSizeGb": ("bootDiskGb",),
        "nodeConfig.diskType": ("bootDiskType",),
        "nodeConfig.machineType": ("machineType",),
        "networkConfig.enablePrivateNodes": ("privateNodes",),
    }
)
"""The same for fields whose change makes GKE replace the nodes one after the other."""
