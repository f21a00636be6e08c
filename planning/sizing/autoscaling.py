"""How many replicas of a model and of its router, and at which load their number moves.

`target_ongoing_requests` is the load of one replica above which Serve adds another. It must be
reachable: below `max_ongoing_requests`, which caps what Serve hands to a replica, and not above
`max_num_seqs`, beyond which requests queue inside the engine where autoscaling is too late.
"""

import math
from collections.abc import Iterable
from typing import Final

from models.catalog import RayRelease, oldest_ray
from models.problems import Problem, Severity
from models.stack import Defaults, ModelDeployment
from planning.plan import Replicas

_MIN: Final = 1
_MAX: Final = 2
_TARGET_ONGOING_REQUESTS: Final = 50
# Ray Serve's own default is 30 s to scale up; an LLM replica takes minutes to start, so waiting
# longer before it is asked for helps nobody.
_UPSCALE_DELAY_SECONDS: Final = 10
_DOWNSCALE_DELAY_SECONDS: Final = 600
_SHORTEST_DOWNSCALE_SECONDS: Final = 60
# A router only parses and forwards: one serves several engines.
_ROUTER_TARGET_ONGOING_REQUESTS: Final = 100
_MAX_ROUTERS_FOR_AVAILABILITY: Final = 2


def replicas(
    deployment: ModelDeployment, defaults: Defaults, path: str, max_num_seqs: int
) -> tuple[Replicas | None, tuple[Problem, ...]]:
    """The replicas of a model; None with the reason where the range is empty."""
    low, high, problems = replica_range(deployment, defaults, path)
    if problems:
        return None, problems
    stated = deployment.target_ongoing_requests
    # The environment's habit gives way to a model with a small batch; a stated target does not.
    habit = defaults.target_ongoing_requests or _TARGET_ONGOING_REQUESTS
    target = stated or min(habit, max_num_seqs)
    upscale = _first(deployment.upscale_delay_seconds, defaults.upscale_delay_seconds)
    downscale = _first(deployment.downscale_delay_seconds, defaults.downscale_delay_seconds)
    return Replicas(
        min=low,
        initial=low,
        max=high,
        target_ongoing_requests=target,
        # A quarter above the target: Serve has to see more than the target to scale up.
        max_ongoing_requests=max(max_num_seqs, math.ceil(target * 1.25)),
        upscale_delay_seconds=_UPSCALE_DELAY_SECONDS if upscale is None else upscale,
        downscale_delay_seconds=_DOWNSCALE_DELAY_SECONDS if downscale is None else downscale,
    ), tuple(_target_problems(stated, max_num_seqs, path))


def replica_range(
    deployment: ModelDeployment, defaults: Defaults, path: str
) -> tuple[int, int, tuple[Problem, ...]]:
    """Minimum and maximum of a model's replicas, and a contradiction between the two."""
    own, habit = deployment.replicas, defaults.replicas
    low = _first(own.min, habit.min)
    high = _first(own.max, habit.max)
    if low is None and high is None:
        return _MIN, _MAX, ()
    if high is None:
        return low or 0, max(_MAX, low or 0), ()
    if low is None:
        return min(_MIN, high), high, ()
    if low <= high:
        return low, high, ()
    said_min = own.min is not None
    problem = Problem(
        path=f"{path}.replicas",
        value=f"min {low}" if said_min else f"max {high}",
        reason=f"is above the max {high} of ray-llm:defaults"
        if said_min
        else f"is below the min {low} of ray-llm:defaults",
        remedy="Give both min and max",
        rule="replica-range",
    )
    return low, high, (problem,)


def router_replicas(model: Replicas) -> Replicas:
    """The routers in front of a model: asleep with it, two where it is meant to stay up."""
    low = min(model.min, _MAX_ROUTERS_FOR_AVAILABILITY)
    inputs = model.max * model.max_ongoing_requests
    high = max(low, 1, math.ceil(inputs / _ROUTER_TARGET_ONGOING_REQUESTS))
    return Replicas(
        min=low,
        initial=low,
        max=high,
        target_ongoing_requests=_ROUTER_TARGET_ONGOING_REQUESTS,
        max_ongoing_requests=_ROUTER_TARGET_ONGOING_REQUESTS * 10,
        upscale_delay_seconds=_UPSCALE_DELAY_SECONDS,
        downscale_delay_seconds=_DOWNSCALE_DELAY_SECONDS,
    )


def scale_to_zero_problems(replicas_min: int, ray: RayRelease, path: str) -> Iterable[Problem]:
    """A warning where this Ray release wakes every model at start and keeps one replica."""
    if replicas_min == 0 and ray.scale_to_zero_broken:
        older = oldest_ray(lambda row: not row.scale_to_zero_broken)
        yield Problem(
            path=f"{path}.replicas",
            value="min 0",
            reason=f"does not reach zero on Ray {ray.ray}: its ingress wakes every model and one "
            "replica stays (ray-project/ray#59076), so a GPU is paid for all day",
            remedy=f"Use versions.ray: {older}" if older else "Use replicas.min: 1",
            rule="scale-to-zero-broken",
            severity=Severity.WARN,
        )


def downscale_problems(
    deployment: ModelDeployment, model: Replicas, path: str
) -> Iterable[Problem]:
    """A warning where replicas go faster than they come: a start takes minutes (Ray's own: 600 s).

    https://docs.ray.io/en/latest/serve/advanced-guides/advanced-autoscaling.html
    """
    stated = deployment.downscale_delay_seconds
    if stated is not None and stated < _SHORTEST_DOWNSCALE_SECONDS and model.min < model.max:
        yield Problem(
            path=f"{path}.downscaleDelaySeconds",
            value=stated,
            reason="takes a replica away after a pause that traffic has all the time, and the next "
            "one needs minutes for node, image and weights",
            remedy="Leave it out (600), or use 60 and more",
            rule="downscale-short",
            severity=Severity.WARN,
        )


def _target_problems(stated: int | None, max_num_seqs: int, path: str) -> Iterable[Problem]:
    if stated is not None and stated > max_num_seqs:
        yield Problem(
            path=f"{path}.targetOngoingRequests",
            value=stated,
            reason=f"is above the engine's max_num_seqs {max_num_seqs}, so requests would queue "
            "inside the engine before Ray Serve adds a replica",
            remedy=f"Use at most {max_num_seqs}, or raise engine.max_num_seqs",
            rule="target-above-batch",
        )


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
