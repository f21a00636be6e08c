"""What changes between two plans of a stack: models, pools, all other settings, cost and quota.

Compares plans as data, so either one may come from a stack file, a git revision or the stack's
last output. Pulumi leaves null out of outputs, so a missing key counts as null.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from models.catalog import ray_releases
from models.stack import IDLE_TIMEOUT_SECONDS
from reports.access_sentences import access_changes
from reports.plan_data import Amounts, ModelSummary, PlanSummary, PoolSummary
from reports.rollout import (
    CLUSTER_FIELDS,
    CPU_POOL_FIELDS,
    HARDENING,
    MODEL_FIELDS,
    MONITORING,
    POOL_FIELDS,
    SCALING_FIELDS,
    SERVICE,
    VERSIONS,
    WEIGHTS,
    Rollout,
    of_pool_order,
    of_ways,
)

_NOTHING = Amounts(minimum=0, typical=0, maximum=0)
_ANOTHER_CLUSTER = frozenset({Rollout.SECOND_CLUSTER, Rollout.POOL_REPLACED_AND_SECOND_CLUSTER})


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value that differs. key: its path in the plan's data; rollout: what the change does."""

    key: str
    old: Any
    new: Any
    rollout: Rollout


@dataclass(frozen=True, kw_only=True)
class Changed:
    """One model or pool that is in both plans and differs."""

    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class QuotaChange:
    """One quota whose need differs; None if that plan does not need it."""

    metric: str
    old_peak: int | None
    new_peak: int | None
    old_upgrade: int | None
    new_upgrade: int | None
    limit: int | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What changes between an old and a new plan; `old` is None for a new stack.

    access: what changes for those who ask, one sentence each.
    """

    old: PlanSummary | None
    new: PlanSummary
    models_added: tuple[ModelSummary, ...]
    models_removed: tuple[ModelSummary, ...]
    models_changed: tuple[Changed, ...]
    pools_added: tuple[PoolSummary, ...]
    pools_removed: tuple[PoolSummary, ...]
    pools_changed: tuple[Changed, ...]
    pool_order: Rollout
    others: tuple[Change, ...]
    access: tuple[str, ...]
    quota: tuple[QuotaChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both plans are the same, cost included, which prices alone may change."""
        return not (
            self.models_added
            or self.models_removed
            or self.models_changed
            or self.pools_added
            or self.pools_removed
            or self.pools_changed
            or self.others
            or self.access
            or self.pool_order is not Rollout.AT_ONCE
            or self.quota
            or self.old_cost != self.new["cost"]["total"]
        )

    @property
    def old_cost(self) -> Amounts:
        """USD a month of the old plan; zero for a new stack."""
        return _NOTHING if self.old is None else self.old["cost"]["total"]

    @property
    def rollouts(self) -> tuple[tuple[Rollout, tuple[str, ...]], ...]:
        """Each kind of rollout that happens, the most disruptive first, with its causes."""
        causes: dict[Rollout, list[str]] = {}
        for rollout, cause in self._causes():
            causes.setdefault(rollout, []).append(cause)
        if causes.keys() & _ANOTHER_CLUSTER:
            # Every model loads anew anyway.
            causes.pop(Rollout.REPLICAS, None)
        return tuple(
            (rollout, tuple(dict.fromkeys(causes[rollout])))
            for rollout in reversed(Rollout)
            if rollout in causes
        )

    def _causes(self) -> Iterable[tuple[Rollout, str]]:
        if self.old is None:
            return
        for model in self.models_added:
            yield Rollout.AT_ONCE, f"model {model['name']} is added"
        for model in self.models_removed:
            yield Rollout.AT_ONCE, f"model {model['name']} is removed"
        for changed in self.models_changed:
            yield from _causes_of(f"model {changed.name}", changed)
        for changed in self.pools_changed:
            yield from _causes_of(f"pool {changed.name}", changed)
        yield from self._causes_of_pool_list()
        for change in self.others:
            yield change.rollout, change.key

    def _causes_of_pool_list(self) -> Iterable[tuple[Rollout, str]]:
        for pool in self.pools_removed:
            yield Rollout.SECOND_CLUSTER, f"pool {pool['id']} is removed"
        for pool in self.pools_added:
            if self.pool_order is Rollout.AT_ONCE:
                yield Rollout.AT_ONCE, f"pool {pool['id']} is added at the end of the list"
            else:
                cause = f"pool {pool['id']} is added, but not at the end of the list"
                yield Rollout.SECOND_CLUSTER, cause
        if self.pool_order is not Rollout.AT_ONCE and not (self.pools_added or self.pools_removed):
            yield Rollout.SECOND_CLUSTER, "the order of gpuPools"


def _causes_of(what: str, changed: Changed) -> Iterable[tuple[Rollout, str]]:
    """Each rollout that one model or pool causes, with the keys behind it."""
    for rollout in dict.fromkeys(change.rollout for change in changed.changes):
        keys = [change.key for change in changed.changes if change.rollout is rollout]
        yield rollout, f"{what}: {', '.join(keys)}"


def difference(old: PlanSummary | None, new: PlanSummary) -> Difference:
    """What changes from `old` to `new`."""
    old_models = {model["name"]: model for model in old["models"]} if old else {}
    new_models = {model["name"]: model for model in new["models"]}
    old_pools = {pool["id"]: pool for pool in old["gpuPools"]} if old else {}
    new_pools = {pool["id"]: pool for pool in new["gpuPools"]}
    return Difference(
        old=old,
        new=new,
        models_added=tuple(row for name, row in new_models.items() if name not in old_models),
        models_removed=tuple(row for name, row in old_models.items() if name not in new_models),
        models_changed=_changed(old_models, new_models, _model_changes),
        pools_added=tuple(row for name, row in new_pools.items() if name not in old_pools),
        pools_removed=tuple(row for name, row in old_pools.items() if name not in new_pools),
        pools_changed=_changed(old_pools, new_pools, _pool_changes),
        pool_order=of_pool_order(list(old_pools), list(new_pools)),
        others=() if old is None else tuple(_others(old, new)),
        access=access_changes(old, new),
        quota=tuple(_quota(old, new)),
    )


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], compare: Any) -> tuple[Changed, ...]:
    both = (
        Changed(name=name, changes=tuple(compare(old[name], row)))
        for name, row in new.items()
        if name in old
    )
    return tuple(changed for changed in both if changed.changes)


def _pool_changes(old: PoolSummary, new: PoolSummary) -> Iterable[Change]:
    ways = of_ways(old.get("capacity", ()), new.get("capacity", ()))
    # What plans of earlier versions do not say.
    default = {"idleTimeoutSeconds": IDLE_TIMEOUT_SECONDS}
    yield from _fields({**default, **old}, {**default, **new}, {**POOL_FIELDS, "capacity": ways})


def _model_changes(old: ModelSummary, new: ModelSummary) -> Iterable[Change]:
    yield from _fields(old, new, MODEL_FIELDS)
    before, after = old["configuration"], new["configuration"]
    keys = {
        key: Rollout.AT_ONCE if key in SCALING_FIELDS else Rollout.REPLICAS
        for key in [*before, *after]
    }
    yield from _fields(before, after, keys)


def _others(old: PlanSummary, new: PlanSummary) -> Iterable[Change]:
    replaced = {"project": Rollout.CLUSTER_REPLACED, "region": Rollout.CLUSTER_REPLACED}
    yield from _fields(old, new, replaced)
    yield from _fields(old["cluster"], new["cluster"], CLUSTER_FIELDS, "cluster.")
    cpu_pools = old["cluster"]["cpuPool"], new["cluster"]["cpuPool"]
    yield from _fields(*cpu_pools, CPU_POOL_FIELDS, "cluster.cpuPool.")
    yield from _fields(old["service"], new["service"], SERVICE, "service.")
    yield from _fields(old.get("hardening", {}), new.get("hardening", {}), HARDENING)
    yield from _fields(old.get("weights", {}), new.get("weights", {}), WEIGHTS, "weights.")
    monitoring = _monitoring(old), _monitoring(new)
    yield from _fields(*monitoring, _rollouts_of_monitoring(old, new), "monitoring.")
    yield from _fields(old["versions"], new["versions"], VERSIONS, "versions.")


def _monitoring(plan: PlanSummary) -> Mapping[str, Any]:
    return plan.get("monitoring") or {}


def _rollouts_of_monitoring(old: PlanSummary, new: PlanSummary) -> Mapping[str, Rollout]:
    """What changes of monitoring do: an engine that has to be told to count is of a new version."""
    release = ray_releases().get(new["versions"].get("ray", ""))
    switched = bool(_monitoring(old)) != bool(_monitoring(new))
    if switched and release and not release.logs_engine_metrics:
        return {**MONITORING, "system": Rollout.REPLICAS}
    return MONITORING


def _fields(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    rollouts: Mapping[str, Rollout],
    prefix: str = "",
) -> Iterable[Change]:
    for key, rollout in rollouts.items():
        before, after = old.get(key), new.get(key)
        if before != after:
            yield Change(key=f"{prefix}{key}", old=before, new=after, rollout=rollout)


def _quota(old: PlanSummary | None, new: PlanSummary) -> Iterable[QuotaChange]:
    before = {need["metric"]: need for need in old["quota"]} if old else {}
    after = {need["metric"]: need for need in new["quota"]}
    for metric in cast("Sequence[str]", dict.fromkeys([*after, *before])):
        was, is_ = before.get(metric), after.get(metric)
        change = QuotaChange(
            metric=metric,
            old_peak=was["peak"] if was else None,
            new_peak=is_["peak"] if is_ else None,
            old_upgrade=was["upgrade"] if was else None,
            new_upgrade=is_["upgrade"] if is_ else None,
            limit=is_.get("limit") if is_ else None,
        )
        if (change.old_peak, change.old_upgrade) != (change.new_peak, change.new_upgrade):
            yield change
