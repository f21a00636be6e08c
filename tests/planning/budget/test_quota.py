"""The quota that a stack needs, and the effect of a limit that is too low."""

import json

import pytest
import yaml

from planning import Plan, QuotaNeed
from reports.gcloud_quotas import QuotaJsonError, quota_section
from tests.planning.small_stacks import planned, rules, small, stops, two_gpus

L4 = {"tier": "l4", "maxNodes": 4}


def need(plan: Plan, metric: str) -> QuotaNeed:
    return next(row for row in plan.quota if row.metric == metric)


def test_gpus_count_by_kind_spot_apart_and_all_together() -> None:
    plan = planned(
        [small("l4"), two_gpus("l4-x2", name="two"), small("l4-spot", name="spot")],
        gpuPools=[
            L4,
            {"tier": "l4-x2", "maxNodes": 3},
            {"tier": "l4", "spot": True, "maxNodes": 5},
        ],
    )
    assert need(plan, "NVIDIA_L4_GPUS").peak == 4 + 3 * 2
    assert need(plan, "PREEMPTIBLE_NVIDIA_L4_GPUS").peak == 5
    assert need(plan, "GPUS_ALL_REGIONS").peak == 4 + 3 * 2 + 5


def test_a_second_cluster_needs_the_minimum_twice_within_the_pool() -> None:
    model = small(replicas={"min": 2, "max": 3})
    assert need(planned([model], gpuPools=[L4]), "NVIDIA_L4_GPUS").upgrade == 4
    capped = planned([model], gpuPools=[{"tier": "l4", "maxNodes": 3}])
    assert need(capped, "NVIDIA_L4_GPUS").upgrade == 3


def test_what_is_beside_the_gpus_is_counted_for_one_cluster_two_and_a_second_head() -> None:
    plan = planned(models=[small(replicas={"min": 1, "max": 1})], versions={"ray": "2.60.0"})
    cpus = need(plan, "CPUS")  # of e2-standard-8
    assert (cpus.others_of_one, cpus.others, cpus.others_recreating) == (8, 16, 16)
    # The column counts GKE's own upgrade of the pool too, which no change waits for.
    assert cpus.upgrade == 24
    # Whoever hears of both a pool and a quota raises both.
    tight = planned(
        models=[small(replicas={"min": 1, "max": 1})],
        versions={"ray": "2.60.0"},
        cluster={"name": "llm", "zones": ["us-central1-a"], "cpuPool": {"maxNodes": 1}},
    )
    assert need(tight, "CPUS").others == 16


def test_a_pool_without_room_for_a_second_cluster_is_no_matter_of_the_stack_as_it_is() -> None:
    model = small(replicas={"min": 2, "max": 3})
    assert not planned([model], gpuPools=[{"tier": "l4", "maxNodes": 3}]).warnings


def test_boot_disks_of_all_pools_count_as_ssd() -> None:
    plan = planned([small()], gpuPools=[{"tier": "l4", "maxNodes": 4, "bootDiskGb": 300}])
    cpu_nodes = (need(plan, "CPUS").peak) // 8
    assert need(plan, "SSD_TOTAL_GB").peak == 4 * 300 + cpu_nodes * 100


def test_a_hyperdisk_does_not_count_as_ssd() -> None:
    pool = {"tier": "rtx-pro-6000", "maxNodes": 1, "zones": ["us-central1-b"]}
    plan = planned([small("rtx-pro-6000")], gpuPools=[pool])
    assert plan.pools[0].boot_disk_type == "hyperdisk-balanced"
    cpu_nodes = need(plan, "CPUS").peak // 8
    assert need(plan, "SSD_TOTAL_GB").peak == cpu_nodes * 100
    assert need(plan, "HDB_TOTAL_GB").peak == plan.pools[0].boot_disk_gb


def test_n1_and_e2_share_the_cpu_quota() -> None:
    plan = planned(
        [small("t4", replicas={"min": 1, "max": 1})], gpuPools=[{"tier": "t4", "maxNodes": 2}]
    )
    assert need(plan, "CPUS").stated == 2 * 8 + 8


def test_a_project_that_may_run_no_gpu_at_all_stops() -> None:
    quotas = {"NVIDIA_L4_GPUS": 4, "GPUS_ALL_REGIONS": 0}
    problems = stops([small()], gpuPools=[{"tier": "l4", "maxNodes": 2}], quotas=quotas)
    assert rules(problems) == {"quota-below-minimum"}
    assert problems[0].path == "ray-llm:quotas.GPUS_ALL_REGIONS"


def test_both_gpu_quotas_suffice() -> None:
    quotas = {"NVIDIA_L4_GPUS": 4, "GPUS_ALL_REGIONS": 4}
    plan = planned([small()], gpuPools=[{"tier": "l4", "maxNodes": 2}], quotas=quotas)
    assert not plan.warnings
    assert need(plan, "GPUS_ALL_REGIONS").limit == 4


def test_boot_disks_above_the_ssd_quota_stop() -> None:
    three = {"name": "llm", "zones": ["us-central1-a", "us-central1-b", "us-central1-c"]}
    problems = stops([small()], cluster=three, gpuPools=["l4"], quotas={"SSD_TOTAL_GB": 250})
    assert rules(problems) == {"quota-below-minimum"}


def test_a_stated_pool_maximum_above_the_quota_is_a_warning() -> None:
    model = small(replicas={"min": 1, "max": 2})
    warnings = planned([model], gpuPools=[L4], quotas={"NVIDIA_L4_GPUS": 3}).warnings
    assert "quota-below-peak" in rules(warnings)
    (peak,) = [warning for warning in warnings if warning.rule == "quota-below-peak"]
    assert "lower maxNodes" in peak.sentence()


def test_a_pool_maximum_that_is_not_stated_is_no_promise() -> None:
    model = small(replicas={"min": 1, "max": 2})
    assert not planned([model], gpuPools=["l4"], quotas={"NVIDIA_L4_GPUS": 2}).warnings
    short = planned([model], gpuPools=["l4"], quotas={"NVIDIA_L4_GPUS": 1})
    assert rules(short.warnings) == {"quota-below-maximum"}


def test_a_quota_that_only_an_upgrade_exceeds_is_no_matter_of_the_stack_as_it_is() -> None:
    model = small(replicas={"min": 2, "max": 2})
    plan = planned([model], gpuPools=["l4"], quotas={"NVIDIA_L4_GPUS": 3})
    assert not plan.warnings


def test_sleeping_models_need_room_for_the_largest_of_them_only() -> None:
    asleep = {"min": 0, "max": 1}
    models = [small("l4", replicas=asleep), two_gpus("l4-x2", name="two", replicas=asleep)]
    plan = planned(models, gpuPools=["l4", "l4-x2"], quotas={"NVIDIA_L4_GPUS": 3})
    assert need(plan, "NVIDIA_L4_GPUS").minimum == 2
    assert rules(stops(models, gpuPools=["l4", "l4-x2"], quotas={"NVIDIA_L4_GPUS": 1})) == {
        "quota-below-minimum"
    }


H100 = {"tier": "h100-80gb-x8", "maxNodes": 2}
H100_FAMILY = "GPUS_PER_GPU_FAMILY.NVIDIA_H100"


def on_h100(**quotas: object) -> Plan:
    return planned([small("h100-80gb-x8")], gpuPools=[H100], quotas=quotas)


def stops_on_h100(**quotas: object) -> list[str]:
    problems = stops([small("h100-80gb-x8")], gpuPools=[H100], quotas=quotas)
    return [problem.sentence() for problem in problems]


def test_newer_gpus_count_by_family_on_demand_and_by_their_name_on_spot() -> None:
    spot = {"tier": "h100-80gb", "spot": True, "maxNodes": 3}
    models = [small("h100-80gb-x8"), small("h100-80gb-spot", name="spot")]
    plan = planned(models, gpuPools=[H100, spot])
    assert need(plan, H100_FAMILY).peak == 16
    assert need(plan, "PREEMPTIBLE_NVIDIA_H100_GPUS").peak == 3
    assert not any(row.metric == "NVIDIA_H100_GPUS" for row in plan.quota)


def test_the_limit_of_a_family_is_compared() -> None:
    assert need(on_h100(GPUS_PER_GPU_FAMILY={"NVIDIA_H100": 16}), H100_FAMILY).limit == 16
    (sentence,) = stops_on_h100(GPUS_PER_GPU_FAMILY={"NVIDIA_H100": 0})
    assert sentence.startswith("ray-llm:quotas.GPUS_PER_GPU_FAMILY.NVIDIA_H100: 0 is below the 8 ")
    assert "16 of GPUS_PER_GPU_FAMILY with gpu_family NVIDIA_H100 in this region" in sentence


def test_a_number_is_the_limit_of_every_family_that_has_none_of_its_own() -> None:
    (sentence,) = stops_on_h100(GPUS_PER_GPU_FAMILY=0)
    assert sentence.startswith("ray-llm:quotas.GPUS_PER_GPU_FAMILY: 0 is below the 8 ")
    plan = on_h100(GPUS_PER_GPU_FAMILY=16)
    assert need(plan, H100_FAMILY).limit == 16
    assert not any(row.metric.endswith("NVIDIA_B200") for row in plan.quota)


def test_a_family_that_is_left_out_warns_and_says_how_to_write_it() -> None:
    for quotas in ({"NVIDIA_L4_GPUS": 8}, {"GPUS_PER_GPU_FAMILY": {"NVIDIA_B200": 8}}):
        (warning,) = on_h100(**quotas).warnings
        assert warning.rule == "quota-unlisted"
        assert "Add GPUS_PER_GPU_FAMILY: {NVIDIA_H100: ...}" in warning.sentence()


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("NVIDIA_H100_GPUS", "GPUS_PER_GPU_FAMILY: {NVIDIA_H100: 8}"),
        ("NVIDIA_RTX_PRO_6000_GPUS", "GPUS_PER_GPU_FAMILY: {NVIDIA_RTX_PRO_6000: 8}"),
        ("NVIDIA_H200", "GPUS_PER_GPU_FAMILY: {NVIDIA_H200: 8}"),
        ("GPUS_PER_GPU_FAMILY.NVIDIA_B200", "GPUS_PER_GPU_FAMILY: {NVIDIA_B200: 8}"),
        ("N4_CPUS", "CPUS_PER_VM_FAMILY: {N4: 8}"),
    ],
)
def test_a_limit_under_a_name_of_its_own_says_what_to_write(key: str, written: str) -> None:
    (problem,) = stops([small()], gpuPools=["l4"], quotas={key: 8})
    assert problem.rule == "quota-by-family"
    assert problem.sentence().endswith(f"Write {written}.")


def test_vcpus_and_boot_disks_of_current_series_count_against_their_own_quotas() -> None:
    cluster = {
        "name": "llm",
        "zones": ["us-central1-a"],
        "cpuPool": {"machineType": "n4-standard-8"},
    }
    plan = planned([small()], cluster=cluster, gpuPools=["l4"])
    assert plan.cluster.cpu_pool.boot_disk_type == "hyperdisk-balanced"
    nodes = need(plan, "CPUS_PER_VM_FAMILY.N4").peak // 8
    assert need(plan, "HDB_TOTAL_GB").peak == nodes * 100
    assert not any(row.metric == "CPUS" for row in plan.quota)


@pytest.mark.parametrize(
    ("quotas", "words"),
    [
        ({"GPUS_PER_GPU_FAMILY": {"NVIDIA_H10": 8}}, "Did you mean NVIDIA_H100?"),
        ({"GPUS_PER_GPU_FAMILY": {"NVIDIA_H100": "8"}}, "is not a number"),
        ({"GPUS_PER_GPU_FAMILY": {7: 8}}, "is not a gpu_family of GPUS_PER_GPU_FAMILY"),
        ({"GPUS_PER_GPU_FAMILY": [8]}, "is not a number"),
        ({"NVIDIA_H100_GPUS": {"a": 1}}, "Write GPUS_PER_GPU_FAMILY: {NVIDIA_H100: ...}"),
        ({"NVIDIA_L4_GPU": 8}, "Did you mean NVIDIA_L4_GPUS?"),
        ({"nvidia_l4_gpus": 8}, "Did you mean NVIDIA_L4_GPUS?"),
        ({"NVIDIA_L4_GPUS": "8"}, "is not a number"),
        ({"NVIDIA_L4_GPUS": -1}, "is not a whole number of 0 or more"),
        ({"NVIDIA_L4_GPUS": 1.5}, "is not a whole number of 0 or more"),
        ({"NVIDIA_L4_GPUS": True}, "is not a number"),
        ({"NVIDIA_L4_GPUS": None}, "is not a number"),
        ({3: 4}, "is not a quota metric"),
        (["NVIDIA_L4_GPUS"], "is not a mapping"),
        (8, "is not a mapping"),
    ],
)
def test_a_limit_that_cannot_be_meant_stops(quotas: object, words: str) -> None:
    (problem,) = stops([small()], gpuPools=["l4"], quotas=quotas)
    assert words in problem.sentence()


REGION = {
    "name": "us-central1",
    "quotas": [
        {"limit": 24.0, "metric": "CPUS", "usage": 8.0},
        {"limit": 8.0, "metric": "NVIDIA_L4_GPUS", "usage": 0.0},
        {"limit": 500.0, "metric": "SSD_TOTAL_GB", "usage": 0.0},
        {"limit": 9.223372036854775807e18, "metric": "NVIDIA_T4_GPUS", "usage": 0.0},
        {"limit": 100.0, "metric": "SNAPSHOTS", "usage": 0.0},
    ],
}
PROJECT = {"name": "acme", "quotas": [{"limit": 4.0, "metric": "GPUS_ALL_REGIONS"}]}


def test_what_gcloud_says_becomes_a_section_that_the_program_reads() -> None:
    text = quota_section([("region", json.dumps(REGION)), ("project", json.dumps(PROJECT))])
    section = yaml.safe_load(text)["ray-llm:quotas"]
    assert section == {"NVIDIA_L4_GPUS": 8, "GPUS_ALL_REGIONS": 4, "SSD_TOTAL_GB": 500, "CPUS": 24}
    assert "CPUS: 24  # 8 in use" in text
    assert need(planned([small()], gpuPools=["l4"], quotas=section), "CPUS").limit == 24


def info(quota_id: str, metric: str, dimensions: list[str], *rows: dict[str, object]) -> object:
    """A QuotaInfo as `gcloud beta quotas info list` prints it."""
    name = f"projects/1/locations/global/services/compute.googleapis.com/quotaInfos/{quota_id}"
    return {
        "name": name,
        "quotaId": quota_id,
        "metric": f"compute.googleapis.com/{metric}",
        "service": "compute.googleapis.com",
        "isPrecise": True,
        "containerType": "PROJECT",
        "dimensions": dimensions,
        "dimensionsInfos": list(rows),
    }


def limit_row(value: str | None, *places: str, **dimensions: str) -> dict[str, object]:
    details = {} if value is None else {"value": value}
    return {"dimensions": dimensions, "details": details, "applicableLocations": list(places)}


FAMILY = ("GPUS-PER-GPU-FAMILY-per-project-region", "gpus_per_gpu_family", ["gpu_family", "region"])
INFOS = [
    info(
        "NVIDIA-L4-GPUS-per-project-region",
        "nvidia_l4_gpus",
        ["region"],
        limit_row("8", "us-central1", region="us-central1"),
        limit_row("1", "us-east1", "us-west1"),
    ),
    info(
        "NVIDIA-L4-GPUS-per-project-zone",
        "nvidia_l4_gpus",
        ["zone"],
        limit_row("2", "us-central1-a"),
    ),
    info(
        "PREEMPTIBLE-NVIDIA-H100-GPUS-per-project-region",
        "preemptible_nvidia_h100_gpus",
        ["region"],
        limit_row("16", "us-central1", "us-east1"),
    ),
    info(
        *FAMILY,
        limit_row("0", "us-central1", "us-east1"),
        limit_row("8", "us-central1", "us-east1", gpu_family="NVIDIA_H100"),
        limit_row("16", "us-central1", gpu_family="NVIDIA_H100", region="us-central1"),
        limit_row("-1", "us-central1", gpu_family="NVIDIA_B200"),
        limit_row(None, "us-central1", gpu_family="NVIDIA_H200"),
    ),
    info("GPUS-ALL-REGIONS-per-project", "gpus_all_regions", [], limit_row("64", "global")),
    info("CPUS-PER-VM-FAMILY-per-project-region", "cpus_per_vm_family", ["region", "vm_family"]),
    info("SNAPSHOTS-per-project", "snapshots", [], limit_row("1000", "global")),
]
OF_US_CENTRAL1 = {
    "NVIDIA_L4_GPUS": 8,
    "GPUS_PER_GPU_FAMILY": {"NVIDIA_H100": 16, "NVIDIA_H100_MEGA": 0, "NVIDIA_RTX_PRO_6000": 0},
    "PREEMPTIBLE_NVIDIA_H100_GPUS": 16,
    "GPUS_ALL_REGIONS": 64,
}


def test_quotas_with_a_dimension_become_a_section_that_the_program_reads() -> None:
    text = quota_section([("infos", json.dumps(INFOS))], "us-central1")
    section = yaml.safe_load(text)["ray-llm:quotas"]
    assert section == OF_US_CENTRAL1
    plan = on_h100(**section)
    assert need(plan, H100_FAMILY).limit == 16
    assert not plan.warnings


def test_another_region_has_other_limits() -> None:
    text = quota_section([("infos", json.dumps(INFOS))], "us-east1")
    section = yaml.safe_load(text)["ray-llm:quotas"]
    assert section["NVIDIA_L4_GPUS"] == 1
    assert section["GPUS_PER_GPU_FAMILY"]["NVIDIA_H100"] == 8


@pytest.mark.parametrize("answer", [INFOS[3], {"quotaInfos": INFOS}])
def test_one_quota_alone_and_the_answer_of_the_api_are_read_as_well(answer: object) -> None:
    text = quota_section([("infos", json.dumps(answer))], "us-central1")
    section = yaml.safe_load(text)["ray-llm:quotas"]
    assert section["GPUS_PER_GPU_FAMILY"] == OF_US_CENTRAL1["GPUS_PER_GPU_FAMILY"]


def test_the_region_is_that_of_a_description() -> None:
    texts = [("region", json.dumps(REGION)), ("infos", json.dumps(INFOS))]
    text = quota_section(texts)
    section = yaml.safe_load(text)["ray-llm:quotas"]
    assert section["GPUS_PER_GPU_FAMILY"]["NVIDIA_H100"] == 16
    assert section["SSD_TOTAL_GB"] == 500
    assert "CPUS: 24  # 8 in use" in text


def test_quotas_of_all_regions_need_a_region() -> None:
    with pytest.raises(QuotaJsonError, match="Add --region"):
        quota_section([("infos", json.dumps(INFOS))])


def test_a_description_alone_says_what_is_missing_from_it() -> None:
    text = quota_section([("region", json.dumps(REGION))])
    assert "gcloud beta quotas info list" in text
    assert "gcloud beta" not in quota_section([("infos", json.dumps(INFOS))], "us-central1")


@pytest.mark.parametrize(
    "rows",
    [
        [3],
        [{"dimensions": 3}],
        [{"applicableLocations": "us-central1", "details": {"value": "8"}}],
        [{"details": {"value": "many"}}],
        [{"details": 3}],
        [{"details": {"value": None}}],
        [{"details": {"value": "-7"}}],
    ],
)
def test_rows_that_cannot_be_read_are_left_out(rows: list[object]) -> None:
    broken = {"metric": "x/nvidia_l4_gpus", "dimensions": ["region"], "dimensionsInfos": rows}
    text = quota_section([("infos", json.dumps([broken, INFOS[4], 7]))], "us-central1")
    assert yaml.safe_load(text)["ray-llm:quotas"] == {"GPUS_ALL_REGIONS": 64}


@pytest.mark.parametrize(
    "text", ["quotas:\n- limit: 1", "[]", '{"name": "x"}', '{"quotas": 3}', ""]
)
def test_anything_else_than_gclouds_json_is_refused(text: str) -> None:
    with pytest.raises(QuotaJsonError):
        quota_section([("stdin", text)])


def test_an_answer_without_any_of_our_quotas_is_refused() -> None:
    with pytest.raises(QuotaJsonError, match="none of the quotas"):
        quota_section([("stdin", json.dumps({"quotas": [{"metric": "SNAPSHOTS", "limit": 1}]}))])
