"""Whether alerts have metrics to look at, and somebody to tell."""

import re
from collections.abc import Iterable
from typing import Final

from models.monitoring import MonitoringSystem
from models.problems import Problem
from models.ways_out import leave_out, outside, use
from planning.checks.contexts import StackContext

_SYSTEM: Final = "ray-llm:monitoring"
_TEMPLATE: Final = "{{"
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
    elif settings.alerts is None:
        return
    elif settings.monitoring.system is MonitoringSystem.PROMETHEUS_OPERATOR:
        yield from _label_problems(settings.alerts.channel)
    elif not _CHANNEL.fullmatch(settings.alerts.channel):
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
                leave_out(
                    "ray-llm:alerts",
                    "leave alerts out, so that an Alertmanager of the cluster tells of them",
                ),
            ),
        )


def _label_problems(channel: str) -> Iterable[Problem]:
    """Prometheus reads labels of alerts as Go templates, and refuses all rules for a broken one.

    https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/#templating
    """
    if _TEMPLATE not in channel:
        return
    yield Problem(
        path="ray-llm:alerts.channel",
        value=channel,
        reason=f"has {_TEMPLATE}, with which a template of Prometheus begins, and a template that "
        "it cannot read costs the stack all its rules",
        remedy="Write the plain text by which Alertmanager routes, such as on-call",
        rule="alerts-channel",
        candidates=(
            outside("write the plain text by which Alertmanager routes, such as on-call"),
            leave_out("ray-llm:alerts", "leave alerts out"),
        ),
    )


def promise_problems(context: StackContext) -> Iterable[Problem]:
    """Models whose first tokens no alert compares with the stack's promise."""
    settings = context.settings
    if settings.slo is None or settings.monitoring.system is MonitoringSystem.NONE:
        return
    unseen = [model.name for model in context.models if not model.has_engine_metrics]
    if unseen:
        yield Problem(
            path="ray-llm:slo.timeToFirstTokenSeconds",
            value=f"{settings.slo.time_to_first_token_seconds:g}",
            reason=f"is compared with nothing for {', '.join(unseen)}, whose engine exports no "
            "metrics, as the V0 engine (T4, Ray 2.49) and one with disable_log_stats",
            remedy="Choose another gpu or release for it, or accept that no alert says that it is "
            "slow",
            rule="slo-unseen",
            candidates=(
                outside("choose another gpu or release for it"),
                outside("accept that no alert says that it is slow"),
            ),
        )
