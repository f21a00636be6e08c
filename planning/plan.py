"""The Plan: the one object that everything after planning reads.

Nothing downstream decides again, and nothing here knows Kubernetes. All of it is frozen; sizes
carry their unit in the name (bytes, GiB, USD per hour).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from models.capacity import Buying
from models.catalog import BootDisk, GpuTier, KubeRayRelease, RayRelease
from models.measurements import Measurement
from models.mirror import in_mirror
from models.problems import Problem
from models.service import HeadRecoverySettings, PodSecurity
from models.stack import GpuDriverVersion, KubeRayInstall, KubeRaySettings, RolloutSettings
from models.tasks import Task
from models.token_reference import TokenReference
from models.weights import WeightsPlace
from planning.access import AccessPlan
from planning.monitoring import MonitoringPlan
from planning.plan_costs import QuotaNeed, StackCost

GIB = 1024**3
REQUEST_TIMEOUT_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class PodResources:
    """What one Ray pod asks for; requests equal limits, so nothing is overcommitted."""

    cpu: int
    memory_gib: int
    gpus: int = 0


@dataclass(frozen=True, kw_only=True)
class WayPlan:
    """One way to pay for a pool's nodes, which is a GKE node pool of its own.

    path: of the entry in the stack file, `ray-llm:gpuPools[0].capacity[1]`.
    node_pool: the name of the node pool; it stays the same if the entries change places.
    min_nodes, max_nodes: of this node pool; GKE keeps no maximum of all together.
    reservation: its name, or its path if another project shares it; None for other ways.
    reserved_nodes: how many nodes are paid for, used or not; None if the stack file does not say.
    run_seconds: for how long a flex-start node runs; None if nothing ends it.
    usd_per_hour: of a node, None if not known; price_is_a_bound: whether it is at most that.
    """

    path: str
    node_pool: str
    buying: Buying
    zones: tuple[str, ...]
    min_nodes: int
    max_nodes: int
    reservation: str | None = None
    reserved_nodes: int | None = None
    run_seconds: int | None = None
    usd_per_hour: Decimal | None = None
    price_is_a_bound: bool = False


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """One GPU pool with the worker group that runs on it, one pod a node.

    It is one GKE node pool, or one for each way to pay and a ComputeClass over them.

    path: the pool's path in the stack file, `ray-llm:gpuPools[1]`.
    id: the node pool or the ComputeClass, the worker group, the Ray custom resource and what `gpu:`
        names.
    ways: ways to pay, the preferred one first; empty if `spot` says all.
    max_nodes: as the stack file says; with several ways GKE keeps it for each.
    idle_timeout_seconds: how long a worker stays without a replica.
    max_workers: the worker group's constant maximum; the node pool's max_nodes is the real cap.
    nodes_at_min, nodes_at_max: nodes that the placed models need at their minima and maxima.
    node_usd_per_hour: list price of one node in this region; None if the price is not known.
    compile_cache: the claim in which its engines keep what they have compiled; None without one.
    private_nodes: whether its nodes have no address of the internet; None if nothing says it.
    node_service_account: e-mail of its nodes' service account; None for the default one.
    cost_labels: of its virtual machines and nodes, for whoever tells costs apart.
    """

    path: str
    id: str
    tier: GpuTier
    machine_type: str
    spot: bool
    zones: tuple[str, ...]
    min_nodes: int
    max_nodes: int
    boot_disk_type: BootDisk
    boot_disk_gb: int
    idle_timeout_seconds: int
    pod: PodResources
    max_workers: int
    nodes_at_min: int
    nodes_at_max: int
    node_usd_per_hour: Decimal | None = None
    gpu_driver_version: GpuDriverVersion = GpuDriverVersion.LATEST
    compile_cache: str | None = None
    private_nodes: bool | None = None
    node_service_account: str | None = None
    cost_labels: Mapping[str, str] = field(default_factory=dict)
    ways: tuple[WayPlan, ...] = ()

    @property
    def compute_class(self) -> str | None:
        """The ComputeClass that its pods choose; None if they choose its only node pool."""
        return self.id if len(self.ways) > 1 else None

    @property
    def node_pools(self) -> tuple[str, ...]:
        """The names of its GKE node pools."""
        return tuple(way.node_pool for way in self.ways) or (self.id,)

    @property
    def most_nodes(self) -> int:
        """How many nodes GKE lets start, over all ways together."""
        return sum(way.max_nodes for way in self.ways) if self.ways else self.max_nodes

    @property
    def reserved_nodes(self) -> int:
        """Nodes that are paid for because they are reserved, used or not."""
        return sum(way.reserved_nodes or 0 for way in self.ways)

    @property
    def is_interruptible(self) -> bool:
        """Whether Google takes its nodes back, those of the preferred way if there are several."""
        return self.ways[0].buying.ends if self.ways else self.spot


@dataclass(frozen=True, kw_only=True)
class CpuPoolPlan:
    """The CPU node pool: Ray head, routers, KubeRay and the smoke test.

    name: empty if its pods may run on any node without a GPU.
    private_nodes, node_service_account, cost_labels: as of a GPU pool.
    """

    name: str
    machine_type: str
    min_nodes: int
    max_nodes: int
    boot_disk_type: BootDisk
    boot_disk_gb: int
    private_nodes: bool | None = None
    node_service_account: str | None = None
    cost_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """The GKE cluster to create or to adopt.

    makes_cloud_nat: whether its nodes need a gateway of Cloud NAT, which is then made.
    allocates_cost: whether GKE cost allocation is on.
    """

    name: str
    location: str
    zones: tuple[str, ...]
    existing: bool
    context: str | None
    deletion_protection: bool
    release_channel: str
    network: str | None
    subnetwork: str | None
    cpu_pool: CpuPoolPlan
    makes_cloud_nat: bool = False
    allocates_cost: bool = False

    @property
    def initial_cpu_nodes_per_zone(self) -> int:
        """With how many nodes in each zone the CPU pool is created: one, if its maximum allows."""
        return 1 if len(self.zones) <= self.cpu_pool.max_nodes else 0


@dataclass(frozen=True, kw_only=True)
class RouterGroupPlan:
    """The CPU worker group that hosts every model's routers, so that no GPU node does.

    resource: the Ray custom resource that only this group advertises, `slots_per_pod` a pod.
    pods_at_min: pods that the routers of all models need at their minima.
    """

    id: str
    resource: str
    slots_per_pod: int
    pod: PodResources
    max_workers: int
    pods_at_min: int


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """The autoscaling range of one deployment of Ray Serve and when it moves.

    look_back_seconds: over how long Ray Serve averages the load.
    metrics_interval_seconds: after how long, at the most, it looks at the load again.
    """

    min: int
    max: int
    target_ongoing_requests: int
    max_ongoing_requests: int
    upscale_delay_seconds: int
    downscale_delay_seconds: int
    look_back_seconds: int
    metrics_interval_seconds: int


@dataclass(frozen=True, kw_only=True)
class MemoryFit:
    """Memory of one GPU of a replica, in bytes, by the formula of sizing/memory/estimate.py.

    kv_per_sequence_bytes: 0 if the engine keeps no keys and values, as of an encoder.

    graph_bytes: CUDA graphs, taken from the budget or from outside it, as `graphs_in_budget` says.
    outside_bytes: what the budget leaves of the GPU, for the CUDA context and the graphs.
    longest_context: tokens of one sequence that would fit; 0 if not even the weights do.
    sure_context: tokens of one sequence that would fit without doubt.
    concurrent_sequences: full-length sequences that fit at once.
    margin_bytes: how far the estimate may be off; a verdict closer than this is in doubt.
    draft_bytes: of the weights, those of the draft of speculative decoding.
    lora_bytes: of the weights, the slots for LoRA adapters.
    kv_stated: the stack file states the KV cache, so that the budget is what all of it takes.
    state_block_bytes: a block of the KV cache if each running sequence needs one for its states, of
        whatever length it is; 0 if not.
    """

    budget_bytes: int
    weight_bytes: int
    activation_bytes: int
    runtime_bytes: int
    kv_available_bytes: int
    kv_per_sequence_bytes: int
    concurrent_sequences: float
    longest_context: int
    graph_bytes: int = 0
    graphs_in_budget: bool = False
    outside_bytes: int = 0
    margin_bytes: int = 0
    sure_context: int = 0
    draft_bytes: int = 0
    lora_bytes: int = 0
    kv_stated: bool = False
    state_block_bytes: int = 0

    def runs(self, sequences: int, spare_bytes: int = 0) -> bool:
        """Whether so many sequences have a block for their states, with so many bytes to spare."""
        needed = sequences * self.state_block_bytes
        return not needed or needed + spare_bytes <= self.kv_available_bytes

    @property
    def fits(self) -> bool:
        """Whether one sequence of the planned context length fits, by the estimate."""
        return self.kv_available_bytes >= max(1, self.kv_per_sequence_bytes)

    @property
    def doubtful(self) -> bool:
        """Whether the verdict lies within the error of the estimate, on either side.

        False if nothing at all is left for KV cache: a plan must not rely on the error alone.
        """
        return self.kv_available_bytes > 0 and abs(self.left_bytes) < self.margin_bytes

    @property
    def may_fit(self) -> bool:
        """Whether it fits, or misses by less than the error of the estimate."""
        return self.fits or self.doubtful

    @property
    def left_bytes(self) -> int:
        """KV cache that one full-length sequence leaves free; negative if it does not fit."""
        return self.kv_available_bytes - self.kv_per_sequence_bytes


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model as it will run: one application with its own route.

    source: what vLLM loads, a Hugging Face repository, a path or a bucket URI.
    quantization: the method that vLLM is given; None leaves it to the checkpoint.
    quantization_shown: how the weights are stored or loaded, for people.
    engine: vLLM engine arguments that the user gave beyond those decided here.
    fit: None if the user turned the check off.
    asks_prefix_caching: whether the V0 engine is asked for prefix caching; V1 has it on.
    lora_path: the folder of LoRA adapters, a bucket's URI; None if it has none.
    task: what it is served for.
    task_arguments: the engine arguments that this release needs for the task.
    canary_of: the served name of the model of whose requests this one gets `canary_percent`.
    checkpoint_bytes: what a node downloads of it; None if that is not known.
    weights_place: from where a node reads its weights, unless its source is a path or a bucket.
    weights_path: where they lie in the container; None if they are downloaded.
    image_streams: whether its container starts before the image has come as a whole.
    derived: names of the fields that the program chose, not the stack file.
    """

    path: str
    name: str
    family: str
    source: str
    pool: str
    tensor_parallel_size: int
    pipeline_parallel_size: int
    dtype: str
    quantization: str | None
    quantization_shown: str | None
    max_model_len: int
    gpu_memory_utilization: float
    max_num_seqs: int
    max_num_batched_tokens: int
    enforce_eager: bool
    v0_engine: bool
    replicas: Replicas
    routers: Replicas
    engine: Mapping[str, object] = field(default_factory=dict)
    fit: MemoryFit | None = None
    asks_prefix_caching: bool = False
    lora_path: str | None = None
    task: Task = Task.GENERATE
    task_arguments: Mapping[str, object] = field(default_factory=dict)
    canary_of: str | None = None
    canary_percent: int = 0
    checkpoint_bytes: int | None = None
    weights_place: WeightsPlace = WeightsPlace.HUB
    weights_path: str | None = None
    image_streams: bool = False
    derived: frozenset[str] = frozenset()

    @property
    def route(self) -> str:
        """The route prefix of the model's application."""
        return f"/{self.name}"

    @property
    def has_engine_metrics(self) -> bool:
        """Whether its engine exports metrics through Ray: the V0 engine has none for it."""
        return not self.v0_engine and self.engine.get("disable_log_stats") is not True

    @property
    def gpus_per_replica(self) -> int:
        """GPUs that one replica takes, all on one node."""
        return self.tensor_parallel_size * self.pipeline_parallel_size


@dataclass(frozen=True, kw_only=True)
class SpeedPlan:
    """A measurement beside the plan of its model.

    changed: what is not as it was measured, by the names of the conditions; empty if nothing is.
    usd_per_million_tokens: output tokens at each level, by requests at once, with the replicas as
        busy all the time; empty if the price is not known, or if something has changed.
    load: output tokens a second that the stack file states; None if it states none.
    replicas_at_load: how many replicas that takes at the fastest level; None without a load.
    """

    measurement: Measurement
    changed: tuple[str, ...]
    usd_per_million_tokens: Mapping[int, Decimal]
    load: float | None
    replicas_at_load: int | None


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """One window in which models sleep: cron texts, the zone of their times, and served names.

    path: the window's path in the stack file, `ray-llm:offHours[1]`.
    """

    path: str
    sleep: str
    wake: str
    time_zone: str
    models: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OffHoursPlan:
    """When models sleep, each until a request wakes it.

    hours_a_week: how long each model sleeps, on the average of four years, by served name.
    """

    windows: tuple[WindowPlan, ...]
    hours_a_week: Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True)
class ServicePlan:
    """The RayService, its namespace, and how requests reach it.

    pod_security: what the namespace enforces, and whether Ray's pods give up what they can.
    head_recovery: None if the head keeps what it knows in its own memory.
    request_timeout_seconds: how long a request may take; a first one to a model at zero replicas
    waits for a node, the image and the weights.
    """

    name: str
    namespace: str
    port: int = 8000
    dashboard_port: int = 8265
    request_timeout_seconds: int = REQUEST_TIMEOUT_SECONDS
    pod_security: PodSecurity = PodSecurity.BASELINE
    head_recovery: HeadRecoverySettings | None = None

    @property
    def serve_service(self) -> str:
        """The Kubernetes Service that answers requests (KubeRay's naming)."""
        return f"{self.name}-serve-svc"

    @property
    def head_service(self) -> str:
        """The Kubernetes Service of the Ray head with the dashboard (KubeRay's naming)."""
        return f"{self.name}-head-svc"

    @property
    def url(self) -> str:
        """The URL below which all models answer inside the cluster."""
        return f"http://{self.serve_service}.{self.namespace}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class ReleasePlan:
    """The software that runs: Ray with its image and vLLM, and KubeRay.

    ray_is_named, kuberay_is_named: whether the settings say which one; else it is the default, or,
    of an operator that this program does not install, an assumption.
    mirror: the folder of a registry from which all images come; None for where they are published.
    """

    ray: RayRelease
    kuberay: KubeRayRelease
    image: str
    vllm: str
    install: KubeRayInstall
    ray_is_named: bool = True
    kuberay_is_named: bool = True
    mirror: str | None = None

    @property
    def image_is_own(self) -> bool:
        """Whether the image is one of the user's, not Ray's own or a copy of it."""
        return self.image not in (self.ray.image, in_mirror(self.ray.image, self.mirror))

    @property
    def image_streams(self) -> bool:
        """Whether a container starts before the image has come: from Artifact Registry."""
        return ".pkg.dev/" in self.image


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A repository of the hub, kept in a bucket or on a disk.

    source, revision: of the hub. folder: where it lies, from the root of what is mounted.
    size_bytes: of its weights; None if that is not known.
    any_format: whether weights in formats that vLLM passes over by default are kept too.
    """

    source: str
    revision: str
    folder: str
    size_bytes: int | None = None
    any_format: bool = False


@dataclass(frozen=True, kw_only=True)
class BucketPlan:
    """A bucket with weights.

    name, folder: `gs://NAME/FOLDER`; the folder is empty if it is the bucket's root.
    location: of the bucket. existing: whether somebody else made it.
    deletes_weights: whether the bucket goes with the stack although there is something in it.
    """

    name: str
    folder: str
    location: str
    existing: bool
    deletes_weights: bool = False


@dataclass(frozen=True, kw_only=True)
class WeightsPlan:
    """Weights that nodes read from a bucket or a disk instead of downloading them.

    bucket, claim: one of both; a claim is of a disk.
    models: what has to lie there.
    """

    bucket: BucketPlan | None = None
    claim: str | None = None
    models: tuple[StoredModel, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that will be deployed for one stack, decided.

    access: None if the stack file says nothing of it; there is then no gateway.
    hugging_face_token: where the token is kept, if it is not in the stack file.
    off_hours: None if no model of the stack has any.
    cost_labels: of the namespace; pods_have_cost_labels: whether Ray's pods carry labels as well.
    speeds: of the models that were measured, by served name.
    unmeasured_loads: output tokens a second that the stack file states for others, by served name.
    monitoring: None if nobody collects metrics.
    weights: None if every node downloads weights from the hub.
    """

    stack: str
    project: str
    region: str
    cluster: ClusterPlan
    release: ReleasePlan
    kube_ray: KubeRaySettings
    service: ServicePlan
    rollout: RolloutSettings
    head: PodResources
    router_group: RouterGroupPlan
    pools: tuple[PoolPlan, ...]
    models: tuple[ModelPlan, ...]
    has_hugging_face_token: bool
    cost: StackCost
    quota: tuple[QuotaNeed, ...]
    access: AccessPlan | None = None
    hugging_face_token: TokenReference | None = None
    off_hours: OffHoursPlan | None = None
    cost_labels: Mapping[str, str] = field(default_factory=dict)
    pods_have_cost_labels: bool = False
    speeds: Mapping[str, SpeedPlan] = field(default_factory=dict)
    unmeasured_loads: Mapping[str, float] = field(default_factory=dict)
    monitoring: MonitoringPlan | None = None
    weights: WeightsPlan | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def url(self) -> str:
        """The URL below which all models answer: the gateway's, or without one Ray Serve's.

        Of a gateway in the VPC network it is the one inside the cluster, because only the cluster
        knows the address that Google gives it.
        """
        access = self.access
        if access is None:
            return self.service.url
        if access.host is not None:
            return f"https://{access.host}"
        scheme = "https" if access.ends_tls else "http"
        return f"{scheme}://{access.gateway.name}.{self.service.namespace}"

    def endpoint(self, model: ModelPlan) -> str:
        """The OpenAI-compatible base URL of one model."""
        return f"{self.url}{model.route}/v1"

    def pool(self, pool_id: str) -> PoolPlan:
        """The pool of that id; KeyError if the plan has none."""
        for pool in self.pools:
            if pool.id == pool_id:
                return pool
        raise KeyError(pool_id)

    @property
    def families(self) -> Mapping[str, tuple[ModelPlan, ...]]:
        """The models by family, families in the order of their first model."""
        grouped: dict[str, tuple[ModelPlan, ...]] = {}
        for model in self.models:
            grouped[model.family] = (*grouped.get(model.family, ()), model)
        return grouped
