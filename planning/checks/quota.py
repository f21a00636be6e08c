"""Whether the project's quotas, if the stack file gives them, suffice."""

from collections.abc import Iterable

from models.catalog import (
    QUOTA_DIMENSIONS,
    disk_quotas,
    gpu_quotas,
    quota_in_words,
)
from models.problems import Problem
from models.ways_out import WayOut, outside, use
from planning.checks.contexts import StackContext
from planning.plan_costs import QuotaNeed


def quota_problems(context: StackContext) -> Iterable[Problem]:
    """A stop if the minimum exceeds a limit, since pods would never start; else warnings.

    A maxNodes in the stack file is a promise to grow that far, and a derived maximum is not. Both
    are reached under load only: until then the stack works.
    """
    stated = context.settings.quotas
    some_gpus_listed = any(quota in gpu_quotas() or quota in QUOTA_DIMENSIONS for quota in stated)
    for need in context.quota:
        if need.limit is None:
            if some_gpus_listed and need.metric in gpu_quotas():
                yield _unlisted(need, f"ray-llm:quotas.{need.metric}")
            continue
        # The file gives a limit to a family, or one to all families of the metric.
        quota = need.metric if need.metric in stated else need.metric.partition(".")[0]
        path = f"ray-llm:quotas.{quota}"
        if need.minimum > need.limit:
            yield Problem(
                path=path,
                value=need.limit,
                reason=f"is below the {need.minimum} that the stack needs with all models at their "
                "minimum: GKE would create the pools, and some pods would never start",
                remedy=f"{_raise(need.metric, need.peak)} or use fewer replicas",
                rule="quota-below-minimum",
                candidates=(_raised(path, need, need.peak), outside("use fewer replicas")),
            )
        elif need.stated - need.replaceable > need.limit:
            yield Problem(
                path=path,
                value=need.limit,
                reason=f"is below the {need.stated} that the pools take at their maxNodes, so "
                "nodes would fail to start under load",
                remedy=f"{_raise(need.metric, need.stated)} or lower {_what_to_lower(need.metric)}",
                rule="quota-below-peak",
                candidates=(
                    _raised(path, need, need.stated),
                    outside(f"lower {_what_to_lower(need.metric)}"),
                ),
            )
        elif need.peak - need.replaceable > need.limit:
            yield Problem(
                path=path,
                value=need.limit,
                reason=f"is below the {need.peak} that the models need with all at their maximum "
                "replicas: under full load some replicas will wait",
                remedy=f"{_raise(need.metric, need.peak)} or accept the cap",
                rule="quota-below-maximum",
                candidates=(_raised(path, need, need.peak), outside("accept the cap")),
            )


def _unlisted(need: QuotaNeed, path: str) -> Problem:
    """A GPU's quota that the section leaves out, though it lists those of other GPUs.

    Each kind of GPU has its own quota, one for on-demand and one for spot:
    https://cloud.google.com/compute/resource-usage#gpu_quota
    """
    return Problem(
        path=path,
        reason=f"is not given, and the stack needs {need.peak} of it at its maximum: the quotas of "
        "other GPUs do not count for it",
        remedy=f"Add {_as_written(need.metric)}; `ray-llm quotas` writes the section from gcloud's "
        "answers",
        rule="quota-unlisted",
    )


def _raised(path: str, need: QuotaNeed, limit: int) -> WayOut:
    """More of it, which the stack file says once Google has granted it."""
    words = _raise(need.metric, limit)
    return use(path, limit, words[0].lower() + words[1:])


def _raise(metric: str, needed: int) -> str:
    where = "for the project" if metric.endswith("_ALL_REGIONS") else "in this region"
    by = " by `gcloud beta quotas preferences create`" if "." in metric else ""
    return f"Ask Google for {needed} of {quota_in_words(metric)} {where}{by}"


def _as_written(quota: str) -> str:
    """A quota as the stack file writes it, without its limit."""
    metric, _, family = quota.partition(".")
    return f"{metric}: {{{family}: ...}}" if family else quota


def _what_to_lower(metric: str) -> str:
    of_disks = metric in disk_quotas().values()
    return "maxNodes or bootDiskGb of the pools" if of_disks else "maxNodes of the pools"
