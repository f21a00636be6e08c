"""The RayService in its cluster: what it has, what KubeRay says of it, and a new serve config.

Only the hooks of components/rollout_hook.py use this module, and import it when a model is
replaced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2 as httpx
from lightkube import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import PatchType

from components.cluster_access import ClusterAccess
from components.kubernetes_client import (
    asked,
    connect,
    http_client,
    server_message,
)
from manifests import MODEL_DEPLOYMENT, RolloutManifest, serve_config_text
from rollouts import serve_config

_RAY_SERVICE: Final = create_namespaced_resource("ray.io", "v1", "RayService", "rayservices")
_CONFLICT: Final = 409


class RayServiceError(Exception):
    """The RayService cannot be read or changed, and why."""


@dataclass(frozen=True)
class State:
    """A RayService at one moment.

    serve_config: what it is to serve; None if this is no serve config of this program's form.
    statuses: what KubeRay says of each application that Ray Serve has: `status`, `message`, and
        `serveDeploymentStatuses` by deployment.
    switches: whether KubeRay is starting another Ray cluster.
    smoke_test: the Job that tests what was last deployed.
    """

    serve_config: Mapping[str, Any] | None
    statuses: Mapping[str, Any]
    switches: bool
    smoke_test: str | None
    version: str


class LiveRayService:
    """One RayService of a cluster."""

    def __init__(self, access: ClusterAccess, manifest: RolloutManifest) -> None:
        """Raises UnreachableError if the kubeconfig cannot be read."""
        self._client = connect(access)
        self._http = http_client(access)
        self._manifest = manifest

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
            switches=bool(pending.get("rayClusterName")),
            smoke_test=annotations.get(self._manifest.job_annotation),
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
        try:
            found: Mapping[str, Any] = self._client.get(
                _RAY_SERVICE, self._manifest.name, namespace=self._manifest.namespace
            )
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise
        return found

    def _patch(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        try:
            changed: Mapping[str, Any] = self._client.patch(
                _RAY_SERVICE,
                self._manifest.name,
                dict(body),
                namespace=self._manifest.namespace,
                patch_type=PatchType.MERGE,
            )
        except ApiError as error:
            if error.status.code == _CONFLICT:
                return None
            raise
        return changed

    def _asked(self, verb: str, ask: Any) -> Any:
        what = f"the RayService {self._manifest.namespace}/{self._manifest.name}"

        def refusal(error: ApiError) -> RayServiceError:
            if error.status.code == 403:
                return RayServiceError(
                    f"you may not {verb} {what}. Ask its administrator for a Role with the verbs "
                    "get and patch on rayservices."
                )
            return RayServiceError(
                f"the API server refuses to {verb} {what}: {server_message(error)}"
            )

        return asked(what, ask, refusal, check="kubectl get rayservices", undone="changed")


def _serve_config(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        config = serve_config(live["spec"]["serveConfigV2"])
        for application in config["applications"]:
            if not isinstance(application["name"] + application["route_prefix"], str):
                return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return config


def _running(application: Mapping[str, Any]) -> int:
    return sum(
        replica["state"] == "RUNNING"
        for name, deployment in application["deployments"].items()
        if name.startswith(MODEL_DEPLOYMENT)
        for replica in deployment["replicas"]
    )
