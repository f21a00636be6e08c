"""Which models sleep in which windows, and how many nodes are not paid for meanwhile.

A node is not gone when its window begins: replicas stay for the downscale delay, Ray's worker for
its idle timeout, and GKE's autoscaler waits before it takes an empty node away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

from models.stack import OffHoursWindow, StackSettings
from planning.budget.sleep_hours import Sleeper, Times, asleep_shares, hours_a_week
from planning.infrastructure.bin_packing import nodes_for
from planning.plan import ModelPlan, OffHoursPlan, PoolPlan, WindowPlan
from planning.plan_costs import Levels

# What GKE's autoscaler waits before it removes an empty node:
# https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-autoscaler
_EMPTY_NODE_SECONDS: Final = 600
_HUNDREDTH: Final = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Sleepers:
    """The models of a stack and when they sleep."""

    settings: StackSettings
    models: tuple[ModelPlan, ...]

    @cached_property
    def windows(self) -> Mapping[str, tuple[Times, ...]]:
        """The windows of each model that has a minimum and a window, by served name."""
        found = {
            model.name: tuple(
                times_of(window)
                for window in self.settings.off_hours
                if concerns(window, model.name)
            )
            for model in self.models
            if model.replicas.min
        }
        return {name: windows for name, windows in found.items() if windows}

    def of(self, model: ModelPlan, pool: PoolPlan) -> Sleeper | None:
        """Its windows with the time until its nodes are gone; None if it does not sleep."""
        windows = self.windows.get(model.name)
        if windows is None:
            return None
        return Sleeper(windows, node_stays_seconds(model, pool))


def node_stays_seconds(model: ModelPlan, pool: PoolPlan) -> int:
    """How long a node is paid for after the last request to the last model on it."""
    delay = model.replicas.downscale_delay_seconds
    return delay + pool.idle_timeout_seconds + _EMPTY_NODE_SECONDS


def nodes_go(sleepers: Sleepers, pool: PoolPlan) -> bool:
    """Whether a pool needs fewer nodes at the minimum if all models with a window sleep at once."""
    here = [model for model in sleepers.models if model.pool == pool.id]
    awake = [model for model in here if model.name not in sleepers.windows]
    return _at_minimum(pool, awake) < _at_minimum(pool, here)


def concerns(window: OffHoursWindow, model: str) -> bool:
    """Whether a model sleeps in a window."""
    return window.models is None or model in window.models


def times_of(window: OffHoursWindow) -> Times:
    """When a window begins and ends."""
    return Times(window.sleep, window.wake, window.time_zone)


def off_hours_plan(settings: StackSettings, models: Sequence[ModelPlan]) -> OffHoursPlan | None:
    """The windows as they are deployed; None if no model sleeps in any."""
    sleeping = Sleepers(settings=settings, models=tuple(models)).windows
    windows = (
        WindowPlan(
            path=window.path,
            sleep=window.sleep,
            wake=window.wake,
            time_zone=window.time_zone,
            models=tuple(name for name in sleeping if concerns(window, name)),
        )
        for window in settings.off_hours
    )
    planned = tuple(window for window in windows if window.models)
    if not planned:
        return None
    hours = {name: hours_a_week(times).quantize(_HUNDREDTH) for name, times in sleeping.items()}
    return OffHoursPlan(windows=planned, hours_a_week=hours)


def nodes_asleep(sleepers: Sleepers, pool: PoolPlan, nodes: Levels, load_factor: Decimal) -> Levels:
    """How many nodes of a pool are not there on the average, by the three loads.

    nodes: those of the pool without off-hours.

    At the maximum all models are busy day and night, so that nothing is saved. The busy hours of a
    typical month are taken to lie in the hours in which the pool's models do not sleep.
    """
    here = [model for model in sleepers.models if model.pool == pool.id]
    found = {
        model.name: sleeper for model in here if (sleeper := sleepers.of(model, pool)) is not None
    }
    none = Levels.total(())
    if not found:
        return none
    shares = asleep_shares(tuple(sorted(set(found.values()))))
    least = sum(
        (
            share
            * _at_minimum(pool, [model for model in here if found.get(model.name) not in gone])
            for share, gone in shares
        ),
        Decimal(0),
    )
    asleep = {
        sleeper: sum((share for share, gone in shares if sleeper in gone), Decimal(0))
        for sleeper in found.values()
    }
    always_awake = any(model.name not in found for model in here)
    awake = Decimal(1) if always_awake else 1 - min(asleep.values())
    typical = least + min(load_factor, awake) * (nodes.maximum - nodes.minimum)
    return Levels(
        minimum=nodes.minimum - least,
        typical=max(Decimal(0), nodes.typical - typical),
        maximum=Decimal(0),
    )


def _at_minimum(pool: PoolPlan, awake: Sequence[ModelPlan]) -> int:
    needed = nodes_for(
        [model.gpus_per_replica for model in awake for _ in range(model.replicas.min)],
        pool.tier.gpu_count,
    )
    return max(pool.min_nodes, min(needed, pool.max_nodes))
