"""What it means if an edit gives the cluster or the service another identity.

Neither has a rename: Pulumi makes another one and deletes the old one.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.problems import Problem
from models.stack import RolloutStrategy
from rollouts.guards import Policy, judged, refused_in_place
from rollouts.room import Room, counts, noted_quota, shortages
from rollouts.sentence import Sentence, listed

ServiceFields = Mapping[str, Any]
"""What is remembered of a service: its namespace and name, the nodes that it keeps by pool, what
each of these takes of quotas, and the name of its smoke test's Job."""

_NAMED: Final = 5
# Identity of the cluster -> key of the stack file.
_KEYS: Final[Mapping[str, str]] = {
    "project": "gcp:project",
    "name": "ray-llm:cluster.name",
    "location": "ray-llm:cluster.location",
    "existing": "ray-llm:cluster.existing",
    "network": "ray-llm:cluster.network",
    "subnetwork": "ray-llm:cluster.subnetwork",
}


def cluster_fields(
    project: Any,
    name: Any,
    location: Any,
    *,
    existing: bool,
    network: Any,
    subnetwork: Any,
    protected: bool,
) -> Mapping[str, Any]:
    """What is remembered of a cluster; protected: whether the next change of it is stopped."""
    return {
        "project": project,
        "name": name,
        "location": location,
        "existing": existing,
        "network": network,
        "subnetwork": subnetwork,
        "protected": protected,
    }


def cluster_sentence(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sentence | None:
    """What happens to the GKE cluster if its identity becomes another one; None if it stays.

    old, new: `cluster_fields`, as far as they are known.
    """
    changed = _changed(old, new)
    if not changed:
        return None
    why = f"because {_change([_KEYS[key] for key in changed])}"
    if old.get("existing"):
        return Sentence(
            f"The models leave the cluster {old.get('name')}, which stays as it is, {why}: what "
            "this stack has in it is deleted at the end of the `up`.",
            warns=True,
        )
    after = "No model answers until the other cluster has loaded it."
    if new.get("existing"):
        after = (
            "No cluster of that name is left that could be adopted."
            if all(old.get(key) == new.get(key) for key in ("project", "name", "location"))
            else f"The models start in {new.get('name')}, which others own."
        )
    return Sentence(
        f"The GKE cluster {old.get('name')} is deleted with everything in it, {why}, which GKE "
        f"does not change in place. {after}",
        warns=True,
    )


def cluster_problem(old: Mapping[str, Any], new: Mapping[str, Any]) -> Problem | None:
    """What stops the replacement of a protected cluster; None if it stays.

    What counts is the protection that the state has: Pulumi's is the same.
    """
    changed = _changed(old, new)
    if not changed or old.get("existing") or not old.get("protected"):
        return None
    return Problem(
        path=_KEYS[changed[0]],
        value=str(new.get(changed[0])),
        reason=f"deletes the GKE cluster {old.get('name')} with everything in it, and "
        "ray-llm:cluster.deletionProtection protects it",
        remedy="Take it back. To give the cluster up nevertheless, write deletionProtection: false "
        "in an `up` of its own first",
        rule="cluster-replaced",
    )


def service_fields(namespace: str, name: str, room: Room, *, smoke_test: str) -> ServiceFields:
    """What is remembered of a service; smoke_test: the name of its Job, a hash of what it tests."""
    return {
        "service": {"namespace": namespace, "name": name},
        "nodes": {pool.id: pool.nodes for pool in room.pools},
        "quota": room.node_quota,
        "smokeTest": smoke_test,
    }


def service_sentence(old: ServiceFields, new: ServiceFields) -> Sentence | None:
    """What happens to the service under another name or namespace; None if it stays."""
    if not _is_renamed(old, new):
        return None
    before, after = (
        f"{item['service'].get('name')} in the namespace {item['service'].get('namespace')}"
        for item in (old, new)
    )
    gpus = (
        "which takes the GPUs twice"
        if any(counts(new.get("nodes")).values())
        else "which needs no GPU until a request comes"
    )
    return Sentence(
        f"The service {before} becomes {after}: another one starts beside it, {gpus}, and once all "
        "of its models answer, the old one is deleted. Whatever else changes, the new one alone "
        "has. Clients need the new address.",
        warns=True,
    )


def service_problems(
    old: ServiceFields, new: ServiceFields, room: Room, policy: Policy
) -> tuple[Problem, ...]:
    """What stops another service beside the old one; none if it stays.

    It is the same as for a second Ray cluster: `shortages`, and a strategy that refuses it.
    """
    if not _is_renamed(old, new):
        return ()
    before = noted_quota(old.get("quota"))
    found = [*shortages(counts(old.get("nodes")), room.with_pools_that_go(before))]
    if policy.strategy is RolloutStrategy.IN_PLACE_ONLY:
        found.append(refused_in_place("another service starts beside the old one"))
    fields = [{key: item.get(key) for key in new} for item in (old, new)]
    return judged(found, fields, policy.allow)


def _is_renamed(old: ServiceFields, new: ServiceFields) -> bool:
    before = old.get("service")
    return isinstance(before, Mapping) and dict(before) != dict(new["service"])


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    # A key that only one of them has is another version's, and no change.
    return [key for key in _KEYS if key in old and key in new and old[key] != new[key]]


def _change(keys: list[str]) -> str:
    return f"{listed(keys, _NAMED)} {'changes' if len(keys) == 1 else 'change'}"
