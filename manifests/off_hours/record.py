"""Writes and reads the RayService's annotation with windows and minima.

It is a part of the object that it is about, so that text and windows change in one write: a run of
the schedule never sees new windows with old minima, and no model is left asleep in a window that
was taken out.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from manifests.off_hours.script.main import ANNOTATION
from manifests.off_hours.script.minima import with_minima
from models.off_hours import zone
from models.schedule import Schedule
from planning import OffHoursPlan

_SERVE: Final = "serveConfigV2"


def off_hours_annotation(
    off_hours: OffHoursPlan | None, serve_config: Mapping[str, Any]
) -> dict[str, str]:
    """The annotation; none without off-hours. serve_config: as it is by day."""
    if off_hours is None:
        return {}
    routes = {f"/{name}" for name in off_hours.hours_a_week}
    data = {
        "windows": [
            {
                "sleep": window.sleep,
                "wake": window.wake,
                "timeZone": window.time_zone,
                "models": list(window.models),
            }
            for window in off_hours.windows
        ],
        "minima": {
            application["route_prefix"]: {
                item["name"]: item["autoscaling_config"]["min_replicas"]
                for item in application["deployments"]
            }
            for application in serve_config["applications"]
            if application["route_prefix"] in routes
        },
    }
    return {ANNOTATION: json.dumps(data, separators=(",", ":"))}


def schedule_of(ray_service: Mapping[str, Any]) -> Schedule | None:
    """What the annotation of a RayService says; None without one that can be read."""
    try:
        text = ((ray_service.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION)
        return None if text is None else Schedule.of_text(text, zone)
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return None


def as_awake(ray_service: Mapping[str, Any]) -> Mapping[str, Any]:
    """The RayService as it is by day: what only the schedule has changed in it is changed back."""
    schedule = schedule_of(ray_service)
    spec = ray_service.get("spec")
    if schedule is None or not isinstance(spec, Mapping) or not isinstance(spec.get(_SERVE), str):
        return ray_service
    try:
        text = with_minima(spec[_SERVE], schedule.minima, ())
    except (ValueError, TypeError, AttributeError):
        return ray_service
    return {**ray_service, "spec": {**spec, _SERVE: text}}
