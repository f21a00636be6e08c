"""Requests to Ray Serve's API, and what it says of applications."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from manifests.smoke_test.script.serve_api import by_model

Details = dict[str, Any]


class ServeApi:
    """The API of one cluster, at its dashboard."""

    def __init__(self, dashboard_url: str):
        self._url = f"{dashboard_url}/api/serve/applications/"

    def deploy(self, config: Mapping[str, Any]) -> tuple[int, str]:
        """Submits a config as KubeRay does: status and answer."""
        request = urllib.request.Request(  # noqa: S310 - http on 127.0.0.1
            self._url,
            json.dumps(config).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def applications(self) -> Details:
        """All that Serve says of its applications, by name; empty while it does not answer."""
        try:
            with urllib.request.urlopen(self._url, timeout=30) as answer:  # noqa: S310
                return dict(json.load(answer).get("applications") or {})
        except (OSError, ValueError):
            return {}

    def wait(
        self, reached: Callable[[Details], bool], seconds: float
    ) -> tuple[bool, float, Details]:
        """Waits for a state: whether it came, after how many seconds, and the last state."""
        started = time.monotonic()
        while True:
            details = self.applications()
            took = time.monotonic() - started
            if (found := reached(details)) or took > seconds:
                return found, took, details
            time.sleep(0.5)


def statuses(details: Details) -> dict[str, str]:
    """The status of each application."""
    return {name: item["status"] for name, item in details.items()}


def replicas(details: Details, model: str) -> dict[str, dict[str, str]]:
    """The running replicas of each deployment of a model: id, and id of its node.

    Raises KeyError for a model that Serve does not have, which is not a model at zero.
    """
    if not details:
        return {}
    deployments = by_model({"applications": details})[model].get("deployments", {})
    return {
        name: {
            item["replica_id"]: item["node_id"]
            for item in deployment.get("replicas") or []
            if item["state"] == "RUNNING"
        }
        for name, deployment in deployments.items()
    }


def model_replicas(details: Details, model: str, ingress: str) -> dict[str, str]:
    """The running replicas of the model itself, which is every deployment but the ingress."""
    return {
        key: node
        for name, found in replicas(details, model).items()
        if name != ingress
        for key, node in found.items()
    }
