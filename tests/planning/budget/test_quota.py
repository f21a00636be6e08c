"""The quota that a stack needs, and the effect of a limit that is too low."""

import json

import pytest
import yaml

from models.problems import Severity
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


def test_a_pool_without_room_for_a_second_cluster_warns() -> None:
    model = small(replicas={"min": 2, "max": 3})
    plan = planned([model], gpuPools=[{"tier": "l4", "maxNodes": 3}])
    assert rules(plan.warnings) == {"pool-below-upgrade"}
    assert "Use 4" in plan.warnings[0].sentence()
    assert not planned([model], gpuPools=[L4]).warnings


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


def test_a_quota_that_only_an_upgrade_exceeds_warns() -> None:
    model = small(replicas={"min": 2, "max": 2})
    plan = planned([model], gpuPools=["l4"], quotas={"NVIDIA_L4_GPUS": 3})
    assert rules(plan.warnings) == {"quota-below-upgrade"}
    assert plan.warnings[0].severity is Severity.WARN


def test_sleeping_models_need_room_for_the_largest_of_them_only() -> None:
    asleep = {"min": 0, "max": 1}
    models = [small("l4", replicas=asleep), two_gpus("l4-x2", name="two", replicas=asleep)]
    plan = planned(models, gpuPools=["l4", "l4-x2"], quotas={"NVIDIA_L4_GPUS": 3})
    assert need(plan, "NVIDIA_L4_GPUS").minimum == 2
    assert rules(stops(models, gpuPools=["l4", "l4-x2"], quotas={"NVIDIA_L4_GPUS": 1})) == {
        "quota-below-minimum"
    }


@pytest.mark.parametrize(
    ("quotas", "words"),
    [
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


@pytest.mark.parametrize(
    "text", ["quotas:\n- limit: 1", "[]", '{"name": "x"}', '{"quotas": 3}', ""]
)
def test_anything_else_than_gclouds_json_is_refused(text: str) -> None:
    with pytest.raises(QuotaJsonError):
        quota_section([("stdin", text)])


def test_an_answer_without_any_of_our_quotas_is_refused() -> None:
    with pytest.raises(QuotaJsonError, match="none of the quotas"):
        quota_section([("stdin", json.dumps({"quotas": [{"metric": "SNAPSHOTS", "limit": 1}]}))])
