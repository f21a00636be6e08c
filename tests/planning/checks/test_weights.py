"""Places of weights that cannot be meant, and what the plan makes of good ones."""

from typing import Any

import pytest

from models.catalog import bucket_locations, gpu_tiers, machine_type
from models.problems import StackError
from models.stack import StackSettings
from models.weights import WeightsPlace, WeightsSettings
from planning.infrastructure.allocatable import allocatable, ray_pod
from planning.infrastructure.weights import (
    SIDECAR_CPU,
    SIDECAR_MEMORY_GIB,
    beside_the_sidecar,
    stored_model,
)
from reports.plan_data import plan_summary
from reports.plan_text import plan_text
from tests.manifests.plans import pool
from tests.planning.small_stacks import planned, rules, small, stops

BUCKET = {"bucket": "gs://acme-weights"}
OWN = {"gpu": "l4", "contextLength": 4096, "checkFit": False, "name": "own"}


def sentences(weights: Any, *models: Any) -> str:
    """All that is said of such a stack."""
    try:
        plan = planned([*(models or [small()])], weights=weights, gpuPools=["l4"])
    except StackError as error:
        return "\n".join(problem.sentence() for problem in error.problems)
    return "\n".join(warning.sentence() for warning in plan.warnings)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"bucket": ""}, "weights.bucket: '' is empty"),
        ({"bucket": "gs://"}, "names no bucket"),
        ({"bucket": "gs:///llms"}, "names no bucket"),
        ({"bucket": None}, "names neither a bucket nor a disk"),
        ("bucket", "names neither a bucket nor a disk"),
        ({"bucket": "s3://acme-weights"}, "is no bucket of Cloud Storage"),
        ({"bucket": "gs://Acme-Weights"}, "no bucket can have that name"),
        ({**BUCKET, "disk": "llm-weights"}, "names a bucket and a disk"),
        ({"disk": "llm-weights", "location": "us-central1"}, "only a bucket has"),
        ({"disk": "LLM weights"}, "ray-llm:weights.disk: LLM weights"),
        ({**BUCKET, "existing": True}, "without saying where it lies"),
        ("gs://goog-weights", "only Google makes a bucket"),
        (
            {"bucket": "my-google-weights/llms"},
            "If it is there, say `existing: true` and its location",
        ),
        ({**BUCKET, "location": "the-moon"}, "is not a location of Cloud Storage"),
        ({"bukcet": "gs://acme-weights"}, "Did you mean bucket?"),
        ({"disk": "gs://acme-weights"}, "is not the name of a PersistentVolumeClaim"),
        ({**BUCKET, "location": "us-centrl1"}, "Did you mean us-central1?"),
    ],
)
def test_what_cannot_be_a_place_is_refused(weights: Any, said: str) -> None:
    assert said in sentences(weights)


@pytest.mark.parametrize(
    "weights",
    [
        *("hub", {}, "gs://acme-weights", "acme-weights", BUCKET),
        # It may be Google's.
        {"bucket": "gs://google-weights", "existing": True, "location": "us-central1"},
        *({"disk": name} for name in ("llm-weights", "2025-weights", "llm.weights")),
    ],
)
def test_good_places_are_silent(weights: Any) -> None:
    assert "weights" not in sentences(weights)


@pytest.mark.parametrize(
    ("location", "price"),
    [
        ("us-central1", None),
        ("US-CENTRAL1", None),
        ("NAM4", None),
        ("US", "0.02 to 0.08"),
        ("us-west1", "0.02 to 0.08"),
        ("europe-west4", "0.05 to 0.14"),
        ("EU", "0.05 to 0.14"),
        ("ASIA1", "0.05 to 0.14"),
        # A region of which no GPU is known, and none is spelt so with the same number.
        ("us-central2", "0.02 to 0.08"),
        ("europe-west12", "0.05 to 0.14"),
    ],
)
def test_a_bucket_elsewhere_is_warned_of_with_its_price(location: str, price: str | None) -> None:
    said = sentences({**BUCKET, "location": location})
    assert ("weights-region" in said) == (price is not None)
    assert (price or "") in said


def test_the_price_is_that_of_the_largest_model_that_is_read_from_there() -> None:
    far = {**BUCKET, "location": "europe-west4"}
    said = sentences(far, small(), {"model": "qwen2.5-7b-instruct", "gpu": "l4", "weights": "hub"})
    assert "USD a node for qwen2.5-0.5b-instruct" in said
    assert "Leave it out, which means us-central1, or use weights.location: us-central1" in said
    there = sentences({**far, "existing": True})
    assert "Copy the weights to a bucket in us-central1" in there


@pytest.mark.parametrize("source", ["gs://acme-models/own", "/models/own"])
def test_a_source_that_is_a_place_takes_no_other(source: str) -> None:
    model = {**OWN, "source": source, "weights": "bucket"}
    found = stops([model], weights=BUCKET, gpuPools=["l4"])
    assert "weights-source" in rules(found)
    [problem] = [item for item in found if item.rule == "weights-source"]
    assert "Leave it out" in problem.sentence()


def test_a_place_that_the_stack_does_not_name_is_refused_for_a_model() -> None:
    for stated, place in ((None, "bucket"), (BUCKET, "disk"), ({"disk": "w"}, "bucket")):
        keys = {} if stated is None else {"weights": stated}
        found = stops([small(weights=place)], gpuPools=["l4"], **keys)
        assert rules(found) == {"weights-place"}


def test_a_model_may_stay_with_the_hub_and_one_with_a_source_of_its_own_is_left_there() -> None:
    models = [
        small(),
        small(name="other", weights="hub"),
        {**OWN, "source": "gs://acme-models/own"},
    ]
    plan = planned(models, weights=BUCKET, gpuPools=["l4"])
    paths = [model.weights_path for model in plan.models]
    assert paths == ["/weights/Qwen/Qwen2.5-0.5B-Instruct/main", None, None]
    assert [model.weights_place for model in plan.models][:2] == [
        WeightsPlace.BUCKET,
        WeightsPlace.HUB,
    ]
    assert plan.weights is not None
    assert [stored.source for stored in plan.weights.models] == ["Qwen/Qwen2.5-0.5B-Instruct"]
    starts = [model["coldStart"]["weightsFrom"] for model in plan_summary(plan)["models"]]
    assert starts == ["bucket", "hub", "bucket"]


def test_buckets_that_the_reader_may_not_read_are_named() -> None:
    adapters = small(lora={"path": "gs://acme-adapters/qwen"})
    own = {**OWN, "source": "gs://acme-models/own"}
    said = sentences(BUCKET, adapters, own)
    assert "models[0].lora.path: gs://acme-adapters/qwen is read by GPU workers" in said
    assert "models[1].source: gs://acme-models/own is read by GPU workers" in said
    assert "weights-identity" not in sentences({"disk": "w"}, adapters, own)
    assert "weights-identity" not in sentences(BUCKET, small())


def test_an_adopted_cluster_may_lack_what_mounts_a_bucket() -> None:
    cluster = {"name": "theirs", "zones": ["us-central1-a"], "existing": True}
    plan = planned([small()], weights=BUCKET, gpuPools=["l4"], cluster=cluster)
    assert "weights-driver" in rules(plan.warnings)
    for weights in ({"disk": "w"}, "hub"):
        found = planned([small()], weights=weights, gpuPools=["l4"], cluster=cluster)
        assert "weights-driver" not in rules(found.warnings)


def test_each_revision_has_a_folder_of_its_own_and_equal_ones_share_it() -> None:
    models = [
        small(),
        small(name="same", contextLength=2048),
        small(name="pinned", engine={"revision": "refs/pr/1"}),
    ]
    plan = planned(models, weights={"bucket": "gs://acme-weights/llms"}, gpuPools=["l4"])
    assert plan.weights is not None
    assert [stored.folder for stored in plan.weights.models] == [
        "Qwen/Qwen2.5-0.5B-Instruct/main",
        "Qwen/Qwen2.5-0.5B-Instruct/refs--pr--1",
    ]
    assert plan.weights.bucket is not None
    assert (plan.weights.bucket.name, plan.weights.bucket.folder) == ("acme-weights", "llms")


@pytest.mark.parametrize(
    ("engine", "any_format"),
    [
        ({}, False),
        ({"load_format": "safetensors"}, False),
        ({"load_format": "pt"}, True),
        ({"tokenizer_mode": "mistral"}, True),
    ],
)
def test_other_formats_are_kept_only_for_engines_that_read_them(
    engine: dict[str, Any], any_format: bool
) -> None:
    assert stored_model("acme/any", engine).any_format is any_format


def test_a_path_below_the_mount_is_no_path_in_the_image() -> None:
    own = {**OWN, "source": "/weights/acme/own"}
    plan = planned([own], weights={"disk": "llm-weights"}, gpuPools=["l4"])
    assert plan.models[0].weights_path is None
    assert "local-path" in rules(stops([own], gpuPools=["l4"]))


def test_ray_pods_leave_room_for_the_container_that_reads_the_bucket() -> None:
    lowered = 0
    for tier in gpu_tiers().values():
        machine = machine_type(tier.machine_type)
        assert machine is not None
        room, plain = allocatable(machine), pool(tier.id, pod=ray_pod(machine, tier))
        settings = StackSettings.model_construct(weights=WeightsSettings(bucket="gs://acme-w"))
        [beside] = beside_the_sidecar([plain], settings)
        assert beside.pod.cpu + SIDECAR_CPU <= room.cpu_for_pods
        assert beside.pod.memory_gib + SIDECAR_MEMORY_GIB <= room.memory_gib_for_pods
        lowered += beside != plain
        disk = StackSettings.model_construct(weights=WeightsSettings(disk="w"))
        assert beside_the_sidecar([plain], disk) == (plain,)
    assert lowered  # of some machines nothing is left by rounding down


def test_the_plan_says_where_weights_lie() -> None:
    text = " ".join(plan_text(plan_summary(planned([small()], weights=BUCKET))).split())
    assert (
        "Nodes read 1 model (1 GB) from gs://acme-weights in us-central1 (the stack makes" in text
    )
    disk = " ".join(plan_text(plan_summary(planned([small()], weights={"disk": "w"}))).split())
    assert "from the disk of the claim w, which nobody fills here" in disk
    assert "Nodes read" not in plan_text(plan_summary(planned([small()])))


def test_a_dual_region_is_free_in_both_of_its_regions_only() -> None:
    table = bucket_locations()
    for location, regions in table.dual_regions.items():
        assert all(table.traffic_usd_per_gib(location, region) is None for region in regions)
        assert table.traffic_usd_per_gib(location, "southamerica-east1") is not None
