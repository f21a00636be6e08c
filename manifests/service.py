"""All Kubernetes objects of one service, each written once."""

import json
from dataclasses import dataclass
from typing import Any

from manifests.access_record import access_fields
from manifests.compute_class import compute_classes
from manifests.config_maps import config_maps
from manifests.external_secrets import secret_store
from manifests.head_disruption_budget import head_disruption_budget
from manifests.hugging_face_secret import SECRET_KEY, external_token, hugging_face_secret
from manifests.namespace import namespace
from manifests.off_hours.access import off_hours_access
from manifests.off_hours.cron_job import off_hours_cron_job
from manifests.off_hours.record import off_hours_annotation
from manifests.off_hours.script_files import script_config_map as off_hours_script
from manifests.ray_service import ray_cluster_config, ray_service
from manifests.rollout import RolloutManifest, rollout_manifest
from manifests.serve_config import llm_config, serve_config
from manifests.service_access import ServiceAccess, service_access
from manifests.smoke_test.access import smoke_test_access
from manifests.smoke_test.job import job_annotation, job_name, smoke_test_job
from manifests.smoke_test.script_files import script_config_map
from manifests.weights.objects import WeightsManifests, weights_manifests
from manifests.yaml_text import yaml_text
from models.catalog import machine_type
from models.stack import KubeRayInstall
from planning import Plan, cpu_nodes
from rollouts import (
    NODE_QUOTA_ANNOTATION,
    OPERATOR_ANNOTATION,
    AccessFields,
    HeadRoom,
    PoolRoom,
    QuotaRoom,
    Room,
)

Manifest = dict[str, Any]
"""A Kubernetes object as plain values, as `kubectl apply` takes it."""


@dataclass(frozen=True, kw_only=True)
class SmokeTestManifests:
    """The Job that asks every model, the ConfigMap of its script, and its rights."""

    job: Manifest
    script: Manifest
    service_account: Manifest
    role: Manifest
    role_binding: Manifest


@dataclass(frozen=True, kw_only=True)
class OffHoursManifests:
    """The CronJob that lets models sleep, the ConfigMap of its script, and its rights."""

    cron_job: Manifest
    script: Manifest
    service_account: Manifest
    role: Manifest
    role_binding: Manifest


@dataclass(frozen=True, kw_only=True)
class ServiceManifests:
    """The Kubernetes objects of one service, and how people reach it.

    config_maps: the LLM configs, one ConfigMap for each model family.
    hugging_face_secret: the Secret without its `stringData`, because no manifest holds the token;
        `token_key` is the key under which the GPU workers read it.
    needs_hugging_face_token: whether the plan counts on a token that the program is given.
    external_secrets: what copies secrets from Secret Manager into the namespace.
    head_disruption_budget: keeps the Ray head from being evicted.
    names_ray_release: whether the settings say which Ray runs; else it is the program's default.
    rollout: what a hand-over of edited models has to know.
    kuberay: the operator's release; None if it is not installed by this program, and the settings
        do not name it.
    room: what there is for a second Ray cluster beside the first.
    access_fields: who may ask; it is remembered, so that previews say what a change of it does.
    off_hours: None if no model has any.
    weights: None if nodes do not read weights from a bucket.
    compute_classes: of the pools with several ways to pay; they have no namespace.
    """

    namespace: Manifest
    config_maps: tuple[Manifest, ...]
    hugging_face_secret: Manifest
    token_key: str
    needs_hugging_face_token: bool
    external_secrets: tuple[Manifest, ...]
    head_disruption_budget: Manifest
    names_ray_release: bool
    kuberay: str | None
    room: Room
    ray_service: Manifest
    rollout: RolloutManifest
    smoke_test: SmokeTestManifests
    access: ServiceAccess
    access_fields: AccessFields
    off_hours: OffHoursManifests | None = None
    weights: WeightsManifests | None = None
    compute_classes: tuple[Manifest, ...] = ()


def service_manifests(plan: Plan, *, owns_pools: bool = True) -> ServiceManifests:
    """Writes all objects of the service of a plan.

    owns_pools: whether the same program creates and deletes the node pools.
    """
    llm_configs = {model.name: llm_config(plan, model) for model in plan.models}
    config = serve_config(plan, llm_configs)
    serve_text = yaml_text(config)
    cluster = ray_cluster_config(plan)
    texts = {name: yaml_text(config) for name, config in llm_configs.items()}
    configs = tuple(config_maps(plan, texts))
    script = script_config_map(plan)
    job = job_name(plan, serve_text, cluster, script)
    account, role, binding = smoke_test_access(plan)
    room = _room(plan)
    return ServiceManifests(
        namespace=namespace(plan),
        config_maps=configs,
        hugging_face_secret=hugging_face_secret(plan),
        token_key=SECRET_KEY,
        needs_hugging_face_token=plan.has_hugging_face_token and plan.hugging_face_token is None,
        external_secrets=_external_secrets(plan),
        head_disruption_budget=head_disruption_budget(plan),
        names_ray_release=plan.release.ray_is_named,
        kuberay=_kuberay(plan),
        room=room,
        ray_service=ray_service(
            plan,
            serve_text,
            cluster,
            {
                **job_annotation(job),
                **_change_annotations(plan, room),
                **off_hours_annotation(plan.off_hours, config),
            },
        ),
        rollout=rollout_manifest(plan, job, room, owns_pools=owns_pools),
        smoke_test=SmokeTestManifests(
            job=smoke_test_job(plan, job, [item["metadata"]["name"] for item in configs], script),
            script=script,
            service_account=account,
            role=role,
            role_binding=binding,
        ),
        access=service_access(plan),
        access_fields=access_fields(plan),
        off_hours=_off_hours(plan),
        weights=weights_manifests(plan),
        compute_classes=compute_classes(plan),
    )


def _off_hours(plan: Plan) -> OffHoursManifests | None:
    if plan.off_hours is None:
        return None
    script = off_hours_script(plan, plan.off_hours)
    account, role, binding = off_hours_access(plan)
    return OffHoursManifests(
        cron_job=off_hours_cron_job(plan, plan.off_hours, script),
        script=script,
        service_account=account,
        role=role,
        role_binding=binding,
    )


def _external_secrets(plan: Plan) -> tuple[Manifest, ...]:
    """The store of secrets, if anything is kept there, and the order for the token."""
    token = external_token(plan)
    keys = plan.access is not None and any(key.secret_manager for key in plan.access.keys)
    return (*secret_store(plan), *token) if token or keys else ()


def _kuberay(plan: Plan) -> str | None:
    release = plan.release
    known = release.install is KubeRayInstall.HELM or release.kuberay_is_named
    return release.kuberay.version if known else None


def _change_annotations(plan: Plan, room: Room) -> dict[str, str]:
    """By them the next change knows whether the operator changes too, and what a pool took."""
    release = _kuberay(plan)
    operator = {} if release is None else {OPERATOR_ANNOTATION: release}
    return {NODE_QUOTA_ANNOTATION: json.dumps(room.node_quota), **operator}


def _room(plan: Plan) -> Room:
    return Room(
        pools=tuple(
            PoolRoom(
                id=pool.id,
                path=pool.path,
                nodes=pool.nodes_at_min,
                max_nodes=pool.max_nodes,
                min_nodes=pool.min_nodes,
                gpus=pool.tier.gpu_count,
            )
            for pool in plan.pools
        ),
        quotas=tuple(
            QuotaRoom(
                metric=need.metric,
                of_node=need.of_node,
                others=need.others,
                others_of_one=need.others_of_one,
                others_recreating=need.others_recreating,
                limit=need.limit,
            )
            for need in plan.quota
        ),
        head=_head_room(plan),
    )


def _head_room(plan: Plan) -> HeadRoom | None:
    pool = plan.cluster.cpu_pool
    if plan.cluster.existing or machine_type(pool.machine_type) is None:
        return None
    one, two, recreating = (
        cpu_nodes(
            pool.machine_type,
            plan.head,
            plan.router_group,
            sum(model.routers.min for model in plan.models),
            clusters=clusters,
            spare_heads=heads,
            gateway=None if plan.access is None else plan.access.gateway,
        )
        for clusters, heads in ((1, 0), (2, 0), (1, 1))
    )
    return HeadRoom(
        path="ray-llm:cluster.cpuPool",
        nodes=one,
        both=two,
        recreating=recreating,
        max_nodes=pool.max_nodes,
    )
