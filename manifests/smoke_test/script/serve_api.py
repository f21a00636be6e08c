"""What Ray Serve's API says of its applications."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .http_json import fetch, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

APPLICATIONS = "/api/serve/applications/"
# How Ray Serve LLM's name for the deployment of a model begins.
MODEL_DEPLOYMENT = "LLMServer:"
_PYDANTIC = re.compile(r"\d+ validation errors? for ")
_LINK = re.compile(r"\s+For further information visit")
_OWN_MESSAGE = re.compile(r" \[type=(value|assertion)_error, input_value=.*")
_EXCEPTION = re.compile(r"^\s*([\w.]+(Error|Exception|Exit|Interrupt|Killed)\b.*)$")


def serve_details(serve_api: str) -> dict[str, Any] | None:
    """All that Serve says of itself; None if it does not answer."""
    try:
        return fetch(serve_api + APPLICATIONS)
    except (OSError, ValueError):
        return None


def applications_of(serve_api: str) -> Mapping[str, Any] | None:
    """The applications by the name of their model; None if Serve does not answer."""
    details = serve_details(serve_api)
    return None if details is None else by_model(details)


def by_model(details: Mapping[str, Any]) -> dict[str, Any]:
    """The applications by the name of their model, which is their route.

    The application's own name holds its version. One that is being removed may have the same route
    as the one that took its place.
    """
    found: dict[str, Any] = {}
    for application in (details.get("applications") or {}).values():
        config = application.get("deployed_app_config") or {}
        route = application.get("route_prefix") or config.get("route_prefix") or ""
        if application["status"] != "DELETING":
            found[route.strip("/")] = application
    return found


def deployed_config(application: Mapping[str, Any]) -> Any | None:
    """The LLM config of the application, with the options that override its own."""
    deployed = application.get("deployed_app_config") or {}
    config = next(iter((deployed.get("args") or {}).get("llm_configs") or []), None)
    if not isinstance(config, dict):
        return config
    options = dict(config.get("deployment_config") or {})
    for item in deployed.get("deployments") or []:
        if str(item.get("name")).startswith(MODEL_DEPLOYMENT):
            options.update((key, item[key]) for key in options if key in item)
    return {**config, "deployment_config": options}


def has_replicas(application: Mapping[str, Any]) -> bool:
    """Whether a replica of each deployment runs, of whatever version."""
    deployments = (application.get("deployments") or {}).values()
    return bool(deployments) and all(
        any(replica.get("state") == "RUNNING" for replica in deployment.get("replicas") or [])
        for deployment in deployments
    )


def engine_error(application: Mapping[str, Any]) -> str:
    """The engine's last error, from the messages of the application and its deployments."""
    messages = failure_messages(application)
    for message in messages:
        if found := last_exception(message.splitlines()):
            return one_line(found)
    return one_line(next((text for text in messages if text.strip()), application["status"]))


def failure_messages(application: Mapping[str, Any]) -> list[str]:
    """What Serve says of the deployments that are not healthy, then of the application."""
    deployments = (application.get("deployments") or {}).values()
    messages = [d.get("message") or "" for d in deployments if d.get("status") != "HEALTHY"]
    return [*messages, application.get("message") or ""]


def last_exception(lines: Sequence[str], but: str | None = None) -> str | None:
    """The last line that an exception ends a traceback with, and what its message says after it.

    but: a text; exceptions with it do not count.
    """
    for index in range(len(lines) - 1, -1, -1):
        if _EXCEPTION.match(lines[index]) and not (but and but in lines[index]):
            listed = lines[index + 1 :] if _PYDANTIC.search(lines[index]) else []
            return "\n".join([lines[index], *_findings(listed)])
    return None


def _findings(lines: Sequence[str]) -> Iterator[str]:
    """What pydantic finds wrong, on lines after its headline: the field, the error, a link.

    A message of vLLM's own is there in full, so the whole object it was made of is left out.
    """
    for line in lines:
        if not line.strip():
            return
        if not _LINK.match(line):
            yield _OWN_MESSAGE.sub("", line)
