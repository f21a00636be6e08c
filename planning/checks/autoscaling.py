"""Autoscaling that cannot do what it is set to: keep a replica that is needed soon."""

import math
from collections.abc import Iterable
from typing import Final

from models.problems import Problem
from models.ways_out import leave_out, use
from planning.budget.off_hours import concerns
from planning.checks.contexts import PlacedContext, StackContext

_SHORTEST_DOWNSCALE_SECONDS: Final = 60
# Assumed of an answer without generated text, and of how seldom a model is asked that is in use.
_POOLED_ANSWER_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 60
_ACCEPTED_CHANCE: Final = 0.05
_ENOUGH_SECONDS: Final = 3600


def downscale_problems(context: StackContext) -> Iterable[Problem]:
    """A warning if replicas go faster than they start, which takes minutes (Ray's default: 600 s).

    https://docs.ray.io/en/latest/serve/advanced-guides/advanced-autoscaling.html
    """
    stated = {model.path: model.downscale_delay_seconds for model in context.settings.models}
    default = "ray-llm:defaults"
    stated[default] = context.settings.defaults.downscale_delay_seconds
    paths = {
        model.path if stated.get(model.path) is not None else default
        for model in context.models
        if model.replicas.min < model.replicas.max
        or any(concerns(window, model.name) for window in context.settings.off_hours)
    }
    for path, seconds in stated.items():
        if path in paths and seconds is not None and seconds < _SHORTEST_DOWNSCALE_SECONDS:
            yield Problem(
                path=f"{path}.downscaleDelaySeconds",
                value=seconds,
                reason="removes a replica after a pause that is common in any traffic, and the "
                "next one needs minutes for node, image and weights",
                remedy="Use a longer delay",
                rule="downscale-short",
                candidates=(
                    leave_out(f"{path}.downscaleDelaySeconds", "leave it out (600)"),
                    use(
                        f"{path}.downscaleDelaySeconds",
                        _SHORTEST_DOWNSCALE_SECONDS,
                        f"use {_SHORTEST_DOWNSCALE_SECONDS} or more",
                    ),
                ),
            )


def unseen_use_problems(context: PlacedContext) -> Iterable[Problem]:
    """A warning if a model may sleep while it is used, because answers are too quick to be seen.

    Ray Serve looks for running requests once in `metrics_interval_s`. docs/ray-options.md, "A model
    that answers quickly", has the measurement and the formula.
    """
    replicas = context.model.replicas
    if replicas.min > 0 or not context.model.task.pools:
        return
    seconds = replicas.downscale_delay_seconds + replicas.look_back_seconds
    looks = seconds / replicas.metrics_interval_seconds
    chance = math.exp(-looks * _POOLED_ANSWER_SECONDS / _PAUSE_SECONDS)
    if chance > _ACCEPTED_CHANCE:
        yield Problem(
            path=f"{context.path}.replicas",
            value="min 0",
            reason="may let a model sleep that is used: Ray Serve looks about once a second for "
            "running requests, and an embedding or a score takes some 50 ms. Asked once a minute, "
            f"the model seems unused for {seconds} s with a chance of up to {chance * 100:.0f} %, "
            "and the next request waits for node, image and weights",
            remedy="Keep a replica, or let it wait longer for requests",
            rule="unseen-use",
            candidates=(
                use(f"{context.path}.replicas.min", 1, "use a minimum of 1"),
                use(
                    f"{context.path}.downscaleDelaySeconds",
                    _ENOUGH_SECONDS,
                    f"set downscaleDelaySeconds: {_ENOUGH_SECONDS}",
                ),
            ),
        )
