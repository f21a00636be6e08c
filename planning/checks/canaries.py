"""Canaries: models that get a share of another model's requests."""

from collections.abc import Iterable, Iterator, Mapping

from models.problems import Problem
from models.spelling import nearest_of
from models.stack import ModelDeployment
from models.tasks import Task
from models.ways_out import WayOut, leave_out, meant, together, use
from planning.checks.contexts import StackContext


def canary_problems(context: StackContext) -> Iterable[Problem]:
    """Canaries that no gateway could share requests with."""
    settings = context.settings
    by_name = {model.served_name: model for model in settings.models}
    tasks = {model.name: model.task for model in context.models}
    found = False
    for canary in settings.models:
        if canary.canary_of is None:
            yield from _percent_alone(canary)
            continue
        found = True
        yield from _of_problems(canary, by_name, tasks)
        yield from _share_problems(canary)
        if settings.access is None and context.access_complete:
            yield Problem(
                path=f"{canary.path}.canaryOf",
                value=canary.canary_of,
                reason="asks for a share of that model's requests, and without ray-llm:access "
                "there is no gateway to share them out",
                remedy="Add ray-llm:access: {} for a gateway, or leave canaryOf and percent out",
                rule="canary-without-access",
                candidates=(
                    use("ray-llm:access", {}, "add ray-llm:access: {}"),
                    _no_canary(canary),
                ),
            )
    if found:
        yield from _sums(settings.models)


def _no_canary(canary: ModelDeployment) -> WayOut:
    of = leave_out(f"{canary.path}.canaryOf")
    if canary.percent is None:
        return of
    return together("leave canaryOf and percent out", of, leave_out(f"{canary.path}.percent"))


def _percent_alone(model: ModelDeployment) -> Iterator[Problem]:
    if model.percent is not None:
        path = f"{model.path}.percent"
        yield Problem(
            path=path,
            value=model.percent,
            reason="is a share of another model's requests, and canaryOf does not say of which",
            remedy="Name that model: canaryOf: <served name>, or leave percent out",
            rule="canary-percent",
            candidates=(leave_out(path),),
        )


def _share_problems(canary: ModelDeployment) -> Iterator[Problem]:
    if canary.percent is None:
        path = f"{canary.path}.percent"
        yield Problem(
            path=path,
            reason=f"is missing, so that it is not known how many of {canary.canary_of}'s requests "
            "the canary gets",
            remedy="Write percent: 5",
            rule="canary-percent",
            candidates=(use(path, 5, "write percent: 5"), _no_canary(canary)),
        )


def _of_problems(
    canary: ModelDeployment, by_name: Mapping[str, ModelDeployment], tasks: Mapping[str, Task]
) -> Iterator[Problem]:
    of, path = canary.canary_of or "", f"{canary.path}.canaryOf"
    stable = by_name.get(of)
    name = canary.served_name
    reason, ways = "", [_no_canary(canary)]
    if of == name:
        reason = "is the model itself"
    elif stable is None:
        reason = "is not the served name of a model of the stack"
        near = nearest_of(of, [other for other in by_name if other != name])
        ways = [meant(path, near)] if near is not None else ways
    elif stable.canary_of is not None:
        reason = f"is itself a canary, of {stable.canary_of}"
        ways = [use(path, stable.canary_of), *ways]
    elif of in tasks and name in tasks and tasks[of] is not tasks[name]:
        reason = (
            f"is served for {tasks[of].value} and its canary {name} for {tasks[name].value}, so "
            "that the canary could not answer its requests"
        )
    if reason:
        yield Problem(
            path=path,
            value=of,
            reason=reason,
            remedy="Name the model whose requests the canary gets, or leave canaryOf and percent "
            "out",
            rule="canary-of",
            candidates=ways,
        )


def _sums(models: Iterable[ModelDeployment]) -> Iterator[Problem]:
    """The canary with which the shares of one model's requests come to more than all of them."""
    shared: dict[str, int] = {}
    for canary in models:
        if canary.canary_of is None or canary.percent is None:
            continue
        before = shared.get(canary.canary_of, 0)
        shared[canary.canary_of] = before + canary.percent
        if before + canary.percent > 100 >= before:
            path = f"{canary.path}.percent"
            left = 100 - before
            yield Problem(
                path=path,
                value=canary.percent,
                reason=f"comes to {before + canary.percent} % of {canary.canary_of}'s requests, "
                f"with the {before} % of its other canaries",
                remedy="Lower the shares to 100 % together",
                rule="canary-percent",
                candidates=(use(path, left, f"use {left} or less"),)
                if left
                else (_no_canary(canary),),
            )
