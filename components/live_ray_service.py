"""The RayService in its cluster: what it has, what KubeRay says of it, and a new serve config.

Only the hooks of components/rollout_hook.py use this module, and import it when a model is
replaced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2 as httpx
import yaml
from lightkube import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.batch_v1 import Job
from lightkube.types import PatchType

from components.cluster_access import ClusterAccess
from components.kubernetes_client import (
    TRIES,
    UnreachableError,
    asked,
    connect,
    http_client,
)
from manifests import MODEL_DEPLOYMENT, RolloutManifest, serve_config_text

_RAY_SERVICE: Final = create_namespaced_resource("ray.io", "v1", "RayService", "rayservices")
_RAY_CLUSTER: Final = create_namespaced_resource("ray.io", "v1", "RayCluster", "rayclusters")
_CONFLICT: Final = 409
_FORBIDDEN: Final = 403
_INVALID: Final = 422
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
    spec: the whole spec.
    managers: who has applied it as a whole.
    """

    serve_config: Mapping[str, Any] | None
    statuses: Mapping[str, Any]
    active: str
    pending: str
    smoke_test: str | None
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
        live = self._asked("read", self._get)
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
            spec=live["spec"],
            managers=tuple(
                item["manager"]
                for item in live["metadata"].get("managedFields") or ()
                if item["operation"] == "Apply" and item["manager"].startswith(_ENGINE)
            ),
            version=live["metadata"]["resourceVersion"],
        )

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

        def refusal(error: ApiError) -> Exception:
            status = error.status
            if status.code == 401:
                return UnreachableError(
                    f"the cluster does not know who you are, so {what} was not changed. Sign in "
                    "again (`kubectl get rayservices` answers), and run again."
                )
            if status.code == _FORBIDDEN:
                return RayServiceError(
                    f"you may not {verb} {what}. Ask its administrator for a Role with the verbs "
                    f"{rights}."
                )
            message = " ".join(str(status.message or status.reason).split())
            return RayServiceError(f"the API server refuses to {verb} {what}: {message[:300]}")

        tries = TRIES if self._patient else 1
        return asked(what, ask, refusal, check="kubectl get rayservices", tries=tries)


def _serve_config(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        config = yaml.safe_load(live["spec"]["serveConfigV2"])
        for application in config["applications"]:
            if not isinstance(application["name"] + application["route_prefix"], str):
                return None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None
    return dict(config)


def _running(application: Mapping[str, Any]) -> int:
    return sum(
        replica["state"] == "RUNNING"
        for name, deployment in application["deployments"].items()
        if name.startswith(MODEL_DEPLOYMENT)
        for replica in deployment["replicas"]
    )
