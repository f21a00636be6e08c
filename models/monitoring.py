"""What is measured and who is told: `ray-llm:monitoring`, `ray-llm:slo` and `ray-llm:alerts`."""

import re
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, model_validator

from models.invalid_value import InvalidValueError
from models.names import NamespaceName, NonEmpty
from models.settings import Settings

_EMPTY: Final = "''"
_LABEL: Final = re.compile(
    r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class MonitoringSystem(StrEnum):
    """Who collects metrics.

    GMP: Google's Managed Service for Prometheus, which GKE runs in new clusters.
    PROMETHEUS_OPERATOR: a Prometheus in the cluster that follows PodMonitors.
    NONE: nobody, and nothing is written for it.
    """

    GMP = "gmp"
    PROMETHEUS_OPERATOR = "prometheus-operator"
    NONE = "none"

    @property
    def api_version(self) -> str:
        """The group and version of its objects; KeyError for NONE."""
        return _API_VERSIONS[self]


_API_VERSIONS: Final = {
    MonitoringSystem.GMP: "monitoring.googleapis.com/v1",
    MonitoringSystem.PROMETHEUS_OPERATOR: "monitoring.coreos.com/v1",
}


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        if not (_LABEL.fullmatch(name) and _LABEL_VALUE.fullmatch(value)):
            raise InvalidValueError(
                f"has {name}: {value or _EMPTY}, which is no label of Kubernetes",
                "Write the labels that your Prometheus selects PodMonitors by",
            )
    return labels


class MonitoringSettings(Settings):
    """Who collects metrics, and how it finds what it has to collect.

    labels: what the operator of Prometheus selects PodMonitors and rules by; often one such as
        `release: kube-prometheus-stack`.
    namespace: where that Prometheus runs, so that the network policies let it in.
    """

    system: Annotated[MonitoringSystem, Field(strict=False)] = MonitoringSystem.NONE
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(default_factory=dict)
    namespace: NamespaceName = "monitoring"

    @model_validator(mode="after")
    def _of_the_operator(self) -> "MonitoringSettings":
        others = [key for key in ("labels", "namespace") if key in self.model_fields_set]
        if others and self.system is not MonitoringSystem.PROMETHEUS_OPERATOR:
            raise InvalidValueError(
                f"says {' and '.join(others)}, which only prometheus-operator reads",
                f"Remove {' and '.join(others)}, or write system: prometheus-operator",
                *((key, None) for key in others[:1]),
                ("system", MonitoringSystem.PROMETHEUS_OPERATOR.value),
            )
        return self


def system_written_out(section: Any) -> Any:
    """The section with its short form, the name of the system alone, as a mapping."""
    return {"system": section} if isinstance(section, str) else section


class SloSettings(Settings):
    """What users may expect; a model that is slower raises an alert.

    time_to_first_token_seconds: 95 of 100 answers begin within it. vLLM counts all that take more
        than 2,560 seconds together, so that a longer promise could never be seen broken.
    """

    time_to_first_token_seconds: Annotated[float, Field(gt=0, lt=2560, allow_inf_nan=False)]


class AlertSettings(Settings):
    """Who is told of an alert.

    channel: with gmp a notification channel of Google Cloud, `projects/P/notificationChannels/N`;
        with prometheus-operator the value of the alerts' label `channel`, by which Alertmanager
        routes.
    """

    channel: NonEmpty
