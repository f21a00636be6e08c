"""What is wrong with a running service: asked of its cluster, judged by pure rules.

This is all of diagnosis that other folders import. Only `cluster_of` imports the client, which
takes a third of a second. Nothing here changes anything: the client can only GET.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from diagnosis.catalogue import CATALOGUE, Diagnosis
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.judgement import diagnose
from diagnosis.log_lines import LogLine
from diagnosis.shown_values import ABSENT, NOT_SHOWN_VALUE, opened, shown_value
from diagnosis.snapshot import EngineLoad, Part, Snapshot, Unseen
from diagnosis.states import ModelState, model_states
from diagnosis.unreachable import UnreachableError
from diagnosis.usage import Period, Usage
from manifests import place_labels
from planning import Plan

if TYPE_CHECKING:
    from diagnosis.observation import Cluster

__all__ = [
    "ABSENT",
    "CATALOGUE",
    "NOT_SHOWN_VALUE",
    "Diagnosis",
    "EngineLoad",
    "Finding",
    "Gravity",
    "LogLine",
    "Mend",
    "ModelState",
    "Part",
    "Period",
    "Snapshot",
    "UnreachableError",
    "Unseen",
    "Usage",
    "cluster_of",
    "diagnose",
    "model_states",
    "opened",
    "prometheus_usage",
    "shown_value",
]


def cluster_of(plan: Plan, context: str | None = None) -> "Cluster":
    """A connection to the cluster of a stack, by the caller's own kubeconfig and rights.

    context: the kubeconfig's; None for the stack's own. Raises UnreachableError if there is none.
    """
    from diagnosis.observation import Cluster

    return Cluster(plan, context)


def prometheus_usage(
    plan: Plan, url: str, period: Period, matchers: Mapping[str, str] | None = None
) -> Usage:
    """What ran in a period, asked of a Prometheus.

    matchers: labels of the stack's series besides its namespace, and in Google's store its cluster.
    Raises UnreachableError if it does not answer, or answers otherwise than a Prometheus.
    """
    from diagnosis.prometheus import Prometheus

    return Prometheus(url, {**place_labels(plan), **(matchers or {})}).usage(plan, period)
