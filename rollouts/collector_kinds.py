"""The kinds of objects by which metrics are collected, and what is said if a cluster lacks them.

GKE brings those of Managed Prometheus while its managed collection is on. Those of the operator of
Prometheus come with the operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from models.monitoring import MonitoringSystem
from models.problems import Problem
from rollouts.sentence import Sentence, listed

_RULE: Final = "monitoring-kinds"
_PATH: Final = "ray-llm:monitoring"
_MADE_BY: Final = {
    MonitoringSystem.GMP: (
        "Switch managed collection on (`gcloud container clusters update CLUSTER "
        "--enable-managed-prometheus`)"
    ),
    MonitoringSystem.PROMETHEUS_OPERATOR: (
        "Install the operator first (`helm install prometheus kube-prometheus-stack --repo "
        "https://prometheus-community.github.io/helm-charts --namespace monitoring "
        "--create-namespace`; a program that installs it itself sets look_for_kinds=False)"
    ),
}


@dataclass(frozen=True, kw_only=True)
class CollectorKinds:
    """The kinds that a stack writes for who collects its metrics, without duplicates."""

    system: MonitoringSystem
    kinds: tuple[str, ...]

    @property
    def api_version(self) -> str:
        """The group and version of the kinds."""
        return self.system.api_version

    @property
    def instead(self) -> str:
        """The group and version of the kinds of the other system."""
        return self._other.api_version

    def judged(self, known: Mapping[str, frozenset[str]]) -> Problem | None:
        """What stops these objects; known: the cluster's kinds by group and version."""
        there = known.get(self.api_version, frozenset())
        missing = [kind for kind in self.kinds if kind not in there]
        if not missing:
            return None
        switch = f", or set {_PATH} to `none`"
        if known.get(self.instead):
            switch = f", or set {_PATH} to `{self._other}`, whose kinds the cluster has"
        return Problem(
            path=_PATH,
            value=self.system.value,
            reason=f"needs {listed(missing, len(missing))} of {self.api_version}, which the "
            "cluster does not know",
            remedy=f"{_MADE_BY[self.system]}{switch}",
            rule=_RULE,
        )

    def of_a_new_cluster(self) -> Sentence | None:
        """What is said if there is no way to the cluster yet; GKE brings its own kinds."""
        if self.system is MonitoringSystem.GMP:
            return None
        return Sentence(
            f"{_PATH}: {self.system.value} needs {listed(self.kinds, len(self.kinds))}, and this "
            "preview does not know the cluster yet. One that `up` creates does not know them, so "
            f"that `up` fails at its end, once the models answer. {_MADE_BY[self.system]} as soon "
            "as the cluster is there, or set it in a second `up`.",
            warns=True,
        )

    def not_seen(self, why: str) -> Sentence:
        """What is said if the cluster does not tell; why: a sentence."""
        return Sentence(
            f"Whether the cluster knows {listed(self.kinds, len(self.kinds))} was not seen: {why} "
            f"{_PATH}: {self.system.value} needs them.",
            warns=True,
        )

    @property
    def _other(self) -> MonitoringSystem:
        by_google = self.system is MonitoringSystem.GMP
        return MonitoringSystem.PROMETHEUS_OPERATOR if by_google else MonitoringSystem.GMP
