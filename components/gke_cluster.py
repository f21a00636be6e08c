"""`GkeCluster`: a GKE cluster with its CPU pool, created or adopted, and the way to reach it.

A created cluster gets `app-pool` instead of GKE's default pool. An adopted cluster is left as it
is: this creates nothing in it and only names its owner's CPU pool, and the owner switches on the
KubeRay add-on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_gcp import container

from components.cloud_nat import cloud_nat
from components.explained_record import explained_record
from components.kubeconfig import gke_kubeconfig
from components.node_config import NODE_POOL_IGNORED, network_config, node_config
from components.node_pool_record import record_node_pools
from models.gke_context import gke_context
from models.problems import without_secrets
from models.stack import KubeRayInstall
from planning import CpuPoolPlan, Plan
from reports.pool_fields import cpu_pool_fields
from rollouts import cluster_fields, cluster_problem, cluster_sentence

# Fields to ignore. Of the first two, deleting the default pool makes the provider report them as
# changed, and changing them would replace the cluster (https://github.com/pulumi/pulumi/issues/8991).
# So would private nodes as a setting of the cluster, which each pool can change in place.
CLUSTER_IGNORED = ["nodeConfig", "initialNodeCount", "privateClusterConfig"]

# System metrics of pods and nodes, and of GPUs from NVIDIA's DCGM; the list replaces GKE's own.
_MONITORED = ["SYSTEM_COMPONENTS", "POD", "DEPLOYMENT", "KUBELET", "CADVISOR", "DCGM"]


@dataclass(frozen=True, kw_only=True)
class GkeClusterArgs:
    """A cluster to create or, with `existing`, to adopt.

    project: plain text, because the identity of the Kubernetes provider is built from it.
    location: region, or zone of a zonal cluster.
    zones: of the nodes; an adopted cluster needs none here.
    cpu_pool: the pool for the Ray head, the routers and KubeRay; of an adopted cluster only its
        name is used.
    context: for an adopted cluster, the kubeconfig context that leads to it; without it, Google is
        asked for the address.
    kuberay_addon: whether GKE runs the KubeRay operator itself.
    gateway_api: whether GKE makes load balancers of Gateway objects, as an external gateway with a
        managed certificate needs it. It is switched on in place.
    cost_allocation: whether GKE writes namespaces and labels of pods to the billing export. It is
        switched on in place.
    makes_cloud_nat: whether the network gets a gateway of Cloud NAT, through which private nodes
        fetch images and weights.
    node_service_account: e-mail of the CPU nodes' Google service account; by default that of the
        plan.
    """

    project: str
    name: str
    location: str
    cpu_pool: CpuPoolPlan
    zones: Sequence[str] = ()
    initial_cpu_nodes_per_zone: int = 1
    existing: bool = False
    context: str | None = None
    deletion_protection: bool = True
    allow: Sequence[str] = ()
    release_channel: str = "REGULAR"
    network: str | None = None
    subnetwork: str | None = None
    kuberay_addon: bool = False
    makes_cloud_nat: bool = False
    gateway_api: bool = False
    cost_allocation: bool = False
    node_service_account: pulumi.Input[str] | None = None

    @classmethod
    def of(cls, plan: Plan) -> "GkeClusterArgs":
        """The arguments that a plan asks for."""
        cluster = plan.cluster
        return cls(
            project=plan.project,
            name=cluster.name,
            location=cluster.location,
            cpu_pool=cluster.cpu_pool,
            zones=cluster.zones,
            initial_cpu_nodes_per_zone=cluster.initial_cpu_nodes_per_zone,
            existing=cluster.existing,
            context=cluster.context,
            deletion_protection=cluster.deletion_protection,
            allow=plan.rollout.allow,
            release_channel=cluster.release_channel,
            network=cluster.network,
            subnetwork=cluster.subnetwork,
            makes_cloud_nat=cluster.makes_cloud_nat,
            kuberay_addon=plan.release.install is KubeRayInstall.GKE_ADDON,
            gateway_api=plan.access is not None and plan.access.managed_certificate,
            cost_allocation=cluster.allocates_cost,
        )


class GkeCluster(pulumi.ComponentResource):
    """A GKE cluster that GPU pools and a Kubernetes provider can be attached to.

    name, location: of the cluster.
    endpoint: address of the control plane; empty if a kubeconfig context leads to the cluster,
        because then nothing asks Google for it.
    cpu_pool: name of the pool for the Ray head, the routers and KubeRay.
    provider: the Kubernetes provider of this cluster.
    """

    name: pulumi.Output[str]
    location: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    cpu_pool: pulumi.Output[str]
    provider: kubernetes.Provider

    def __init__(
        self, name: str, args: GkeClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:GkeCluster", name, None, opts)
        context = gke_context(args.project, args.location, args.name)
        kubeconfig: pulumi.Output[str] | None
        record = explained_record(
            f"{name}-record",
            cluster_fields(
                args.project,
                args.name,
                args.location,
                existing=args.existing,
                network=args.network,
                subnetwork=args.subnetwork,
                protected=args.deletion_protection,
            ),
            self,
            cluster_sentence,
            cluster_problem,
        )
        if not args.existing:
            cluster = self._created(name, args, record)
            nat = cloud_nat(name, args.project, cluster, self) if args.makes_cloud_nat else ()
            pool = self._cpu_pool(name, args, cluster, nat)
            fields = cpu_pool_fields(args.cpu_pool, args.zones)
            record_node_pools(
                f"{name}-cpu-pool-record",
                {args.cpu_pool.name: fields},
                self,
                [pool],
                ray_head=True,
                protected=args.deletion_protection,
                allow=args.allow,
            )
            self.name, self.location = cluster.name, cluster.location
            self.endpoint, self.cpu_pool = cluster.endpoint, pool.name
            kubeconfig = gke_kubeconfig(
                cluster.endpoint, _ca_certificate(cluster.master_auth), context
            )
        else:
            self.name = pulumi.Output.from_input(args.name)
            self.location = pulumi.Output.from_input(args.location)
            self.cpu_pool = pulumi.Output.from_input(args.cpu_pool.name)
            if args.context is not None:
                self.endpoint, kubeconfig = pulumi.Output.from_input(""), None
            else:
                # Read at once, so that a cluster that is not there is said in one sentence. Of the
                # answer only what is public is used; its client key is a secret.
                found = _adopted(self, args)
                self.endpoint = pulumi.Output.from_input(found.endpoint)
                certificate = found.master_auths[0].cluster_ca_certificate
                kubeconfig = gke_kubeconfig(found.endpoint, certificate, context)
        self.provider = kubernetes.Provider(
            f"{name}-kubernetes",
            kubernetes.ProviderArgs(
                kubeconfig=kubeconfig,
                context=args.context,
                # Known at every preview, unlike the kubeconfig: without it a cluster whose address
                # is not known yet would plan a new provider and with it all that is in the cluster.
                cluster_identifier=context,
                enable_server_side_apply=True,
                # Objects here have fixed names, so Pulumi would delete one to replace it.
                enable_config_map_mutable=True,
                enable_secret_mutable=True,
                # An interrupted `up` leaves objects that its state does not know. In a cluster that
                # this program created they can only be its own, and the next `up` adopts them.
                upsert_existing_objects=not args.existing,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs(
            {
                "name": self.name,
                "location": self.location,
                "endpoint": self.endpoint,
                "cpuPool": self.cpu_pool,
            }
        )

    def _created(
        self, name: str, args: GkeClusterArgs, record: pulumi.Resource
    ) -> container.Cluster:
        return container.Cluster(
            f"{name}-cluster",
            container.ClusterArgs(
                name=args.name,
                project=args.project,
                location=args.location,
                node_locations=list(args.zones),
                network=args.network,
                subnetwork=args.subnetwork,
                networking_mode="VPC_NATIVE",
                # For the pool that GKE makes first and later ones of others; ours say it each.
                private_cluster_config=(
                    container.ClusterPrivateClusterConfigArgs(
                        enable_private_nodes=True, enable_private_endpoint=False
                    )
                    if args.cpu_pool.private_nodes
                    else None
                ),
                # Dataplane V2, which enforces network policies. Its change replaces a cluster.
                datapath_provider="ADVANCED_DATAPATH",
                gateway_api_config=(
                    container.ClusterGatewayApiConfigArgs(channel="CHANNEL_STANDARD")
                    if args.gateway_api
                    else None
                ),
                cost_management_config=(
                    container.ClusterCostManagementConfigArgs(enabled=True)
                    if args.cost_allocation
                    else None
                ),
                deletion_protection=args.deletion_protection,
                remove_default_node_pool=True,
                initial_node_count=1,
                release_channel=container.ClusterReleaseChannelArgs(channel=args.release_channel),
                workload_identity_config=container.ClusterWorkloadIdentityConfigArgs(
                    workload_pool=f"{args.project}.svc.id.goog"
                ),
                monitoring_config=container.ClusterMonitoringConfigArgs(
                    enable_components=_MONITORED,
                    managed_prometheus=container.ClusterMonitoringConfigManagedPrometheusArgs(
                        enabled=True
                    ),
                ),
                addons_config=container.ClusterAddonsConfigArgs(
                    gcs_fuse_csi_driver_config=(
                        container.ClusterAddonsConfigGcsFuseCsiDriverConfigArgs(enabled=True)
                    ),
                    ray_operator_configs=(
                        [container.ClusterAddonsConfigRayOperatorConfigArgs(enabled=True)]
                        if args.kuberay_addon
                        else None
                    ),
                ),
            ),
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[record],
                # GKE's own protection refuses only the cluster, after everything in it is gone;
                # Pulumi's refuses the whole destroy before anything is.
                protect=args.deletion_protection,
                ignore_changes=CLUSTER_IGNORED,
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
            ),
        )

    def _cpu_pool(
        self,
        name: str,
        args: GkeClusterArgs,
        cluster: container.Cluster,
        after: Sequence[pulumi.Resource],
    ) -> container.NodePool:
        plan = args.cpu_pool
        return container.NodePool(
            f"{name}-cpu-pool",
            container.NodePoolArgs(
                name=plan.name,
                project=args.project,
                location=args.location,
                cluster=cluster.name,
                node_locations=list(args.zones),
                initial_node_count=args.initial_cpu_nodes_per_zone,
                autoscaling=container.NodePoolAutoscalingArgs(
                    total_min_node_count=plan.min_nodes, total_max_node_count=plan.max_nodes
                ),
                node_config=node_config(
                    machine_type=plan.machine_type,
                    boot_disk_type=plan.boot_disk_type,
                    boot_disk_gb=plan.boot_disk_gb,
                    service_account=args.node_service_account or plan.node_service_account,
                    cost_labels=plan.cost_labels,
                ),
                network_config=network_config(private_nodes=plan.private_nodes),
                upgrade_settings=container.NodePoolUpgradeSettingsArgs(
                    max_surge=1, max_unavailable=0
                ),
            ),
            pulumi.ResourceOptions(
                parent=self, depends_on=list(after), ignore_changes=NODE_POOL_IGNORED
            ),
        )


def _adopted(parent: pulumi.Resource, args: GkeClusterArgs) -> container.AwaitableGetClusterResult:
    """The cluster as Google answers; the preview stops with one sentence if it does not."""
    try:
        return container.get_cluster(
            name=args.name,
            location=args.location,
            project=args.project,
            opts=pulumi.InvokeOptions(parent=parent),
        )
    except Exception as error:  # the SDK raises no narrower one
        first, *_ = without_secrets(str(error)).splitlines() or [type(error).__name__]
        reason = first.rpartition("returned an error: ")[2]
        raise pulumi.RunError(
            f"cluster {args.name} in {args.location} of project {args.project} cannot be adopted, "
            f"because Google does not show it ({reason}). Correct its name, location or project, "
            "or give a kubeconfig context that leads to it (cluster.context in a stack file)."
        ) from None


def _ca_certificate(
    master_auth: pulumi.Output[container.outputs.ClusterMasterAuth],
) -> pulumi.Output[str]:
    """The cluster's CA certificate, which is public.

    Google's provider returns it together with a client key that it marks as a secret. That mark
    would hide the whole kubeconfig in every preview.
    """
    certificate = master_auth.apply(lambda auth: auth.cluster_ca_certificate or "")
    return pulumi.Output.unsecret(certificate)
