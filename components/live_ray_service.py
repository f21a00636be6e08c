"""The RayService in its cluster: what it has, what KubeRay says of it, and a new serve config.

Only the hooks of components/rollout_hook.py use this module, and import it when a model is
replaced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2 as httpx
from lightkube import ApiError, operators
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod as PodObject
from lightkube.types import PatchType

from components.cluster_access import ClusterAccess
from components.kubernetes_client import (
    TRIES,
    asked,
    connect,
    http_client,
    prepare,
    server_message,
)
from manifests import MODEL_DEPLOYMENT, RolloutManifest, as_awake, serve_config_text
from models.problems import without_secrets
from rollouts import ModelState, Pod, Seen, running_at_least, serve_config

_RAY_SERVICE: Final = create_namespaced_resource("ray.io", "v1", "RayService", "rayservices")
_RAY_CLUSTER: Final = create_namespaced_resource("ray.io", "v1", "RayCluster", "rayclusters")
prepare(_RAY_SERVICE, _RAY_CLUSTER, Job, PodObject)
_CONFLICT: Final = 409
_FORBIDDEN: Final = 403
_INVALID: Final = 422
_CLUSTER: Final = "ray.io/cluster"
_GROUP: Final = "ray.io/group"
_ENGINE: Final = "pulumi"
"""How the field managers of Pulumi's Kubernetes provider begin."""


class RayServiceError(Exception):
    """The RayService cannot be read or changed, and why."""


@dataclass(frozen=True)
class State:
    """A RayService at one moment.

    serve_config: what it is to serve; None if this is no serve config of this program's form.
    statuses: what KubeRay says of each application that Ray Serve has: `status`, `message`, and
        `serveDeploymentStatuses` by deployment.
    active: the Ray cluster that answers; pending: the one that KubeRay is starting. Empty if there
        is none.
    smoke_test: the Job that tests what was last deployed.
    starting: as `statuses`, of the Ray cluster that KubeRay is starting.
    head_starts: whether the head of that cluster runs, so that its image is there.
    spec: the whole spec.
    managers: who has applied it as a whole.
    """

    serve_config: Mapping[str, Any] | None
    statuses: Mapping[str, Any]
    active: str
    pending: str
    smoke_test: str | None
    starting: Mapping[str, Any]
    head_starts: bool
    uid: str
    spec: Mapping[str, Any]
    managers: tuple[str, ...]
    version: str

    @property
    def switches(self) -> bool:
        """Whether KubeRay is starting another Ray cluster."""
        return bool(self.pending)


class LiveRayService:
    """One RayService of a cluster."""

    def __init__(
        self, access: ClusterAccess, manifest: RolloutManifest, *, patient: bool = True
    ) -> None:
        """Raises UnreachableError if the kubeconfig cannot be read.

        patient: whether a server that does not answer is asked again; a preview does not wait.
        """
        self._client = connect(access)
        self._http = http_client(access)
        self._manifest = manifest
        self._patient = patient

    def state(self) -> State | None:
        """What it is now; None if it is not there.

        Raises RayServiceError if the server refuses, UnreachableError if it does not answer.
        """
        live = self.object()
        if live is None:
            return None
        status = live.get("status") or {}
        active = status.get("activeServiceStatus") or {}
        pending = status.get("pendingServiceStatus") or {}
        annotations = live["metadata"].get("annotations") or {}
        return State(
            serve_config=_serve_config(live),
            statuses=active.get("applicationStatuses") or {},
            active=active.get("rayClusterName") or "",
            pending=pending.get("rayClusterName") or "",
            smoke_test=annotations.get(self._manifest.job_annotation),
            starting=pending.get("applicationStatuses") or {},
            head_starts=_is_true(pending.get("rayClusterStatus") or {}, "HeadPodReady"),
            uid=live["metadata"]["uid"],
            spec=live["spec"],
            managers=tuple(
                item["manager"]
                for item in live["metadata"].get("managedFields") or ()
                if item["operation"] == "Apply" and item["manager"].startswith(_ENGINE)
            ),
            version=live["metadata"]["resourceVersion"],
        )

    def object(self) -> Mapping[str, Any] | None:
        """The whole object, its models awake; None if it is not there. Raises as `state`.

        What the schedule of off-hours changes is no difference from what was deployed.
        """
        live: Mapping[str, Any] | None = self._asked("read", self._get)
        return live and as_awake(live)

    def submit(self, serve_config: Mapping[str, Any], state: State) -> bool:
        """Gives it a serve config; False if somebody else changed it after `state` was read.

        Raises RayServiceError or UnreachableError.
        """
        body = {
            "metadata": {"resourceVersion": state.version},
            "spec": {"serveConfigV2": serve_config_text(serve_config)},
        }
        answer = self._asked("change", lambda: self._patch(body))
        return answer is not None

    def answering(self, state: State) -> Mapping[str, Any] | None:
        """The spec of the Ray cluster that answers; None if there is none, or it is not to be read.

        Raises RayServiceError or UnreachableError.
        """
        if not state.active:
            return None
        try:
            found = self._asked("read", lambda: self._found(_RAY_CLUSTER, state.active))
        except RayServiceError:
            return None
        return found["spec"] if found else None

    def delete_answering(self, state: State) -> None:
        """Deletes the Ray cluster that answers, which is this RayService's; its pods go with it.

        Raises RayServiceError or UnreachableError.
        """
        what = f"the RayCluster {self._manifest.namespace}/{state.active}"
        found = self._asked("read", lambda: self._found(_RAY_CLUSTER, state.active))
        if found is None:
            return
        owners = [item["uid"] for item in found["metadata"].get("ownerReferences") or ()]
        if state.uid not in owners:
            raise RayServiceError(f"{what} does not belong to this RayService")
        self._asked(
            "delete the Ray cluster of",
            lambda: self._delete(state.active),
            rights="get and delete on rayclusters",
        )

    def seen(self, state: State) -> Seen:
        """What progress is told of; raises UnreachableError or RayServiceError."""
        statuses = state.starting if state.pending else state.statuses
        applications = (state.serve_config or {}).get("applications", ())
        models = {item["name"]: item["route_prefix"].removeprefix("/") for item in applications}
        # Others have a replica if they run. Of a cluster that starts, nobody can ask.
        may_sleep = any(not running_at_least(item) for item in applications)
        replicas = (self.replicas() or {}) if may_sleep and not state.pending else {}
        return Seen(
            active=state.active,
            pending=state.pending,
            models={
                models[name]: ModelState(
                    status=str(item.get("status") or ""),
                    message=without_secrets(_message(item)),
                    asleep=replicas.get(name) == 0,
                )
                for name, item in statuses.items()
                if name in models
            },
            pods=self._pods(),
        )

    def _pods(self) -> tuple[Pod, ...] | None:
        try:
            found = self._asked(
                "list the pods of",
                lambda: list(
                    self._client.list(
                        PodObject,
                        namespace=self._manifest.namespace,
                        labels={_CLUSTER: operators.exists()},
                    )
                ),
            )
        except RayServiceError:
            return None
        return tuple(_pod(item) for item in found)

    def was_deployed(self, job: str) -> bool:
        """Whether the smoke test `job` is still there; False if it is not to be read.

        Raises UnreachableError.
        """
        try:
            return self._asked("read", lambda: self._found(Job, job)) is not None
        except RayServiceError:
            return False

    def write(self, manifest: Mapping[str, Any], state: State) -> bool:
        """Gives it the whole spec and the annotations; False if it has changed since `state`.

        It is written in the name of the engine, so that a field that a later update leaves out is
        taken out. An object that no engine has applied has its spec replaced.
        Raises RayServiceError or UnreachableError.
        """
        answer = self._asked("change", lambda: self._replace(manifest, state))
        return answer is not None

    def drop_pending(self, state: State) -> bool:
        """Makes KubeRay forget the cluster that it starts; False if it has changed since `state`.

        KubeRay deletes that cluster a minute later.
        Raises RayServiceError, without the right to change the status, or UnreachableError.
        """
        body = {
            "metadata": {"resourceVersion": state.version},
            "status": {"pendingServiceStatus": None},
        }
        answer = self._asked(
            "change",
            lambda: self._patch(body, _RAY_SERVICE.Status),
            rights="patch on rayservices/status",
        )
        return answer is not None

    def deployed(self) -> Mapping[str, Any] | None:
        """The serve config that the answering Ray cluster has; None if Ray Serve cannot be asked.

        As `replicas`, it takes the right to `get services/proxy`.
        """
        try:
            answer = self._http.get(self._manifest.applications_path)
            answer.raise_for_status()
            found = answer.json()
            return {
                "proxy_location": found["proxy_location"],
                "http_options": found["http_options"],
                "applications": [
                    item["deployed_app_config"] for item in found["applications"].values()
                ],
            }
        except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def replicas(self) -> Mapping[str, int] | None:
        """How many engines of each application run; None if Ray Serve cannot be asked.

        Ray Serve is asked through the API server, which takes the right to `get services/proxy`.
        """
        try:
            answer = self._http.get(self._manifest.applications_path)
            answer.raise_for_status()
            applications = answer.json()["applications"]
            return {name: _running(item) for name, item in applications.items()}
        except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _get(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._found(_RAY_SERVICE, self._manifest.name)
        return found

    def _found(self, kind: Any, name: str) -> Any:
        try:
            return self._client.get(kind, name, namespace=self._manifest.namespace)
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise

    def _delete(self, name: str) -> None:
        try:
            self._client.delete(_RAY_CLUSTER, name, namespace=self._manifest.namespace)
        except ApiError as error:
            if error.status.code != 404:
                raise

    def _replace(self, manifest: Mapping[str, Any], state: State) -> Any:
        metadata = {**manifest["metadata"], "resourceVersion": state.version}
        if len(state.managers) == 1:
            whole = {**manifest, "metadata": metadata}
            return self._patch(whole, patch_type=PatchType.APPLY, manager=state.managers[0])
        annotations = {
            # As a JSON pointer has them.
            key.replace("~", "~0").replace("/", "~1"): value
            for key, value in manifest["metadata"]["annotations"].items()
        }
        return self._patch(
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": state.version},
                {"op": "replace", "path": "/spec", "value": manifest["spec"]},
                *(
                    {
                        "op": "add",
                        "path": f"/metadata/annotations/{key}",
                        "value": value,
                    }
                    for key, value in annotations.items()
                ),
            ],
            patch_type=PatchType.JSON,
        )

    def _patch(
        self,
        body: Any,
        kind: Any = _RAY_SERVICE,
        *,
        patch_type: PatchType = PatchType.MERGE,
        manager: str | None = None,
    ) -> Any:
        try:
            return self._client.patch(
                kind,
                self._manifest.name,
                body,
                namespace=self._manifest.namespace,
                patch_type=patch_type,
                field_manager=manager,
                force=manager is not None,
            )
        except ApiError as error:
            # A JSON patch whose test fails is called invalid.
            if error.status.code == _CONFLICT or (
                patch_type is PatchType.JSON and error.status.code == _INVALID
            ):
                return None
            raise

    def _asked(self, verb: str, ask: Any, rights: str = "get and patch on rayservices") -> Any:
        what = f"the RayService {self._manifest.namespace}/{self._manifest.name}"

        def refusal(error: ApiError) -> RayServiceError:
            if error.status.code == _FORBIDDEN:
                return RayServiceError(
                    f"you may not {verb} {what}. Ask its administrator for a Role with the verbs "
                    f"{rights}."
                )
            return RayServiceError(
                f"the API server refuses to {verb} {what}: {server_message(error)}"
            )

        tries = TRIES if self._patient else 1
        return asked(
            what, ask, refusal, check="kubectl get rayservices", undone="changed", tries=tries
        )


def _serve_config(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        config = serve_config(live["spec"]["serveConfigV2"])
        for application in config["applications"]:
            if not isinstance(application["name"] + application["route_prefix"], str):
                return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return config


def _is_true(status: Mapping[str, Any], condition: str) -> bool:
    return any(
        item["type"] == condition and item["status"] == "True"
        for item in status.get("conditions") or ()
    )


def _message(application: Mapping[str, Any]) -> str:
    """Ray Serve's message of an application, or else of one of its deployments."""
    deployments = (application.get("serveDeploymentStatuses") or {}).values()
    messages = [application.get("message"), *(item.get("message") for item in deployments)]
    return next((str(text) for text in messages if text), "")


def _pod(found: Any) -> Pod:
    conditions = {item.type: item for item in (found.status and found.status.conditions) or ()}
    ready, placed = conditions.get("Ready"), conditions.get("PodScheduled")
    labels = found.metadata.labels
    return Pod(
        cluster=labels[_CLUSTER],
        group=labels.get(_GROUP) or "",
        is_ready=ready is not None and ready.status == "True",
        awaits_node=placed is not None and placed.reason == "Unschedulable",
    )


def _running(application: Mapping[str, Any]) -> int:
    return sum(
        replica["state"] == "RUNNING"
        for name, deployment in application["deployments"].items()
        if name.startswith(MODEL_DEPLOYMENT)
        for replica in deployment["replicas"]
    )
