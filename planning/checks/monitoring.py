"""Whether alerts have metrics to look at, and somebody to tell."""

import re
from collections.abc import Iterable
from typing import Final

from models.monitoring import MonitoringSystem
from models.problems import Problem
from models.ways_out import leave_out, outside, use
from planning.checks.contexts import StackContext

_SYSTEM: Final = "ray-llm:monitoring"
_CHANNEL: Final = re.compile(r"projects/[^/\s]+/notificationChannels/[^/\s]+")


def monitoring_problems(context: StackContext) -> Iterable[Problem]:
    """Promises and channels that nothing would ever compare or tell."""
    settings = context.settings
    stated = {"slo": settings.slo, "alerts": settings.alerts}
    if settings.monitoring.system is MonitoringSystem.NONE:
        for key in (key for key, section in stated.items() if section is not None):
            yield Problem(
                path=f"ray-llm:{key}",
                reason="needs metrics, and ray-llm:monitoring says that nobody collects any",
                remedy="Set ray-llm:monitoring: gmp, or leave it out",
                rule="alerts-without-monitoring",
                candidates=(
                    use(_SYSTEM, MonitoringSystem.GMP.value, f"set {_SYSTEM}: gmp"),
                    leave_out(f"ray-llm:{key}", "leave it out"),
                ),
            )
    elif (
        settings.alerts is not None
        and settings.monitoring.system is MonitoringSystem.GMP
        and not _CHANNEL.fullmatch(settings.alerts.channel)
    ):
        yield Problem(
            path="ray-llm:alerts.channel",
            value=settings.alerts.channel,
            reason="is not the name of a notification channel of Google Cloud, "
            "projects/PROJECT/notificationChannels/NUMBER",
            remedy="Copy it from `gcloud beta monitoring channels list --format='value(name)'`",
            rule="alerts-channel",
            candidates=(
                outside(
                    "copy it from `gcloud beta monitoring channels list --format='value(name)'`"
                ),
                leave_out("ray-llm:alerts", "leave alerts out and read them in the console"),
            ),
        )


def adopted_collection_problems(context: StackContext) -> Iterable[Problem]:
    """What Managed Prometheus needs of an adopted cluster, which no file says.

    https://cloud.google.com/stackdriver/docs/managed-prometheus/setup-managed
    """
    settings = context.settings
    cluster, system = settings.cluster, settings.monitoring.system
    if system is not MonitoringSystem.GMP or not cluster.existing or not cluster.name:
        return
    yield Problem(
        path=_SYSTEM,
        value=system.value,
        reason="needs the managed collection of Managed Prometheus, which an adopted cluster may "
        "not have on, and without it `pulumi up` fails at an unknown kind, PodMonitoring",
        remedy="See whether `kubectl get crd podmonitorings.monitoring.googleapis.com` finds it, "
        "switch it on with `gcloud container clusters update --enable-managed-prometheus` if "
        "not, and then accept this warning",
        rule="managed-prometheus",
    )
