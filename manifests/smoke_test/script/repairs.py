"""What the smoke test repairs. No other file of this program changes anything in the cluster.

- `remove_left_jobs`: Jobs that an interrupted `pulumi up` left.
- `restart_failed`: applications that Serve gave up before this run.
- `restore_worker_counts`: numbers of workers that KubeRay wrote over those of Ray's autoscaler.

A repair that is not allowed or fails is reported and does not fail the smoke test.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
from typing import TYPE_CHECKING, Any

from .http_json import one_line, reason, send
from .kubernetes_api import kubernetes, ray_service
from .serve_api import (
    APPLICATIONS,
    by_model,
    has_replicas,
    serve_details,
)
from .settings import JOB_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .model_check import Model
    from .settings import Settings

# How long Serve may take to remove a failed application; its replicas have all ended by then.
REMOVAL_SECONDS = 30.0
REMOVAL_POLL_SECONDS = 0.5
# Nothing reads it. Serve hashes the runtime_env into the version of an application.
RESTARTS_VARIABLE = "RAY_LLM_RESTARTS"


def remove_left_jobs(settings: Settings, say: Callable[[str], None]) -> None:
    """Deletes the Jobs, and their pods, of updates that were killed while they waited.

    Such a Job is not in Pulumi's state, and after an edit of the stack file the next Job has
    another name. Only the Job that the RayService names may delete others: if a node goes away,
    the pod of a left Job is started again while the Job of a later update runs.
    """
    if settings.kubernetes_url is None:
        return
    jobs = f"/apis/batch/v1/namespaces/{settings.namespace}/jobs"
    selector = urllib.parse.urlencode({"labelSelector": settings.job_labels})
    try:
        service = ray_service(settings)
        annotations = (service and service["metadata"].get("annotations")) or {}
        if annotations.get(JOB_ANNOTATION) != settings.job_name:
            return
        listed = kubernetes(settings, f"{jobs}?{selector}").get("items") or []
        for name in sorted(job["metadata"]["name"] for job in listed):
            if name == settings.job_name:
                continue
            try:
                kubernetes(settings, f"{jobs}/{name}?propagationPolicy=Background", "DELETE")
            except urllib.error.HTTPError as error:
                if error.code not in (404, 409):  # somebody else deletes it
                    raise
            else:
                say(f"removed {name}, which an interrupted update had left")
    except (OSError, ValueError, KeyError) as error:
        say(f"Jobs that interrupted updates may have left stay: {reason(error)}")


def restart_failed(
    models: list[Model],
    serve_api: str,
    say: Callable[[str], None],
    *,
    sleepers: Collection[str] = (),
    failed_update_keeps_serving: bool,
) -> None:
    """Has Serve start once more what had failed before this run.

    Serve gives up on a model after three tries and starts it again only if its configuration
    changes. But the reason may have been elsewhere, in a licence not yet accepted or an expired
    token, so the same configuration must get another chance. This is done only if Serve already has
    the whole configuration, because then KubeRay has nothing left to submit that this could
    overwrite.

    A failed application is removed and put back. If Ray's release keeps the old replicas in service
    after a failed update, that would take down what still answers: such an application gets another
    variable in its runtime_env instead, which is a new version to Serve. Tried with Ray 2.60.0: no
    request was lost. If KubeRay's operator restarts, it submits the text without that variable, and
    Serve replaces the replicas once more, also without a loss.
    """
    try:
        failed = _restart_failed(models, serve_api, sleepers, failed_update_keeps_serving)
    except (OSError, ValueError, KeyError) as error:
        say(f"failed models could not be started once more: {one_line(repr(error))}")
    else:
        for name in failed:
            say(f"{name}: had failed and is started once more")


def _restart_failed(
    models: list[Model],
    serve_api: str,
    sleepers: Collection[str],
    failed_update_keeps_serving: bool,
) -> list[str]:
    details = serve_details(serve_api) or {}
    applications = by_model(details)
    failed = [name for name, item in applications.items() if item["status"] == "DEPLOY_FAILED"]
    known = {model.name for model in models}
    if not failed or applications.keys() != known:
        return []
    if not all(model.is_deployed_in(applications[model.name], sleepers) for model in models):
        return []
    serving = [
        name for name in failed if failed_update_keeps_serving and has_replicas(applications[name])
    ]
    removed = [name for name in failed if name not in serving]
    configs = {
        name: _as_new_version(item["deployed_app_config"])
        if name in serving
        else item["deployed_app_config"]
        for name, item in applications.items()
    }
    whole = {
        "proxy_location": details["proxy_location"],
        "http_options": details["http_options"],
        "applications": list(configs.values()),
    }
    url = serve_api + APPLICATIONS
    if removed:
        kept = [config for name, config in configs.items() if name not in removed]
        send("PUT", url, {**whole, "applications": kept})
        _await_removal([applications[name]["name"] for name in removed], serve_api)
    send("PUT", url, whole)
    return failed


def _as_new_version(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same application as Serve has it, but as another version of its code."""
    runtime_env = config.get("runtime_env") or {}
    variables = runtime_env.get("env_vars") or {}
    restarts = str(variables.get(RESTARTS_VARIABLE, ""))
    count = int(restarts) + 1 if restarts.isdecimal() else 1
    variables = {**variables, RESTARTS_VARIABLE: str(count)}
    return {**config, "runtime_env": {**runtime_env, "env_vars": variables}}


def _await_removal(names: list[str], serve_api: str) -> None:
    """Returns when Serve has removed the applications.

    If one is put back earlier, Serve takes it for the same one and leaves it as failed.
    """
    deadline = time.monotonic() + REMOVAL_SECONDS
    while time.monotonic() < deadline:
        details = serve_details(serve_api)
        if details is not None and not (details.get("applications") or {}).keys() & set(names):
            return
        time.sleep(REMOVAL_POLL_SECONDS)


def restore_worker_counts(settings: Settings, name: str, say: Callable[[str], None]) -> bool:
    """Sets the numbers of workers of a Ray cluster to the workers that run; whether to look again.

    When KubeRay rewrites a live cluster, for a pool that is appended, it writes the RayService's
    numbers over those of Ray's autoscaler, which counts on from there. With two workers and
    `replicas: 1`, the autoscaler asks for the next worker as the second, and none is started.
    """
    cluster = f"/apis/ray.io/v1/namespaces/{settings.namespace}/rayclusters/{name}"
    try:
        groups = kubernetes(settings, cluster)["spec"].get("workerGroupSpecs") or []
        selector = f"ray.io/cluster={name},ray.io/node-type=worker"
        query = urllib.parse.urlencode({"labelSelector": selector})
        pods = kubernetes(settings, f"/api/v1/namespaces/{settings.namespace}/pods?{query}")
        for index, group in enumerate(groups):
            written, count = group.get("replicas") or 0, _count_workers(group, pods["items"])
            if written < count:
                # The tests in the patch: the autoscaler may write meanwhile; then we look again.
                path = f"/spec/workerGroupSpecs/{index}"
                patch = [
                    {"op": "test", "path": f"{path}/groupName", "value": group["groupName"]},
                    {"op": "test", "path": f"{path}/replicas", "value": group.get("replicas")},
                    {"op": "replace", "path": f"{path}/replicas", "value": count},
                ]
                kubernetes(settings, cluster, "PATCH", patch)
                say(f"{group['groupName']}: {count} workers again, of which KubeRay kept {written}")
    except urllib.error.HTTPError as error:
        if error.code not in (404, 409, 422):
            say(f"numbers of workers stay as KubeRay wrote them: {reason(error)}")
            return False
    except (OSError, ValueError, KeyError):
        pass  # an API that does not answer is reported with the models
    return True


def _count_workers(group: Mapping[str, Any], pods: list[Mapping[str, Any]]) -> int:
    """How many workers of a group run or start, without those that are being removed."""
    leaving = (group.get("scaleStrategy") or {}).get("workersToDelete") or []
    staying = [
        pod
        for pod in pods
        if pod["metadata"]["labels"].get("ray.io/group") == group["groupName"]
        and pod["metadata"]["name"] not in leaving
        and "deletionTimestamp" not in pod["metadata"]
        and pod.get("status", {}).get("phase") in ("Pending", "Running")
    ]
    count: int = min(len(staying) // group.get("numOfHosts", 1), group["maxReplicas"])
    return count
