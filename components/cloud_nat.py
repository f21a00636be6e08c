"""Cloud NAT: how nodes without an address of the internet fetch images and weights."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import compute, container


def cloud_nat(
    name: str, project: str, cluster: container.Cluster, parent: pulumi.Resource
) -> Sequence[pulumi.Resource]:
    """A router with a gateway of Cloud NAT for the subnetwork of a regional cluster.

    Only this subnetwork, because Google refuses two gateways for one, and others of the network may
    have theirs.
    """
    region = cluster.location.apply(_region)
    router = compute.Router(
        f"{name}-router",
        compute.RouterArgs(
            name=pulumi.Output.format("{0}-nat", cluster.name),
            project=project,
            region=region,
            network=cluster.network,
        ),
        pulumi.ResourceOptions(parent=parent),
    )
    nat = compute.RouterNat(
        f"{name}-nat",
        compute.RouterNatArgs(
            name=pulumi.Output.format("{0}-nat", cluster.name),
            project=project,
            region=region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[
                compute.RouterNatSubnetworkArgs(
                    # The pods' addresses too: a pod's requests leave with its own address.
                    name=cluster.subnetwork,
                    source_ip_ranges_to_nats=["ALL_IP_RANGES"],
                )
            ],
            # A node downloads with many connections to few hosts.
            enable_dynamic_port_allocation=True,
            min_ports_per_vm=64,
            max_ports_per_vm=4096,
            enable_endpoint_independent_mapping=False,
            log_config=compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
        ),
        pulumi.ResourceOptions(parent=parent),
    )
    return router, nat


def _region(location: str) -> str:
    """The region of a cluster's location, which may be a zone."""
    return location.rpartition("-")[0] if location.count("-") == 2 else location
