"""Whether weights can be read from where the stack has them, and what their way costs."""

import re
from collections.abc import Iterable
from typing import Final

from models.catalog import bucket_locations, regions
from models.problems import Problem
from models.spelling import respelt
from models.stack import ModelDeployment
from models.ways_out import leave_out, meant, outside, use
from planning.checks.contexts import StackContext
from planning.infrastructure.weights import is_of_hub
from planning.plan import GIB, ModelPlan

# Of two spellings of a region: us-centrl1 is us-central1. The number has to be the same.
_LIKENESS: Final = 0.9
_NUMBER: Final = re.compile(r"[0-9]+$")


def weights_problems(context: StackContext) -> Iterable[Problem]:
    """What is wrong with the place of weights, for the stack and for single models."""
    for model in context.settings.models:
        yield from _of_model(context, model)
    yield from _far_away(context)
    yield from _other_buckets(context)
    yield from _driver(context)


def _of_model(context: StackContext, model: ModelDeployment) -> Iterable[Problem]:
    place, stated = model.weights, context.settings.weights
    path = f"{model.path}.weights"
    if place is None:
        return
    if model.source is not None and not is_of_hub(model.source):
        yield Problem(
            path=path,
            value=place.value,
            reason=f"says from where the weights come, and the model's source, {model.source}, is "
            "such a place itself",
            remedy="Leave it out",
            rule="weights-source",
            candidates=(leave_out(path, "leave it out"),),
        )
    elif place.value not in ("hub", stated.place.value):
        yield Problem(
            path=path,
            value=place.value,
            reason=f"is where this model is to be read from, and the stack names no {place.value}",
            remedy=f"Name it: ray-llm:weights: {{{place.value}: ...}}",
            rule="weights-place",
            candidates=(
                leave_out(path, f"leave it out: the stack's place is {stated.place.value}"),
                outside(f"name the {place.value} in ray-llm:weights"),
            ),
        )


def _other_buckets(context: StackContext) -> Iterable[Problem]:
    """Buckets that workers read as another account than without a bucket of weights."""
    if context.settings.weights.bucket is None:
        return
    for model in context.settings.models:
        adapters = None if model.lora is None else model.lora.path
        for path, url in (
            (f"{model.path}.lora.path", adapters),
            (f"{model.path}.source", model.source),
        ):
            if url is None or not url.startswith("gs://"):
                continue
            yield Problem(
                path=path,
                value=url,
                reason="is read by GPU workers, which act as the Google account weights-reader-... "
                "of this stack while ray-llm:weights names a bucket, and that account may read "
                "that bucket alone",
                remedy="Grant it roles/storage.objectViewer on this bucket too, then accept this "
                "warning",
                rule="weights-identity",
            )


def _driver(context: StackContext) -> Iterable[Problem]:
    """An adopted cluster, of which nothing says whether it can mount buckets."""
    settings = context.settings
    if settings.weights.bucket is None or not settings.cluster.existing or not settings.project:
        return
    yield Problem(
        path="ray-llm:weights.bucket",
        value=settings.weights.bucket,
        reason=f"is mounted by GKE's add-on GcsFuseCsiDriver, and {settings.cluster.name} is "
        "adopted, so that nobody can see here whether it is on; without it GPU workers never start",
        remedy=f"Run `gcloud container clusters update {settings.cluster.name} --update-addons "
        "GcsFuseCsiDriver=ENABLED`, then accept this warning",
        rule="weights-driver",
    )


def _far_away(context: StackContext) -> Iterable[Problem]:
    stated, region = context.settings.weights, context.settings.region
    if stated.bucket is None or stated.location is None or not region:
        return
    price = bucket_locations().traffic_usd_per_gib(stated.location, region)
    if price is None:
        return
    least, most = price
    path = "ray-llm:weights.location"
    if near := _meant(stated.location):
        yield Problem(
            path=path,
            value=stated.location,
            reason="is probably misspelt, and Cloud Storage makes no bucket in a place that does "
            "not exist",
            remedy="Correct it, or accept this if there is such a region",
            rule="weights-region",
            candidates=(meant(path, near),),
        )
        return
    inside = stated.location in bucket_locations().multi_regions
    yield Problem(
        path=path,
        value=stated.location,
        reason=f"is not {region} alone, where the nodes are: each new node reads its weights "
        f"{'out of several regions' if inside else 'from another region'}, for {least:.2f} to "
        f"{most:.2f} USD a GiB{_of_largest(context, price)}, and more slowly",
        remedy=f"Copy the weights to a bucket in {region}",
        rule="weights-region",
        candidates=()
        if stated.existing
        else (leave_out(path, f"leave it out, which means {region}"), use(path, region)),
    )


def _meant(location: str) -> str | None:
    """The region that is spelt nearly so; None if the location is one that the table knows."""
    known = {*regions(), *bucket_locations().multi_regions, *bucket_locations().dual_regions}
    if location in known:
        return None
    near = respelt(location, sorted(regions()), _LIKENESS)
    return near if near and _NUMBER.findall(near) == _NUMBER.findall(location) else None


def _of_largest(context: StackContext, price: tuple[float, float]) -> str:
    """What one start of the largest model costs; empty if no size is known."""
    sized: list[tuple[int, ModelPlan]] = [
        (model.checkpoint_bytes, model)
        for model in context.models
        if model.checkpoint_bytes is not None and model.weights_path is not None
    ]
    if not sized:
        return ""
    size, model = max(sized, key=lambda pair: pair[0])
    least, most = (size / GIB * usd for usd in price)
    return f", {least:,.2f} to {most:,.2f} USD a node for {model.name}"
