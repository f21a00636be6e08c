"""What a stack file may say: the typed settings under `ray-llm:`.

Field names are the file's camelCase keys in snake_case. Everything is frozen, unknown keys are
refused, and numbers are never read from text. What is left out stays None and is derived in
planning/, and the plan shows it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake

from models.access import AccessSettings
from models.bucket_folder import bucket_folder
from models.capacity import CAPACITY_SCHEMA, SPOT_RULE, TWICE_RULE, Buying, CapacityWay
from models.catalog import (
    DEFAULT_KUBERAY,
    DEFAULT_RAY,
    kuberay_releases,
    ray_releases,
    releases_meant,
    vllm_versions,
)
from models.cost_allocation import CostAllocationSettings
from models.invalid_value import InvalidValueError
from models.mirror import mirror_folder
from models.monitoring import AlertSettings, MonitoringSettings, SloSettings
from models.names import (
    GKE_POOL_NODE_LIMIT,
    CacheClaimName,
    Count,
    GkeName,
    NodeCount,
    NonEmpty,
    ReplicaCount,
    ServedName,
    ServiceAccountEmail,
    UsdPerHour,
    Zones,
)
from models.off_hours import ALL_MODELS, cron_text, models_meant, time_zone
from models.service import ServiceSettings
from models.settings import Entry, Settings, with_paths
from models.tasks import Task
from models.token_reference import TokenReference
from models.weights import WeightsPlace, WeightsSettings

# An assumption about a typical month, not a measurement: people are busy for some ten hours on five
# of seven days, 30 % of the hours. `ray-llm:loadFactor` replaces it.
TYPICAL_LOAD_FACTOR: Final = Decimal("0.3")


class Profile(StrEnum):
    """What a model is tuned for; planning/sizing/batching.py says what each one sets."""

    THROUGHPUT = "throughput"
    LATENCY = "latency"
    MEMORY = "memory"


class KubeRayInstall(StrEnum):
    """Who installs the KubeRay operator."""

    HELM = "helm"
    GKE_ADDON = "gke-addon"
    EXISTING = "existing"


class GpuDriverVersion(StrEnum):
    """Which NVIDIA driver GKE installs on a pool's nodes, by the names of its API.

    LATEST and DEFAULT are those of the cluster's GKE release, of which DEFAULT may be years older.
    """

    LATEST = "LATEST"
    DEFAULT = "DEFAULT"
    INSTALLATION_DISABLED = "INSTALLATION_DISABLED"


class WithoutRoom(StrEnum):
    """What an edited model does if its pool has no GPU free for a second version.

    HOLD: the new version waits beside at zero replicas until the old one has left its GPU, and
        requests are held meanwhile. WAIT: it waits for a GPU of its own, and the old one answers.
    STOP: nothing is changed.
    """

    HOLD = "hold"
    WAIT = "wait"
    STOP = "stop"


class RolloutStrategy(StrEnum):
    """What is done about a change for which KubeRay starts a second Ray cluster.

    NEW_CLUSTER: the second one starts beside the first. RECREATE: the first one goes before, so
        that no GPU is needed twice and no model answers meanwhile. IN_PLACE_ONLY: it is refused.
    """

    NEW_CLUSTER = "newCluster"
    RECREATE = "recreate"
    IN_PLACE_ONLY = "inPlaceOnly"


class CpuPoolSettings(Settings):
    """The CPU node pool: it carries the Ray head, the routers and KubeRay."""

    name: GkeName = "app-pool"
    machine_type: NonEmpty = "e2-standard-8"
    min_nodes: NodeCount = 1
    max_nodes: Annotated[int, Field(ge=1, le=GKE_POOL_NODE_LIMIT)] = 10

    @model_validator(mode="after")
    def _ordered(self) -> "CpuPoolSettings":
        if self.min_nodes > self.max_nodes:
            raise InvalidValueError(
                f"minNodes {self.min_nodes} is above maxNodes {self.max_nodes}",
                "Lower minNodes or raise maxNodes",
                ("minNodes", self.max_nodes),
                ("maxNodes", self.min_nodes),
            )
        return self


class ClusterSettings(Settings):
    """The GKE cluster: one to create, or with `existing` one to adopt.

    context: for an adopted cluster, the kubeconfig context to reach it by; without it the
    endpoint is read from the GKE API.
    private_nodes: whether nodes have no address of the internet. They then fetch images and weights
        through Cloud NAT; the control plane keeps its address. None leaves pools as they are, so
        that the way back from true is to write false.
    cloud_nat: whether this program makes the gateway of Cloud NAT, or the network has one.
    node_service_account: e-mail of the Google service account of all nodes; None for the default
        one of Compute Engine. Another one replaces the pools.
    """

    name: GkeName
    zones: Zones
    existing: bool = False
    location: NonEmpty | None = None
    context: NonEmpty | None = None
    deletion_protection: bool = True
    release_channel: Literal["RAPID", "REGULAR", "STABLE", "EXTENDED"] = "REGULAR"
    network: NonEmpty | None = None
    subnetwork: NonEmpty | None = None
    private_nodes: bool | None = None
    cloud_nat: Literal["create", "existing"] = "create"
    node_service_account: ServiceAccountEmail | None = None
    cpu_pool: CpuPoolSettings = CpuPoolSettings()

    @model_validator(mode="after")
    def _consistent(self) -> "ClusterSettings":
        if len(set(self.zones)) != len(self.zones):
            raise InvalidValueError(
                "names a zone twice in zones",
                "Keep each zone once",
                ("zones", list(dict.fromkeys(self.zones))),
            )
        if not self.existing and (self.context or self.location):
            key = "context" if self.context else "location"
            raise InvalidValueError(
                f"{key} is only for an adopted cluster, and existing is not true",
                f"Set existing: true or leave out {key}",
                (key, None),
                ("existing", True),
            )
        if self.existing and self.private_nodes is not None:
            raise InvalidValueError(
                "privateNodes is only for a cluster that this program creates: of an adopted one "
                "its owner decides, and new pools are as private as the cluster",
                "Leave out privateNodes",
                ("privateNodes", None),
            )
        if "cloud_nat" in self.model_fields_set and not self.private_nodes:
            raise InvalidValueError(
                "cloudNat is only for private nodes, and privateNodes is not true",
                "Set privateNodes: true or leave out cloudNat",
                ("cloudNat", None),
                ("privateNodes", True),
            )
        return self


# If a failed edit is corrected within some minutes, the worker and the weights that it has
# downloaded are still there. Another default would be a second Ray cluster for every stack.
IDLE_TIMEOUT_SECONDS: Final = 300


class GpuPoolSettings(Entry):
    """One GPU node pool: a tier of the catalogue, on demand or spot.

    capacity: ways to pay for its nodes, the preferred one first; None for the one that `spot` says.
    idle_timeout_seconds: how long Ray's worker, and so the node, stays without a replica. Not less
        than ten: a worker that has just come is idle too, until its replica is placed on it.
    compile_cache: the name of a PersistentVolumeClaim in the service's namespace, which the engines
        of all its workers may write.
    gpu_driver_version: images for CUDA 13 need R580, which DEFAULT is not yet everywhere. Another
        choice replaces the pool.
    """

    _path: str = PrivateAttr("ray-llm:gpuPools")

    tier: NonEmpty
    spot: bool = False
    capacity: (
        Annotated[
            tuple[CapacityWay, ...],
            Field(strict=False, min_length=1),
            WithJsonSchema(CAPACITY_SCHEMA),
        ]
        | None
    ) = None
    name: GkeName | None = None
    machine_type: NonEmpty | None = None
    zones: Zones | None = None
    min_nodes: NodeCount = 0
    max_nodes: Annotated[int, Field(ge=1, le=GKE_POOL_NODE_LIMIT)] = 5
    boot_disk_gb: Annotated[int, Field(ge=50, le=65536)] | None = None
    idle_timeout_seconds: Annotated[int, Field(ge=10, le=86400)] = IDLE_TIMEOUT_SECONDS
    compile_cache: CacheClaimName | None = None
    gpu_driver_version: Annotated[GpuDriverVersion, Field(strict=False)] = GpuDriverVersion.LATEST

    @property
    def id(self) -> str:
        """The one word for this pool: node pool, worker group, custom resource and `gpu:`."""
        return self.name or (f"{self.tier}-spot" if self.on_spot else self.tier)

    @property
    def on_spot(self) -> bool:
        """Whether all its nodes are spot: `capacity: [spot]` is the long form of `spot: true`."""
        return self.spot or (
            self.capacity is not None
            and len(self.capacity) == 1
            and self.capacity[0].buying is Buying.SPOT
        )

    @property
    def ways(self) -> tuple[CapacityWay, ...]:
        """The ways that need more than `spot` can say; empty for a pool on demand or on spot."""
        capacity = self.capacity or ()
        plain = len(capacity) == 1 and capacity[0].buying in (Buying.ON_DEMAND, Buying.SPOT)
        return () if plain else capacity

    @model_validator(mode="after")
    def _ways_once(self) -> "GpuPoolSettings":
        capacity = self.capacity or ()
        if capacity and self.spot:
            raise InvalidValueError(
                "says spot: true and capacity, which both say how its nodes are paid for",
                "Leave one of them out: spot is a way that capacity may list",
                ("spot", None),
                ("capacity", None),
                rule=SPOT_RULE,
            )
        kept: list[CapacityWay] = []
        for way in capacity:
            if not any(way.repeats(earlier) for earlier in kept):
                kept.append(way)
        if len(kept) < len(capacity):
            raise InvalidValueError(
                "lists a way to pay twice in capacity",
                "Keep each way once",
                ("capacity", [way.written for way in kept]),
                rule=TWICE_RULE,
            )
        return self

    @model_validator(mode="after")
    def _ordered(self) -> "GpuPoolSettings":
        if self.min_nodes > self.max_nodes:
            raise InvalidValueError(
                f"minNodes {self.min_nodes} is above maxNodes {self.max_nodes}",
                "Lower minNodes or raise maxNodes",
                ("minNodes", self.max_nodes),
                ("maxNodes", self.min_nodes),
            )
        if self.zones is not None and len(set(self.zones)) != len(self.zones):
            raise InvalidValueError(
                "names a zone twice in zones",
                "Keep each zone once",
                ("zones", list(dict.fromkeys(self.zones))),
            )
        return self


class ReplicaSettings(Settings):
    """How many replicas of a model Ray Serve may keep; what is left out comes from `defaults`."""

    min: ReplicaCount | None = None
    max: Annotated[int, Field(ge=1, le=1000)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "ReplicaSettings":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise InvalidValueError(
                f"min {self.min} is above max {self.max}",
                "Lower min or raise max",
                ("min", self.max),
                ("max", self.min),
            )
        return self


class ScalingSettings(Settings):
    """The autoscaling settings that a model and the stack's `defaults` have in common."""

    replicas: ReplicaSettings = ReplicaSettings()
    target_ongoing_requests: Count | None = None
    upscale_delay_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    downscale_delay_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    profile: Annotated[Profile, Field(strict=False)] | None = None


class Defaults(ScalingSettings):
    """Settings of the stack for every model that does not give its own."""

    context_length: Count | None = None


class LoraSettings(Settings):
    """LoRA adapters of a model.

    path: a bucket or a folder of one, in which each adapter is a folder of its own; `<path>/sql`
        is asked for as `<name of the model>:sql`.
    """

    path: Annotated[NonEmpty, AfterValidator(bucket_folder)]


class LoadSettings(Settings):
    """The load that a model has to carry at its busiest, for which the plan counts replicas.

    output_tokens_per_second: of all its requests together.
    """

    output_tokens_per_second: Annotated[float, Field(gt=0, le=1_000_000_000, allow_inf_nan=False)]


class ModelDeployment(Entry, ScalingSettings):
    """One model to serve: of the catalogue (`model`), or from anywhere (`source`).

    config_file: path of the model's config.json, relative to the stack file. ModelOpt's
        hf_quant_config.json is read if it lies beside it.
    weight_gib: size of the checkpoint's tensors in GiB.
    weights: from where nodes read them; None for the place that the stack names.
    lora: where its LoRA adapters are; None without any.
    task: what it is served for; None if that follows from the model.
    load: what it has to carry; used only with a measurement of its speed.
    canary_of: the served name of the model of whose requests this one gets `percent`.
    engine: vLLM engine arguments by vLLM's own names.
    """

    _path: str = PrivateAttr("ray-llm:models")

    model: NonEmpty | None = None
    source: NonEmpty | None = None
    name: ServedName | None = None
    family: ServedName | None = None
    task: Annotated[Task, Field(strict=False)] | None = None
    gpu: NonEmpty | None = None
    context_length: Count | None = None
    tensor_parallel_size: Annotated[int, Field(ge=1, le=64)] | None = None
    dtype: Literal["auto", "float16", "bfloat16", "float32"] | None = None
    quantization: NonEmpty | None = None
    config_file: NonEmpty | None = None
    weight_gib: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = None
    check_fit: bool = True
    gated: bool | None = None
    weights: Annotated[WeightsPlace, Field(strict=False)] | None = None
    lora: LoraSettings | None = None
    load: LoadSettings | None = None
    canary_of: ServedName | None = None
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    engine: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def stated_by_key(self) -> Mapping[str, object]:
        """The values of the keys that mean an engine argument; None for a key that is left out."""
        return {key: getattr(self, field) for key, field in _STATING_FIELDS.items()}

    @property
    def served_name(self) -> str:
        """The name in requests and routes; of a source its last part."""
        if self.name:
            return self.name
        if self.model:
            return self.model
        return (self.source or "").rstrip("/").rsplit("/", 1)[-1].lower()


# Keys of a model and the vLLM engine arguments of the same meaning.
ENGINE_ARGUMENT_OF_KEY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "contextLength": "max_model_len",
        "tensorParallelSize": "tensor_parallel_size",
        "dtype": "dtype",
        "quantization": "quantization",
    }
)
_STATING_FIELDS: Final = {key: to_snake(key) for key in ENGINE_ARGUMENT_OF_KEY}


def _release_as_text(
    known: Callable[[], Iterable[str]], usual: str | None, value: object
) -> object:
    """Refuses a version that YAML reads as a number: of 2.60 it keeps 2.6."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    releases = releases_meant(value, known())
    wanted = releases[0] if len(releases) == 1 else usual
    raise InvalidValueError(
        "is a number, and a number loses the zeros at its end",
        "Write the whole release in quotes"
        if wanted is not None
        else f"Write one of {', '.join(releases or known())} in quotes",
        *(() if wanted is None else (("", wanted),)),
        rule="wrong-type",
    )


def _release(known: Callable[[], Iterable[str]], usual: str | None = None) -> BeforeValidator:
    return BeforeValidator(partial(_release_as_text, known, usual))


class Versions(Settings):
    """What runs: a Ray release with its image, and a KubeRay release.

    image: the user's own image; it must hold this Ray and, unless `vllm` says otherwise, the vLLM
    of this release.
    mirror: a folder of a registry that holds copies of all images and of KubeRay's chart, each
    under its own name; None for where they are published.
    """

    ray: Annotated[NonEmpty, _release(ray_releases, DEFAULT_RAY)] = DEFAULT_RAY
    kuberay: Annotated[NonEmpty, _release(kuberay_releases, DEFAULT_KUBERAY)] = DEFAULT_KUBERAY
    vllm: Annotated[NonEmpty | None, _release(vllm_versions)] = None
    image: NonEmpty | None = None
    mirror: Annotated[NonEmpty, AfterValidator(mirror_folder)] | None = None


_SOURCE: Final = re.compile(r"(?P<scheme>[A-Za-z0-9+.-]+)://\S+|\S.*")


def _source_of(schemes: Sequence[str], source: str) -> str:
    """A URL of one of the schemes, or a path; `{version}` is the only placeholder."""
    match = _SOURCE.fullmatch(source)
    scheme = "" if match is None else (match["scheme"] or "").lower()
    listed = " or ".join(f"{known}://" for known in schemes)
    if match is None or not source.isprintable() or (scheme and scheme not in schemes):
        raise InvalidValueError(
            "is neither a URL that is read here nor a path", f"Write {listed}, or a path"
        )
    if "://" in source and not scheme:
        raise InvalidValueError("is a URL with a blank in it", f"Write {listed} without blanks")
    if re.search(r"[{}]", source.replace("{version}", "")):
        raise InvalidValueError(
            "has a placeholder that nothing fills", "Write {version} for the release of KubeRay"
        )
    return source


_CrdSource = Annotated[NonEmpty, AfterValidator(partial(_source_of, ("https", "http")))]
_ChartSource = Annotated[NonEmpty, AfterValidator(partial(_source_of, ("https", "http", "oci")))]


class KubeRaySettings(Settings):
    """How the operator gets into the cluster; everything but `install` is for Helm alone.

    keep_crds: whether KubeRay's CRDs stay in the cluster when the operator goes. Deleting a CRD
        deletes all its objects, every RayService of the cluster among them.
    crd_source: the folder of the CRDs' YAML files, a URL or a path, in which `{version}` is
        replaced; None for KubeRay's repository.
    chart_source: a Helm repository, an `oci://` folder or the path of the chart; None for
        KubeRay's repository.
    """

    install: Annotated[KubeRayInstall, Field(strict=False)] = KubeRayInstall.HELM
    keep_crds: bool = True
    crd_source: _CrdSource | None = None
    chart_source: _ChartSource | None = None

    @model_validator(mode="after")
    def _for_helm(self) -> "KubeRaySettings":
        others = [
            to_camel(key)
            for key in ("keep_crds", "crd_source", "chart_source")
            if key in self.model_fields_set
        ]
        if others and self.install is not KubeRayInstall.HELM:
            raise InvalidValueError(
                f"says {' and '.join(others)}, but with install: {self.install} this program "
                "installs neither KubeRay nor its CRDs",
                f"Remove {' and '.join(others)}, or write install: helm",
            )
        return self


# A letter that is no hexadecimal exponent first: YAML reads 12345678 and 1e500000 as numbers.
CHANGE_ID: Final = r"c[0-9a-f]{8}"
_ID_SCHEMA: Final = {"type": "string", "pattern": f"^{CHANGE_ID}$"}


def _change_ids(value: object) -> object:
    """One id, or a list of them; refuses what cannot be the id of a change, numbers among them."""
    ids = value if isinstance(value, list | tuple) else (value,)
    if all(isinstance(id_, str) and re.fullmatch(CHANGE_ID, id_) for id_ in ids):
        return tuple(ids)
    reason = "holds what is not the id of a change" if len(ids) > 1 else "is not the id of a change"
    raise InvalidValueError(
        "has no value" if value is None else reason,
        "Copy the id from the sentence that stops the change, a c and eight characters such as "
        "c0123abcd, or leave allow out",
    )


class RolloutSettings(Settings):
    """What an edit of a running service may do.

    without_room: what an edited model does without a free GPU for its second version.
    strategy: what is done about a change that needs a second Ray cluster.
    allow: the ids of the changes that the guards let pass. Another change has another id, so they
        expire by themselves.
    """

    without_room: Annotated[WithoutRoom, Field(strict=False)] = WithoutRoom.HOLD
    strategy: Annotated[RolloutStrategy, Field(strict=False)] = RolloutStrategy.NEW_CLUSTER
    allow: Annotated[
        tuple[str, ...],
        BeforeValidator(_change_ids),
        WithJsonSchema({"anyOf": [_ID_SCHEMA, {"type": "array", "items": _ID_SCHEMA}]}),
    ] = ()


class OffHoursWindow(Entry):
    """One window in which models sleep, each until a request wakes it.

    sleep, wake: cron texts of five fields, by the clocks of `timeZone`.
    models: served names; None for all.
    """

    _path: str = PrivateAttr("ray-llm:offHours")

    sleep: Annotated[NonEmpty, AfterValidator(cron_text)]
    wake: Annotated[NonEmpty, AfterValidator(cron_text)]
    time_zone: Annotated[NonEmpty, AfterValidator(time_zone)]
    models: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(models_meant),
        WithJsonSchema(
            {
                "anyOf": [
                    {"const": ALL_MODELS},
                    {"type": "array", "items": {"type": "string"}, "minItems": 1},
                ],
                "default": ALL_MODELS,
            }
        ),
    ] = None


class PriceSettings(Settings):
    """USD per hour of one whole node, GPUs included, in place of the catalogue's list price."""

    on_demand: UsdPerHour | None = None
    spot: UsdPerHour | None = None
    flex_start: UsdPerHour | None = None
    reservation: UsdPerHour | None = None


class StackSettings(Settings):
    """A whole stack: the sections of `ray-llm:` and the two Google Cloud keys it needs.

    hugging_face_token: where the token is kept; None if it is in the stack file, encrypted, or if
        there is none.
    pools_are_default: whether the stack file lists no pools; a default pool whose GPU the zones
    lack is left out.
    quotas: limits of the project by Compute Engine quota, those of a family as
    `GPUS_PER_GPU_FAMILY.NVIDIA_H100`; empty if none are compared.
    prices: by GPU tier or machine type, in place of list prices.
    monthly_budget: USD a month that the stack may cost at its minimum.
    accept: ids of rules whose warnings are known and accepted.
    load_factor: the replicas of a typical month, from the minimum (0) to the maximum (1).
    off_hours: when models sleep although their minimum is above zero.
    cost_allocation: None if nothing of the stack carries labels for its cost.
    slo: what users may expect; None if the stack promises nothing.
    alerts: who is told of alerts; None if they only stand in the monitoring system.
    weights: from where nodes read them.
    """

    stack: str
    project: NonEmpty
    region: NonEmpty
    has_hugging_face_token: bool
    hugging_face_token: TokenReference | None = None
    pools_are_default: bool = False
    cluster: ClusterSettings
    defaults: Defaults = Defaults()
    versions: Versions = Versions()
    kube_ray: KubeRaySettings = KubeRaySettings()
    service: ServiceSettings = ServiceSettings()
    rollout: RolloutSettings = RolloutSettings()
    access: AccessSettings | None = None
    monitoring: MonitoringSettings = MonitoringSettings()
    weights: WeightsSettings = WeightsSettings()
    slo: SloSettings | None = None
    alerts: AlertSettings | None = None
    off_hours: tuple[OffHoursWindow, ...] = ()
    cost_allocation: CostAllocationSettings | None = None
    gpu_pools: tuple[GpuPoolSettings, ...]
    models: tuple[ModelDeployment, ...]
    quotas: Mapping[str, int] = Field(default_factory=dict)
    prices: Mapping[str, PriceSettings] = Field(default_factory=dict)
    monthly_budget: Decimal | None = None
    load_factor: Decimal = TYPICAL_LOAD_FACTOR
    accept: tuple[str, ...] = ()

    @field_validator("gpu_pools", "models", "off_hours")
    @classmethod
    def _with_paths(cls, entries: tuple[Entry, ...], info: ValidationInfo) -> tuple[Entry, ...]:
        return with_paths(entries, to_camel(str(info.field_name)))
