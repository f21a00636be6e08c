"""What is wrong with a running service: asked of its cluster, judged by pure rules.

This is all of diagnosis that other folders import. Only `cluster_of` imports the client, which
takes a third of a second. Nothing here changes anything: the client can only GET.
"""

from typing import TYPE_CHECKING

from diagnosis.catalogue import CATALOGUE, Diagnosis
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.judgement import diagnose
from diagnosis.log_lines import LogLine
from diagnosis.shown_values import ABSENT, NOT_SHOWN_VALUE, opened, shown_value
from diagnosis.snapshot import EngineLoad, Part, Snapshot, Unseen
from diagnosis.states import ModelState, model_states
from diagnosis.unreachable import UnreachableError
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
    "Snapshot",
    "UnreachableError",
    "Unseen",
    "cluster_of",
    "diagnose",
    "model_states",
    "opened",
    "shown_value",
]


def cluster_of(plan: Plan, context: str | None = None) -> "Cluster":
    """A connection to the cluster of a stack, by the caller's own kubeconfig and rights.

    context: the kubeconfig's; None for the stack's own. Raises UnreachableError if there is none.
    """
    from diagnosis.observation import Cluster

    return Cluster(plan, context)
