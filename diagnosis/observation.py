"""Looks at the service of a plan, by the caller's kubeconfig."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from diagnosis.cluster_api import ClusterApi, NotReadError, connect
from diagnosis.gathering import Target, gather
from diagnosis.model_log import ModelLog, model_log
from diagnosis.node_hours import usage_by_kubernetes
from diagnosis.snapshot import Snapshot, listed
from diagnosis.unreachable import UnreachableError
from diagnosis.usage import Period, Usage
from models.gke_context import gke_context
from models.spelling import nearest
from planning import ModelPlan, Plan


class Cluster:
    """A connection to the cluster of a stack; many questions share its sign-in."""

    def __init__(self, plan: Plan, context: str | None = None) -> None:
        """context: the kubeconfig's; None for the stack's own. Raises UnreachableError."""
        self._plan = plan
        self._api: ClusterApi = connect(lambda contexts: _context(plan, contexts, context))

    @property
    def context(self) -> str:
        """The name of the kubeconfig's context."""
        return self._api.context

    def snapshot(self) -> Snapshot:
        """What the APIs answer now. Raises UnreachableError."""
        return gather(self._api, Target.of(self._plan))

    def usage(self, period: Period) -> Usage:
        """What ran in a period, as far as it is still known. Raises UnreachableError."""
        snapshot = self.snapshot()
        params = {"fieldSelector": "involvedObject.kind=Node", "limit": "500"}
        try:
            answer = self._api.read("/api/v1/namespaces/default/events", params).content
            events, unread = tuple(listed(answer.get("items"))), ""
        except NotReadError as error:
            events, unread = (), f"Events of nodes: {error}."
        found = usage_by_kubernetes(snapshot, events, self._plan, period)
        return replace(found, gaps=(*found.gaps, unread)) if unread else found

    def log(self, model: ModelPlan, since: timedelta | None = None) -> ModelLog:
        """What is written about a model. Raises UnreachableError."""
        return model_log(self._api, self._plan, model, since)


def _context(plan: Plan, contexts: Mapping[str, Any], wanted: str | None) -> str | None:
    """The named context, or the stack's: cluster.context, or gcloud's name of its cluster.

    None, the current one, if the kubeconfig has neither.
    """
    chosen = wanted or plan.cluster.context
    if chosen is not None:
        if chosen not in contexts:
            raise UnreachableError(
                f"The kubeconfig has no context {chosen}. {nearest(chosen, contexts)}"
                "`kubectl config get-contexts` lists them."
            )
        return chosen
    cluster = plan.cluster
    own = gke_context(plan.project, cluster.location, cluster.name)
    return own if own in contexts else None
