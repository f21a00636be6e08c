"""Autoscaling that cannot do what it is set to: keep a replica that is needed soon."""

from collections.abc import Iterable
from typing import Final

from models.problems import Problem
from models.ways_out import leave_out, use
from planning.checks.contexts import PlacedContext

_SHORTEST_DOWNSCALE_SECONDS: Final = 60


def downscale_problems(context: PlacedContext) -> Iterable[Problem]:
    """A warning if replicas go faster than they start, which takes minutes (Ray's default: 600 s).

    https://docs.ray.io/en/latest/serve/advanced-guides/advanced-autoscaling.html
    """
    stated = context.spec.deployment.downscale_delay_seconds
    replicas = context.model.replicas
    if stated is not None and stated < _SHORTEST_DOWNSCALE_SECONDS and replicas.min < replicas.max:
        yield Problem(
            path=f"{context.path}.downscaleDelaySeconds",
            value=stated,
            reason="removes a replica after a pause that is common in any traffic, and the next "
            "one needs minutes for node, image and weights",
            remedy="Use a longer delay",
            rule="downscale-short",
            candidates=(
                leave_out(f"{context.path}.downscaleDelaySeconds", "leave it out (600)"),
                use(
                    f"{context.path}.downscaleDelaySeconds",
                    _SHORTEST_DOWNSCALE_SECONDS,
                    f"use {_SHORTEST_DOWNSCALE_SECONDS} or more",
                ),
            ),
        )
