"""Where the script looks and for how long, as the Job's environment says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The RayService's annotation with the name of the Job that tests it as it now is.
JOB_ANNOTATION = "ray-llm/smoke-test-job"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True)
class Settings:
    """Where to look and for how long.

    configs: the folder with the LLM configs, one file a model.
    cluster_dashboard_url: the dashboard of one Ray cluster, with `{cluster}` for its name.
    job_name: the Job that runs this script.
    job_labels: the label selector of all Jobs that test this service.
    model_tasks: the task of each model that does not generate text, `embed` or `score`, by name.
    failed_update_keeps_serving: whether Serve keeps the old replicas in service if an update fails.
    kubernetes_url: the Kubernetes API; None outside a cluster.
    service_account: the folder with the pod's token and the API's certificate.
    """

    configs: Path
    serve_url: str
    dashboard_url: str
    cluster_dashboard_url: str
    namespace: str
    ray_service: str
    job_name: str
    job_labels: str
    model_tasks: Mapping[str, str]
    failed_update_keeps_serving: bool
    deadline_seconds: float
    kubernetes_url: str | None
    service_account: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Reads the Job's environment; KeyError names what is missing."""
        host = env.get("KUBERNETES_SERVICE_HOST")
        if host and ":" in host:
            host = f"[{host}]"
        port = env.get("KUBERNETES_SERVICE_PORT", "443")
        return cls(
            configs=Path(env["LLM_CONFIGS"]),
            serve_url=env["SERVE_URL"],
            dashboard_url=env["DASHBOARD_URL"],
            cluster_dashboard_url=env["CLUSTER_DASHBOARD_URL"],
            namespace=env["NAMESPACE"],
            ray_service=env["RAY_SERVICE"],
            job_name=env["JOB_NAME"],
            job_labels=env["JOB_LABELS"],
            model_tasks=json.loads(env["MODEL_TASKS"]),
            failed_update_keeps_serving=env["FAILED_UPDATE_KEEPS_SERVING"] == "true",
            deadline_seconds=float(env["DEADLINE_SECONDS"]),
            kubernetes_url=env.get("KUBERNETES_URL")
            or (f"https://{host}:{port}" if host else None),
            service_account=Path(env.get("SERVICE_ACCOUNT", SERVICE_ACCOUNT)),
        )
