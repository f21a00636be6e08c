"""How many replicas of a model and of its router, and at which load their number changes.

`target_ongoing_requests` is the load of one replica above which Serve adds another. It must be
reachable: below `max_ongoing_requests`, which caps what Serve hands to a replica, and not above
`max_num_seqs`, because requests beyond it queue inside the engine, which autoscaling does not see.
"""

import math
from collections.abc import Iterable
from typing import Final

from models.problems import Problem
from models.stack import Defaults, ModelDeployment
from models.ways_out import use
from planning.plan import Replicas

_MIN: Final = 1
_MAX: Final = 2
_TARGET_ONGOING_REQUESTS: Final = 50
# Ray Serve's own default is 30 s to scale up; an LLM replica takes minutes to start, so waiting
# longer before asking for it has no benefit.
_UPSCALE_DELAY_SECONDS: Final = 10
_DOWNSCALE_DELAY_SECONDS: Final = 600
# Ray Serve averages the load of a deployment over this long (`look_back_period_s`), so the delay
# begins only when the last request has left the average. Ray's 30 s have five looks; these have 20.
_LOOK_BACK_SECONDS: Final = 20
_SHORTEST_LOOK_BACK_SECONDS: Final = 10
# Ray Serve does not count requests: it looks whether one runs, with 2.60.0 every 6 s, but at least
# once in `metrics_interval_s`. With the default of 10 s a model that answers quickly sleeps while
# it is used (docs/ray-options.md, "A model that answers quickly").
_METRICS_INTERVAL_SECONDS: Final = 1
# Ray's defaults: the proxy of each node reports on the routers of each model, and the controller
# reads all of it.
_ROUTER_LOOK_BACK_SECONDS: Final = 30
_ROUTER_METRICS_INTERVAL_SECONDS: Final = 10
# A router only parses and forwards: one serves several engines.
_ROUTER_TARGET_ONGOING_REQUESTS: Final = 100
_MAX_ROUTERS_FOR_AVAILABILITY: Final = 2


def replicas(
    deployment: ModelDeployment, defaults: Defaults, path: str, max_num_seqs: int
) -> tuple[Replicas | None, tuple[Problem, ...]]:
    """The replicas of a model; None with the reason if the range is empty."""
    low, high, problems = replica_range(deployment, defaults, path)
    if problems:
        return None, problems
    stated = deployment.target_ongoing_requests
    # The stack's default is lowered for a model with a small batch; the model's own target is not.
    default = defaults.target_ongoing_requests or _TARGET_ONGOING_REQUESTS
    target = stated or min(default, max_num_seqs)
    upscale = _first(deployment.upscale_delay_seconds, defaults.upscale_delay_seconds)
    downscale = _first(deployment.downscale_delay_seconds, defaults.downscale_delay_seconds)
    downscale = _DOWNSCALE_DELAY_SECONDS if downscale is None else downscale
    return Replicas(
        min=low,
        max=high,
        target_ongoing_requests=target,
        # A quarter above the target: Serve has to see more than the target to scale up.
        max_ongoing_requests=max(max_num_seqs, math.ceil(target * 1.25)),
        upscale_delay_seconds=_UPSCALE_DELAY_SECONDS if upscale is None else upscale,
        downscale_delay_seconds=downscale,
        look_back_seconds=_look_back_seconds(downscale),
        metrics_interval_seconds=_METRICS_INTERVAL_SECONDS,
    ), tuple(_target_problems(stated, max_num_seqs, path))


def replica_range(
    deployment: ModelDeployment, defaults: Defaults, path: str
) -> tuple[int, int, tuple[Problem, ...]]:
    """Minimum and maximum of a model's replicas, and a contradiction between the two."""
    own, default = deployment.replicas, defaults.replicas
    low = _first(own.min, default.min)
    high = _first(own.max, default.max)
    if low is None and high is None:
        return _MIN, _MAX, ()
    if high is None:
        return low or 0, max(_MAX, low or 0), ()
    if low is None:
        return min(_MIN, high), high, ()
    if low <= high:
        return low, high, ()
    own_min = own.min is not None
    problem = Problem(
        path=f"{path}.replicas",
        value=f"min {low}" if own_min else f"max {high}",
        reason=f"is above the max {high} of ray-llm:defaults"
        if own_min
        else f"is below the min {low} of ray-llm:defaults",
        remedy="Give both min and max",
        rule="replica-range",
        candidates=(
            use(f"{path}.replicas.{'max' if own_min else 'min'}", low if own_min else high),
            use(f"{path}.replicas.{'min' if own_min else 'max'}", high if own_min else low),
        ),
    )
    return low, high, (problem,)


def router_replicas(model: Replicas) -> Replicas:
    """The routers in front of a model: none while it sleeps, two if it has to stay available."""
    low = min(model.min, _MAX_ROUTERS_FOR_AVAILABILITY)
    requests = model.max * model.max_ongoing_requests
    high = max(low, 1, math.ceil(requests / _ROUTER_TARGET_ONGOING_REQUESTS))
    return Replicas(
        min=low,
        max=high,
        target_ongoing_requests=_ROUTER_TARGET_ONGOING_REQUESTS,
        max_ongoing_requests=_ROUTER_TARGET_ONGOING_REQUESTS * 10,
        upscale_delay_seconds=_UPSCALE_DELAY_SECONDS,
        downscale_delay_seconds=_DOWNSCALE_DELAY_SECONDS,
        look_back_seconds=_ROUTER_LOOK_BACK_SECONDS,
        metrics_interval_seconds=_ROUTER_METRICS_INTERVAL_SECONDS,
    )


def _look_back_seconds(downscale_delay: int) -> int:
    """No longer than the delay: whoever wants replicas to go in 5 s should not wait for 45."""
    return min(_LOOK_BACK_SECONDS, max(_SHORTEST_LOOK_BACK_SECONDS, downscale_delay))


def _target_problems(stated: int | None, max_num_seqs: int, path: str) -> Iterable[Problem]:
    if stated is not None and stated > max_num_seqs:
        yield Problem(
            path=f"{path}.targetOngoingRequests",
            value=stated,
            reason=f"is above the engine's max_num_seqs {max_num_seqs}, so requests queue inside "
            "the engine before Ray Serve adds a replica",
            remedy="Lower it, or raise engine.max_num_seqs",
            rule="target-above-batch",
            candidates=(
                use(f"{path}.targetOngoingRequests", max_num_seqs, f"use at most {max_num_seqs}"),
                use(f"{path}.engine.max_num_seqs", stated),
            ),
        )


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
