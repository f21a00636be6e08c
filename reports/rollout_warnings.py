"""Warnings before a change of a stack is applied: what it takes down or needs twice.

https://github.com/ray-project/kuberay/issues/2331 and /4239, and the ForceNew fields of
terraform-provider-google (hashicorp/terraform-provider-google#23248).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from models.catalog import ray_releases
from models.problems import Problem, Severity
from reports.change_effects import ChangeEffects
from reports.difference import Difference
from reports.rollout import Rollout

_REPLACED: Final = (
    "rollout-pool-replaced",
    "Append a second pool, move its models there, and remove the first one afterwards",
)
RULES: Final[Mapping[Rollout, tuple[str, str]]] = {
    Rollout.SECOND_CLUSTER: (
        "rollout-second-cluster",
        "Make sure that twice the GPUs are there, or append pools at the end of ray-llm:gpuPools",
    ),
    Rollout.POOL_REPLACED: _REPLACED,
    Rollout.POOL_REPLACED_AND_SECOND_CLUSTER: _REPLACED,
    Rollout.SERVICE_REPLACED: (
        "rollout-service-replaced",
        "Keep name and namespace, or inform the clients first",
    ),
    Rollout.CLUSTER_REPLACED: (
        "rollout-cluster-replaced",
        "Create a separate stack for the other cluster",
    ),
}


# The rule that stops what another one would warn of.
_STOPS: Final[Mapping[str, str]] = {
    "rollout-pool-replaced": "pool-replaced",
    "rollout-cluster-replaced": "cluster-replaced",
}


def rollout_problems(
    difference: Difference, effects: ChangeEffects | None = None
) -> Iterable[Problem]:
    """A warning for each disruptive kind of rollout, with its causes; none for a new stack.

    effects: what the change does, if both stack files are known. It has what stops the change.
    """
    for rollout, causes in difference.rollouts:
        if rollout not in RULES or _is_said(rollout, effects):
            continue
        rule, remedy = RULES[rollout]
        if rollout is Rollout.SECOND_CLUSTER and (stay := _how_to_stay(difference)):
            remedy += f"; {stay}"
        yield Problem(
            path=", ".join(causes),
            reason=str(rollout),
            remedy=remedy,
            rule=rule,
            severity=Severity.WARN,
        )


def _is_said(rollout: Rollout, effects: ChangeEffects | None) -> bool:
    """Whether the effects say something else of it, or the same more exactly."""
    if effects is None:
        return False
    if rollout is Rollout.SECOND_CLUSTER:
        # With `recreate` no GPU is needed twice.
        return effects.recreates or not (effects.prediction and effects.prediction.causes)
    stop = _STOPS.get(RULES[rollout][0])
    return any(problem.rule == stop for problem in effects.problems)


def _how_to_stay(difference: Difference) -> str | None:
    """How to keep the Ray that runs; None if it stays or is no longer in the table."""
    ray = next((change for change in difference.others if change.key == "versions.ray"), None)
    if ray is None or ray.old not in ray_releases():
        return None
    return f"ray-llm:versions: {{ray: {ray.old}}} keeps the release that runs"


def rollout_rules() -> tuple[str, ...]:
    """The ids of these rules."""
    return tuple(rule for rule, _ in RULES.values())
