"""The plan as plain data: for the stack output, `--json`, every table and the difference of plans.

All of it can be written as JSON and none of it is a secret. Keys have the stack file's names if
the stack file has one. Money is USD a month, rounded to cents; null is a price that is not known.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NotRequired

# Before Python 3.12, pydantic checks no other kind of TypedDict (reports/plan_reading.py).
from typing_extensions import TypedDict

from models.catalog import task_row
from models.service import PodSecurity
from models.stack import GpuDriverVersion
from models.weights import WeightsPlace
from planning import (
    HOURS_PER_MONTH,
    HOURS_PER_WEEK,
    AccessPlan,
    Levels,
    MemoryFit,
    ModelPlan,
    Plan,
    PoolCost,
    PoolPlan,
    Seconds,
    SpeedPlan,
    WeightsPlan,
    cold_start,
    idle_gpus,
    node_stays_seconds,
    weights_place,
)
from reports.way_data import WaySummary, way_in_words, way_summaries

# Raised if a key is removed or changes its meaning, so that an older output is not misread.
VERSION: Final = 1


class Amounts(TypedDict):
    """A quantity with all models at their minimum, in a typical month, and at their maximum."""

    minimum: float
    typical: float
    maximum: float


class ReplicaSummary(TypedDict):
    """A range of whole numbers, of replicas or nodes."""

    min: int
    max: int


class MemorySummary(TypedDict):
    """GPU memory of one replica, in bytes of one of its GPUs.

    budgetBytes: what vLLM may take; kvCacheBytes: what it leaves for the KV cache;
    kvCacheBytesPerSequence: what one sequence of full context length takes of that;
    concurrentSequences: how many of those fit at once.
    """

    budgetBytes: int
    weightBytes: int
    activationBytes: int
    runtimeBytes: int
    kvCacheBytes: int
    kvCacheBytesPerSequence: int
    concurrentSequences: float


class ColdStartSummary(TypedDict):
    """Seconds of each phase from nothing to a first answer, from the least to the most.

    The most is null if the size of the weights is not known. weights: until they are on the GPU, by
    the place that they come from; weightsFrom: the place of this stack, null for a model in the
    image. graphs: the capture of CUDA graphs. total: of all phases.
    """

    node: list[int | None]
    image: list[int | None]
    weights: dict[str, list[int | None]]
    weightsFrom: str | None
    engine: list[int | None]
    graphs: list[int | None]
    total: list[int | None]


class OffHoursSummary(TypedDict):
    """The windows in which a model sleeps, as people read them, and for how long it does."""

    windows: list[str]
    hoursAWeek: float
    hoursAMonth: float


class SpeedLevelSummary(TypedDict):
    """What so many requests at once got; usdPerMillionTokens: of output; null if not known."""

    requestsAtOnce: int
    outputTokensPerSecond: float
    timeToFirstTokenSeconds: list[float]
    interTokenSeconds: list[float]
    usdPerMillionTokens: float | None


class SpeedSummary(TypedDict):
    """A measured model. Of times, the median and what 95 of 100 requests are below.

    measured: the day; replicas: how many answered; promptTokens, outputTokens: of a request.
    changed: what is not as it was measured; levels: empty if anything is.
    load, replicasAtLoad: the stated output tokens a second, and the replicas that they take.
    """

    measured: str
    replicas: int
    promptTokens: float
    outputTokens: float
    changed: list[str]
    levels: list[SpeedLevelSummary]
    load: float | None
    replicasAtLoad: int | None


class ModelSummary(TypedDict):
    """One model.

    derived: the names of the values that the program chose, not the stack file.
    configuration: the other values that the text of its Ray Serve application depends on.
    memory, longestContext: null if the stack file turns the memory check off.
    offHours: when it sleeps; null if it never has to. nodeStaysSeconds: how long its node is paid
    for after its last request; null if it does not go then.
    task, taskPath: what it is served for, and the path of such requests below the endpoint.
    endpoint: the base URL of its OpenAI API; with a gateway it needs a key and is the gateway's.
    monthlyUsd: its share of its pool.
    speed: not there unless it was measured.
    coldStart: plans of earlier versions have none.
    """

    name: str
    source: str
    family: str
    gpu: str
    tensorParallelSize: int
    pipelineParallelSize: int
    dtype: str
    quantization: str | None
    contextLength: int
    replicas: ReplicaSummary
    derived: list[str]
    configuration: dict[str, Any]
    memory: MemorySummary | None
    longestContext: int | None
    offHours: OffHoursSummary | None
    task: str
    taskPath: str
    endpoint: str
    monthlyUsd: Amounts | None
    speed: NotRequired[SpeedSummary]
    nodeStaysSeconds: NotRequired[int | None]
    coldStart: NotRequired[ColdStartSummary]


class PoolSummary(TypedDict):
    """One GPU pool with the worker group on it; gpuDriverVersion is null for the usual LATEST.

    capacity: the ways to pay in words, the preferred one first; ways: the same with their figures;
        computeClass: the class over their node pools. Not there unless the pool has several.
    flexStart, reservation: of a pool with this one way to pay.
    idleTimeoutSeconds: how long a worker stays without a replica. compileCache: the claim in which
        engines keep what they have compiled. Plans of earlier versions have neither.
    """

    id: str
    tier: str
    machineType: str
    accelerator: str
    gpuName: str
    gpusPerNode: int
    spot: bool
    zones: list[str]
    minNodes: int
    maxNodes: int
    bootDiskGb: int
    gpuDriverVersion: str | None
    pod: dict[str, int]
    nodesNeeded: ReplicaSummary
    onDemandUsdPerHour: float | None
    spotUsdPerHour: float | None
    gpusPaid: Amounts
    gpusIdle: Amounts
    monthlyUsd: Amounts | None
    idleTimeoutSeconds: NotRequired[int]
    compileCache: NotRequired[str]
    capacity: NotRequired[list[str]]
    ways: NotRequired[list[WaySummary]]
    computeClass: NotRequired[str]
    flexStart: NotRequired[str]
    reservation: NotRequired[str]


class CpuPoolSummary(TypedDict):
    """The CPU pool; monthlyUsd is null if the cluster is adopted or the price is not known."""

    name: str
    machineType: str
    minNodes: int
    maxNodes: int
    monthlyUsd: Amounts | None


class ClusterSummary(TypedDict):
    """The GKE cluster, created or adopted."""

    name: str
    location: str
    zones: list[str]
    existing: bool
    network: str | None
    subnetwork: str | None
    releaseChannel: str
    cpuPool: CpuPoolSummary


class CostSummary(TypedDict):
    """What the stack costs a month at prices of `priceDate`, disks and traffic excluded.

    pricesOfStack: the keys that the stack file prices itself. gpusPaid, gpusIdle: of all pools.
    loadBalancer: the forwarding rule of the gateway, if it has one.
    savedByOffHours: what the totals leave out because models sleep; null without off-hours.
    totalOnDemand, totalSpot: with every GPU pool as that; null if a price is not known.
    unpriced: the pools that the totals leave out, because their price is not known.
    totalCheapest, totalDearest: the total if of each pool's ways to pay the cheapest always has a
        node, and if only the dearest has; not there unless a pool has several.
    """

    priceDate: str
    pricesOfStack: list[str]
    loadFactor: float
    monthlyBudget: float | None
    clusterFee: Amounts | None
    loadBalancer: NotRequired[Amounts]
    gpusPaid: Amounts
    gpusIdle: Amounts
    total: Amounts
    savedByOffHours: Amounts | None
    totalOnDemand: Amounts | None
    totalSpot: Amounts | None
    unpriced: list[str]
    totalCheapest: NotRequired[Amounts]
    totalDearest: NotRequired[Amounts]


class QuotaSummary(TypedDict):
    """The need of one Compute Engine quota; limit is null if the stack file gives none."""

    metric: str
    minimum: int
    upgrade: int
    peak: int
    limit: int | None


class KeySummary(TypedDict):
    """What one team's key may do; models: null for all. The key itself is not part of a plan."""

    team: str
    models: list[str] | None
    requestsPerMinute: int | None


class CanarySummary(TypedDict):
    """A model that gets a share of the requests for another one."""

    model: str
    of: str
    percent: int


class AccessSummary(TypedDict):
    """The way in.

    url: the base URL of its API; inside the cluster unless exposure is external.
    gateway: its name, replicas, memoryMib and cpuMillis of a replica, and maxBodyMib.
    """

    exposure: str
    url: str
    host: str | None
    certificate: str | None
    securityPolicy: str | None
    keys: list[KeySummary]
    canaries: list[CanarySummary]
    gateway: dict[str, Any]


class HardeningSummary(TypedDict, total=False):
    """What closes the stack beyond its defaults; a key that is not there is at its default.

    cloudNat: whether the stack makes the gateway of Cloud NAT. headRecovery: Redis's host and port.
    """

    privateNodes: bool
    cloudNat: bool
    nodeServiceAccount: str
    podSecurity: str
    headRecovery: str


class WeightsSummary(TypedDict):
    """Where weights lie that nodes do not download from the hub.

    bucket: its URL, with its location; disk: a PersistentVolumeClaim. One of both is null.
    creates: whether the stack makes the bucket. bytes: of all weights in it, as far as known.
    """

    bucket: str | None
    location: str | None
    creates: bool
    disk: str | None
    models: list[str]
    bytes: int


class MonitoringSummary(TypedDict):
    """Who collects metrics, and who is told of alerts.

    namespace: where Prometheus runs; null with Managed Prometheus. channel,
    timeToFirstTokenSeconds, monthlyBudget (USD): null if none is stated; an older plan has not the
    latter two.
    """

    system: str
    namespace: str | None
    channel: str | None
    timeToFirstTokenSeconds: NotRequired[float | None]
    monthlyBudget: NotRequired[float | None]


class PlanSummary(TypedDict):
    """The plan of one stack.

    version: see VERSION; warnings: one sentence each; access: not there without a gateway;
    hardening: not there if all of it is at its default; weights: not there if they come from the
    hub; monitoring: not there if nobody collects metrics; unmeasuredLoads: output tokens a second
    by model, not there without any.
    """

    version: int
    stack: str
    project: str
    region: str
    cluster: ClusterSummary
    service: dict[str, str]
    versions: dict[str, str]
    models: list[ModelSummary]
    gpuPools: list[PoolSummary]
    cost: CostSummary
    quota: list[QuotaSummary]
    idleGpus: list[str]
    warnings: list[str]
    access: NotRequired[AccessSummary]
    hardening: NotRequired[HardeningSummary]
    weights: NotRequired[WeightsSummary]
    monitoring: NotRequired[MonitoringSummary]
    unmeasuredLoads: NotRequired[dict[str, float]]


def plan_summary(plan: Plan) -> PlanSummary:
    """The plan as JSON-able data."""
    summary = _summary(plan)
    if plan.access is not None:
        summary["access"] = _access(plan, plan.access)
    if hardening := _hardening(plan):
        summary["hardening"] = hardening
    if plan.weights is not None:
        summary["weights"] = _weights(plan.weights)
    if plan.monitoring is not None:
        budget = plan.monitoring.monthly_budget
        summary["monitoring"] = MonitoringSummary(
            system=str(plan.monitoring.system),
            namespace=plan.monitoring.prometheus_namespace,
            channel=plan.monitoring.channel,
            timeToFirstTokenSeconds=plan.monitoring.first_token_seconds,
            monthlyBudget=None if budget is None else float(budget),
        )
    if plan.unmeasured_loads:
        summary["unmeasuredLoads"] = dict(plan.unmeasured_loads)
    if plan.cost.load_balancer is not None:
        summary["cost"]["loadBalancer"] = _amounts(plan.cost.load_balancer)
    if (cheapest := plan.cost.cheapest) and (dearest := plan.cost.dearest):
        summary["cost"]["totalCheapest"] = _amounts(cheapest)
        summary["cost"]["totalDearest"] = _amounts(dearest)
    return summary


def _hardening(plan: Plan) -> HardeningSummary:
    cluster, service = plan.cluster, plan.service
    found = HardeningSummary()
    if cluster.cpu_pool.private_nodes:
        found["privateNodes"] = True
        found["cloudNat"] = cluster.makes_cloud_nat
    if cluster.cpu_pool.node_service_account is not None:
        found["nodeServiceAccount"] = cluster.cpu_pool.node_service_account
    if service.pod_security is not PodSecurity.BASELINE:
        found["podSecurity"] = service.pod_security.value
    if service.head_recovery is not None:
        found["headRecovery"] = service.head_recovery.redis
    return found


def _weights(weights: WeightsPlan) -> WeightsSummary:
    bucket = weights.bucket
    return WeightsSummary(
        bucket=None if bucket is None else f"gs://{bucket.name}/{bucket.folder}".rstrip("/"),
        location=None if bucket is None else bucket.location,
        creates=bucket is not None and not bucket.existing,
        disk=weights.claim,
        models=[f"{model.source} ({model.revision})" for model in weights.models],
        bytes=sum(model.size_bytes or 0 for model in weights.models),
    )


def _access(plan: Plan, access: AccessPlan) -> AccessSummary:
    gateway = access.gateway
    return AccessSummary(
        exposure=str(access.exposure),
        url=f"{plan.url}/v1",
        host=access.host,
        certificate=access.certificate,
        securityPolicy=access.security_policy,
        keys=[
            KeySummary(
                team=key.team,
                models=None if key.models is None else list(key.models),
                requestsPerMinute=key.requests_per_minute,
            )
            for key in access.keys
        ],
        canaries=[
            CanarySummary(model=model.name, of=model.canary_of, percent=model.canary_percent)
            for model in plan.models
            if model.canary_of is not None
        ],
        gateway={
            "name": gateway.name,
            "replicas": gateway.replicas,
            "memoryMib": gateway.memory_mib,
            "cpuMillis": gateway.cpu_millis,
            "maxBodyMib": gateway.max_body_mib,
        },
    )


def _summary(plan: Plan) -> PlanSummary:
    release, cluster, cost = plan.release, plan.cluster, plan.cost
    return PlanSummary(
        version=VERSION,
        stack=plan.stack,
        project=plan.project,
        region=plan.region,
        cluster=ClusterSummary(
            name=cluster.name,
            location=cluster.location,
            zones=list(cluster.zones),
            existing=cluster.existing,
            network=cluster.network,
            subnetwork=cluster.subnetwork,
            releaseChannel=cluster.release_channel,
            cpuPool=CpuPoolSummary(
                name=cluster.cpu_pool.name,
                machineType=cluster.cpu_pool.machine_type,
                minNodes=cluster.cpu_pool.min_nodes,
                maxNodes=cluster.cpu_pool.max_nodes,
                monthlyUsd=_usd(cost.cpu_pool.monthly if cost.cpu_pool else None),
            ),
        ),
        service={
            "name": plan.service.name,
            "namespace": plan.service.namespace,
            "url": plan.url,
        },
        versions={
            "ray": release.ray.ray,
            "kuberay": release.kuberay.version,
            "vllm": release.vllm,
            "image": release.image,
            "kuberayInstall": str(release.install),
        },
        models=[_model(plan, model) for model in plan.models],
        gpuPools=[_pool(plan, pool) for pool in plan.pools],
        cost=CostSummary(
            priceDate=cost.price_date.isoformat(),
            pricesOfStack=list(cost.overridden),
            loadFactor=float(cost.load_factor),
            monthlyBudget=None if cost.monthly_budget is None else float(cost.monthly_budget),
            clusterFee=_usd(cost.cluster_fee),
            gpusPaid=_amounts(Levels.total(pool.gpus_paid for pool in cost.pools.values())),
            gpusIdle=_amounts(cost.gpus_idle),
            total=_amounts(cost.total),
            savedByOffHours=None if plan.off_hours is None else _amounts(cost.saved),
            totalOnDemand=_usd(cost.total_if(spot=False)),
            totalSpot=_usd(cost.total_if(spot=True)),
            unpriced=list(cost.unpriced),
        ),
        quota=[
            QuotaSummary(
                metric=need.metric,
                minimum=need.minimum,
                upgrade=need.upgrade,
                peak=need.peak,
                limit=need.limit,
            )
            for need in plan.quota
        ],
        idleGpus=[idle.sentence() for idle in idle_gpus(plan)],
        warnings=[warning.sentence() for warning in plan.warnings],
    )


def _model(plan: Plan, model: ModelPlan) -> ModelSummary:
    summary = _model_without_speed(plan, model)
    summary["coldStart"] = _cold_start(plan, model)
    if model.name in plan.speeds:
        summary["speed"] = _speed(plan.speeds[model.name])
    return summary


def _speed(speed: SpeedPlan) -> SpeedSummary:
    measurement = speed.measurement
    return SpeedSummary(
        measured=measurement.measured.isoformat(),
        replicas=measurement.replicas,
        promptTokens=measurement.prompt_tokens,
        outputTokens=measurement.output_tokens,
        changed=list(speed.changed),
        levels=[]
        if speed.changed
        else [
            SpeedLevelSummary(
                requestsAtOnce=level.requests_at_once,
                outputTokensPerSecond=level.output_tokens_per_second,
                timeToFirstTokenSeconds=[
                    level.time_to_first_token.median,
                    level.time_to_first_token.p95,
                ],
                interTokenSeconds=[level.inter_token.median, level.inter_token.p95],
                usdPerMillionTokens=_usd_of(speed, level.requests_at_once),
            )
            for level in measurement.levels
        ],
        load=speed.load,
        replicasAtLoad=speed.replicas_at_load,
    )


def _usd_of(speed: SpeedPlan, at_once: int) -> float | None:
    usd = speed.usd_per_million_tokens.get(at_once)
    return None if usd is None else _hundredths(usd)


def _model_without_speed(plan: Plan, model: ModelPlan) -> ModelSummary:
    return ModelSummary(
        name=model.name,
        source=model.source,
        family=model.family,
        gpu=model.pool,
        tensorParallelSize=model.tensor_parallel_size,
        pipelineParallelSize=model.pipeline_parallel_size,
        dtype=model.dtype,
        quantization=model.quantization_shown,
        contextLength=model.max_model_len,
        replicas=ReplicaSummary(min=model.replicas.min, max=model.replicas.max),
        derived=sorted(model.derived),
        configuration=_configuration(model),
        memory=None if model.fit is None else _memory(model.fit),
        longestContext=None if model.fit is None else model.fit.longest_context,
        offHours=_off_hours(plan, model),
        nodeStaysSeconds=_node_stays_seconds(plan, model),
        task=model.task.value,
        taskPath=task_row(model.task).path,
        endpoint=plan.endpoint(model),
        monthlyUsd=_usd(plan.cost.models[model.name].monthly),
    )


def _cold_start(plan: Plan, model: ModelPlan) -> ColdStartSummary:
    pool = plan.pool(model.pool)
    start = cold_start(model, pool)
    place = weights_place(model)
    places = () if place is None else tuple(WeightsPlace)
    return ColdStartSummary(
        node=_seconds(start.node),
        image=_seconds(start.image),
        weights={other.value: _seconds(cold_start(model, pool, other).weights) for other in places},
        weightsFrom=None if place is None else place.value,
        engine=_seconds(start.engine),
        graphs=_seconds(start.graphs),
        total=_seconds(start.anew),
    )


def _seconds(seconds: Seconds) -> list[int | None]:
    return [seconds.least, seconds.most]


def _node_stays_seconds(plan: Plan, model: ModelPlan) -> int | None:
    """None if other models or the pool's own minimum keep its node."""
    pool = plan.pool(model.pool)
    if plan.off_hours is not None and model.name in plan.off_hours.hours_a_week:
        goes = plan.cost.pools[pool.id].nodes_asleep.minimum > 0
    else:
        goes = not model.replicas.min and not pool.min_nodes
    return node_stays_seconds(model, pool) if goes else None


def _off_hours(plan: Plan, model: ModelPlan) -> OffHoursSummary | None:
    off_hours = plan.off_hours
    if off_hours is None or model.name not in off_hours.hours_a_week:
        return None
    hours = off_hours.hours_a_week[model.name]
    return OffHoursSummary(
        windows=[
            f"{window.sleep} to {window.wake}, {window.time_zone}"
            for window in off_hours.windows
            if model.name in window.models
        ],
        hoursAWeek=float(hours),
        hoursAMonth=_hundredths(hours * HOURS_PER_MONTH / HOURS_PER_WEEK),
    )


def _memory(fit: MemoryFit) -> MemorySummary:
    return MemorySummary(
        budgetBytes=fit.budget_bytes,
        weightBytes=fit.weight_bytes,
        activationBytes=fit.activation_bytes,
        runtimeBytes=fit.runtime_bytes,
        kvCacheBytes=fit.kv_available_bytes,
        kvCacheBytesPerSequence=fit.kv_per_sequence_bytes,
        concurrentSequences=round(fit.concurrent_sequences, 2),
    )


def _configuration(model: ModelPlan) -> dict[str, Any]:
    """The other values of the model's application, by vLLM's and Ray's names."""
    replicas = model.replicas
    return {
        "quantization": model.quantization,
        "gpu_memory_utilization": model.gpu_memory_utilization,
        "max_num_seqs": model.max_num_seqs,
        "max_num_batched_tokens": model.max_num_batched_tokens,
        "enforce_eager": model.enforce_eager,
        "v0_engine": model.v0_engine,
        "target_ongoing_requests": replicas.target_ongoing_requests,
        "max_ongoing_requests": replicas.max_ongoing_requests,
        "upscale_delay_s": replicas.upscale_delay_seconds,
        "downscale_delay_s": replicas.downscale_delay_seconds,
        "routers": f"{model.routers.min}-{model.routers.max}",
        **({} if model.weights_path is None else {"weights_path": model.weights_path}),
        **model.task_arguments,
        **model.engine,
    }


def _pool(plan: Plan, pool: PoolPlan) -> PoolSummary:
    summary = _pool_without_ways(pool, plan.cost.pools[pool.id])
    if pool.compile_cache is not None:
        summary["compileCache"] = pool.compile_cache
    costs = plan.cost.pools[pool.id].capacity
    if not pool.ways or costs is None:
        return summary
    summary["capacity"] = [way_in_words(way) for way in pool.ways]
    summary["ways"] = way_summaries(plan, pool, costs)
    if pool.compute_class is not None:
        summary["computeClass"] = pool.compute_class
    elif pool.ways[0].run_seconds is not None:
        summary["flexStart"] = way_in_words(pool.ways[0])
    elif pool.ways[0].reservation is not None:
        summary["reservation"] = pool.ways[0].reservation
    return summary


def _pool_without_ways(pool: PoolPlan, cost: PoolCost) -> PoolSummary:
    return PoolSummary(
        id=pool.id,
        tier=pool.tier.id,
        machineType=pool.machine_type,
        accelerator=pool.tier.accelerator_type,
        gpuName=pool.tier.gpu_name,
        gpusPerNode=pool.tier.gpu_count,
        spot=pool.spot,
        zones=list(pool.zones),
        minNodes=pool.min_nodes,
        maxNodes=pool.max_nodes,
        bootDiskGb=pool.boot_disk_gb,
        # Plans of earlier versions have no such key.
        gpuDriverVersion=None
        if pool.gpu_driver_version is GpuDriverVersion.LATEST
        else pool.gpu_driver_version.value,
        idleTimeoutSeconds=pool.idle_timeout_seconds,
        pod=_pod(pool),
        nodesNeeded=ReplicaSummary(min=pool.nodes_at_min, max=pool.nodes_at_max),
        onDemandUsdPerHour=_float(cost.on_demand_usd_per_hour),
        spotUsdPerHour=_float(cost.spot_usd_per_hour),
        gpusPaid=_amounts(cost.gpus_paid),
        gpusIdle=_amounts(cost.gpus_idle),
        monthlyUsd=_usd(cost.monthly),
    )


def _pod(pool: PoolPlan) -> dict[str, int]:
    return {"cpu": pool.pod.cpu, "memoryGib": pool.pod.memory_gib, "gpus": pool.pod.gpus}


def _usd(levels: Levels | None) -> Amounts | None:
    return None if levels is None else _amounts(levels)


def _amounts(levels: Levels) -> Amounts:
    return Amounts(
        minimum=_hundredths(levels.minimum),
        typical=_hundredths(levels.typical),
        maximum=_hundredths(levels.maximum),
    )


def _hundredths(number: Decimal) -> float:
    """Half a cent goes up, so that a text that rounds once more, to dollars, is right too."""
    return float(number.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)
