"""What Ray Serve's API says of its applications."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .http_json import fetch, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

APPLICATIONS = "/api/serve/applications/"
_EXCEPTION = re.compile(r"^\s*([\w.]+(Error|Exception|Exit|Interrupt|Killed)\b.*)$")


def serve_details(serve_api: str) -> dict[str, Any] | None:
    """All that Serve says of itself; None if it does not answer."""
    try:
        return fetch(serve_api + APPLICATIONS)
    except (OSError, ValueError):
        return None


def applications_of(serve_api: str) -> Mapping[str, Any] | None:
    """The applications by name; None if Serve does not answer."""
    details = serve_details(serve_api)
    return None if details is None else details.get("applications") or {}


def deployed_config(application: Mapping[str, Any]) -> Any | None:
    """The LLM config that the application was deployed with."""
    args = (application.get("deployed_app_config") or {}).get("args") or {}
    return next(iter(args.get("llm_configs") or []), None)


def has_replicas(application: Mapping[str, Any]) -> bool:
    """Whether a replica of each deployment runs, of whatever version."""
    deployments = (application.get("deployments") or {}).values()
    return bool(deployments) and all(
        any(replica.get("state") == "RUNNING" for replica in deployment.get("replicas") or [])
        for deployment in deployments
    )


def progress(application: Mapping[str, Any]) -> str:
    """The status of an application that does not run yet, with the engine's last error if any."""
    error = engine_error(application)
    status = str(application["status"])
    return status if error == status else f"{status}: {error}"


def engine_error(application: Mapping[str, Any]) -> str:
    """The engine's last error, from the messages of the application and its deployments."""
    deployments = (application.get("deployments") or {}).values()
    messages = [d.get("message") or "" for d in deployments if d.get("status") != "HEALTHY"]
    messages.append(application.get("message") or "")
    for message in messages:
        for line in reversed(message.splitlines()):
            if _EXCEPTION.match(line):
                return one_line(line)
    return one_line(next((text for text in messages if text.strip()), application["status"]))
