"""Gives the RayService the minima of this moment; the exit code is 0 if there is nothing to mend.

What the hour wants follows from the time and the RayService's own annotation, so it does not matter
which runs were missed. While an update is under way nothing is touched: the next run comes soon.
"""

from __future__ import annotations

import os
import sys
import urllib.error
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from manifests.off_hours.script.minima import is_under_way, with_minima
from manifests.smoke_test.script.http_json import reason
from manifests.smoke_test.script.kubernetes_api import kubernetes
from models.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ANNOTATION = "ray-llm/off-hours"  # manifests/off_hours/record.py
FIELD_MANAGER = "ray-llm-off-hours"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TRIES = 3
# A pod may start a moment before the clock of its node shows the minute for which it was started.
_AHEAD = timedelta(seconds=20)
# Of a JSON patch whose test fails, and of a write that came second.
_CHANGED_MEANWHILE = (409, 422)


@dataclass(frozen=True)
class Settings:
    """Which RayService, and how to reach the Kubernetes API, as the pod's environment says.

    zones: the folder with the files of the time zones.
    service_account: the folder with the pod's token and the API's certificate.
    """

    namespace: str
    ray_service: str
    zones: Path
    kubernetes_url: str
    service_account: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Reads the environment; KeyError names what is missing."""
        url = env.get("KUBERNETES_URL")
        if url is None:
            host = env["KUBERNETES_SERVICE_HOST"]
            host = f"[{host}]" if ":" in host else host
            url = f"https://{host}:{env.get('KUBERNETES_SERVICE_PORT', '443')}"
        return cls(
            namespace=env["NAMESPACE"],
            ray_service=env["RAY_SERVICE"],
            zones=Path(env["ZONES"]),
            kubernetes_url=url,
            service_account=Path(env.get("SERVICE_ACCOUNT", SERVICE_ACCOUNT)),
        )

    @property
    def path(self) -> str:
        """The path of the RayService in the Kubernetes API."""
        return f"/apis/ray.io/v1/namespaces/{self.namespace}/rayservices/{self.ray_service}"

    def zone(self, name: str) -> ZoneInfo:
        """The time zone; raises OSError if its file is not here."""
        with self.zones.joinpath(*name.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)


def main() -> int:
    """Runs with the settings of the environment; the exit code."""
    return run(
        Settings.from_env(os.environ),
        datetime.now(timezone.utc),  # noqa: UP017 - Python 3.10 has no datetime.UTC
        lambda line: print(line, flush=True),
    )


def run(settings: Settings, now: datetime, say: Callable[[str], None]) -> int:
    """Reads the RayService and changes its minima if the hour wants others; the exit code."""
    for _ in range(TRIES):
        try:
            service = kubernetes(settings, settings.path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                say("The RayService is not there.")
                return 0
            return _failed(error, say)
        except (OSError, ValueError) as error:
            return _failed(error, say)
        try:
            text, said = _wanted(service, settings, now)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            say(f"Nothing is changed: {type(error).__name__} {error}")
            return 1
        say(said)
        if text is None:
            return 0
        try:
            _write(settings, service, text)
        except urllib.error.HTTPError as error:
            if error.code not in _CHANGED_MEANWHILE:
                return _failed(error, say)
            say("Somebody else changed the RayService meanwhile; it is read again.")
        except (OSError, ValueError) as error:
            return _failed(error, say)
        else:
            return 0
    say("Others change the RayService all the time; the next run tries again.")
    return 0


def _failed(error: Exception, say: Callable[[str], None]) -> int:
    say(f"The Kubernetes API does not do it: {reason(error)}")
    return 1


def _wanted(
    service: Mapping[str, Any], settings: Settings, now: datetime
) -> tuple[str | None, str]:
    """The serve config of this moment, None if that is not to be written, and what is said."""
    record = (service["metadata"].get("annotations") or {}).get(ANNOTATION)
    if record is None:
        return None, "The RayService has no off-hours."
    text: str = service["spec"]["serveConfigV2"]
    pending = (service.get("status") or {}).get("pendingServiceStatus") or {}
    if pending.get("rayClusterName"):
        return None, "KubeRay is starting a Ray cluster: nothing is changed until it answers."
    if is_under_way(text):
        return None, "An update is replacing models: nothing is changed until it has ended."
    schedule = Schedule.of_text(record, settings.zone)
    asleep = schedule.asleep(now + _AHEAD)
    found = with_minima(text, schedule.minima, {f"/{model}" for model in asleep})
    listed = ", ".join(
        f"{model} until {end:%a %d %b %H:%M %Z}" for model, end in sorted(asleep.items())
    )
    state = f"asleep: {listed or 'none'}"
    return (None, f"As it should be; {state}") if found == text else (found, f"Now {state}")


def _write(settings: Settings, service: Mapping[str, Any], text: str) -> None:
    version = service["metadata"]["resourceVersion"]
    kubernetes(
        settings,
        f"{settings.path}?fieldManager={FIELD_MANAGER}",
        "PATCH",
        [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/spec/serveConfigV2", "value": text},
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
