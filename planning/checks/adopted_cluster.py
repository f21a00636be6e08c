"""What a plan assumes of a cluster or an operator that is there already, because no file says it.

A preview asks no cluster. What cannot be read is said, so that the person who knows can look.
"""

from collections.abc import Iterable
from typing import Final

from models.catalog import kuberay_releases
from models.problems import Problem, Severity
from models.stack import KubeRayInstall
from models.ways_out import use
from planning.checks.contexts import StackContext

_CPU_POOL: Final = "Write the name of a node pool of the cluster that has no GPUs"


def cpu_pool_name_problems(context: StackContext) -> Iterable[Problem]:
    """An adopted cluster whose CPU pool nobody names: the default's name is a guess there.

    The head, the routers and the check of every model select their nodes by the pool's label.
    """
    cluster = context.settings.cluster
    named = "name" in cluster.cpu_pool.model_fields_set
    if not cluster.existing or not cluster.name or named:
        return
    name = cluster.cpu_pool.name
    path = "ray-llm:cluster.cpuPool.name"
    yield Problem(
        path=path,
        reason=f"is left out, and in an adopted cluster the Ray head and the routers wait for a "
        f"node pool that is named {name}",
        remedy=f"{_CPU_POOL}, if only to confirm that {name} is there",
        rule="adopted-cpu-pool",
        candidates=(
            use(
                path,
                name,
                f"{_CPU_POOL[0].lower()}{_CPU_POOL[1:]}, if only to confirm that {name} is there: "
                f"cpuPool: {{name: {name}}}",
            ),
        ),
    )


def operator_version_problems(context: StackContext) -> Iterable[Problem]:
    """An operator that others install, without its version, which nothing here can know.

    Whoever installed one can read it, so it is asked for. That of the add-on is GKE's choice and
    changes by itself: it is assumed, and said to be.
    """
    settings = context.settings
    stated = "kuberay" in settings.versions.model_fields_set
    install = settings.kube_ray.install
    if install is KubeRayInstall.HELM or not settings.cluster.name or stated:
        return
    path, assumed = "ray-llm:versions.kuberay", settings.versions.kuberay
    shown = "which the image in `kubectl get deployments -A -o wide` shows"
    if install is KubeRayInstall.EXISTING:
        yield Problem(
            path=path,
            reason="is left out, and only the cluster knows which KubeRay runs with install: "
            "existing",
            remedy=f"Write the release, {shown}: {', '.join(kuberay_releases())}",
            rule="operator-version",
            severity=Severity.STOP,
            candidates=(
                use(path, assumed, f"write the release that runs, {shown}, as kuberay: {assumed}"),
            ),
        )
        return
    yield Problem(
        path=path,
        reason=f"is left out, so KubeRay {assumed} is assumed, and GKE chooses the release of its "
        "add-on and upgrades it",
        remedy=f"Write the release that runs, {shown}",
        rule="operator-version",
        severity=Severity.WARN,
        candidates=(
            use(
                path,
                assumed,
                f"write the release that runs, {shown}, if only to confirm {assumed}",
            ),
        ),
    )
