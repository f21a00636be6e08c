"""Settings made in Python, checked and decided; or the run stops with every problem.

Pulumi ends a run on `RunError` without a traceback and with an exit code that is not 0. Nothing has
been registered by then, so nothing is created, changed or deleted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pulumi

from manifests import ServiceManifests, service_manifests
from models.problems import Problem, StackError, stops
from models.reading import Reading, empty_list, reading_of
from models.service import ServiceSettings
from models.settings import with_paths
from models.stack import (
    ClusterSettings,
    CpuPoolSettings,
    Defaults,
    GpuPoolSettings,
    KubeRayInstall,
    KubeRaySettings,
    ModelDeployment,
    RolloutSettings,
    StackSettings,
    Versions,
)
from planning import Plan, PoolPlan, gpu_pools, make_plan


def plan_or_stop(stack: StackSettings | Reading) -> Plan:
    """The plan of settings made in Python, or of a stack file that was read; shows its warnings.

    Raises pulumi.RunError.
    """
    reading = reading_of(stack) if isinstance(stack, StackSettings) else stack
    try:
        plan = make_plan(reading)
    except StackError as error:
        raise pulumi.RunError(str(error)) from None
    _show(plan.warnings)
    return plan


def gpu_pools_or_stop(settings: StackSettings) -> tuple[PoolPlan, ...]:
    """The GPU pools of settings whose models, if any, others deploy; shows their warnings.

    Raises pulumi.RunError.
    """
    pools, problems = gpu_pools(settings)
    if stops(problems):
        raise pulumi.RunError(str(StackError(f"stack {settings.stack}", stops(problems))))
    _show(problems)
    return pools


def service_or_stop(
    models: Sequence[ModelDeployment],
    gpu_pools: Sequence[GpuPoolSettings],
    service: ServiceSettings,
    *,
    cpu_pool: str | None = None,
    defaults: Defaults | None = None,
    versions: Versions | None = None,
    has_hugging_face_token: bool = False,
    accept: Sequence[str] = (),
    rollout: RolloutSettings | None = None,
) -> ServiceManifests:
    """The manifests of a service on pools that others run; shows the plan's warnings.

    It knows neither project nor region, so it checks no zones, budget or quota and knows no prices:
    of the pools on which a model without `gpu` fits, it takes one with the fewest GPUs a node and
    then the least memory. Everything else is checked as in a stack file: memory, engine arguments,
    releases, the pools' capacity.

    gpu_pools: pools that exist; `name` is the value of their label `cloud.google.com/gke-nodepool`.
    cpu_pool: the node pool of the Ray head, the routers and the smoke test; None lets them run on
        any node without a GPU.
    accept: ids of rules whose warnings are known and accepted.
    rollout: what an edit may do, as `ray-llm:rollout` of a stack file.
    Raises pulumi.RunError.
    """
    if not models:
        nothing = StackError(f"stack {pulumi.get_stack()}", [empty_list("models")])
        raise pulumi.RunError(str(nothing))
    # Not validated, because project, region and cluster are unknown here. The CPU pool is as large
    # as it may be, because its owner decides how far it grows.
    settings = StackSettings.model_construct(
        stack=pulumi.get_stack(),
        project="",
        region="",
        cluster=ClusterSettings.model_construct(
            name="", zones=(), existing=True, cpu_pool=CpuPoolSettings(max_nodes=1000)
        ),
        gpu_pools=with_paths(gpu_pools, "gpuPools"),
        models=with_paths(models, "models"),
        defaults=defaults or Defaults(),
        versions=versions or Versions(),
        kube_ray=KubeRaySettings(install=KubeRayInstall.EXISTING),
        service=service,
        rollout=rollout or RolloutSettings(),
        has_hugging_face_token=has_hugging_face_token,
        accept=(*((accept,) if isinstance(accept, str) else accept), "zones-unknown"),
    )
    plan = plan_or_stop(settings)
    pool = replace(plan.cluster.cpu_pool, name=cpu_pool or "")
    return service_manifests(
        replace(plan, cluster=replace(plan.cluster, cpu_pool=pool)), owns_pools=False
    )


def _show(warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        pulumi.warn(warning.sentence())
