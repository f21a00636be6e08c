"""The changes between two plans, and the kind of rollout that each change causes."""

import json
from typing import Any

import pytest

from manifests.ray_service import ray_cluster_config
from reports.difference import Difference, difference
from reports.difference_markdown import difference_markdown
from reports.plan_data import PlanSummary, plan_summary
from reports.rollout import Rollout
from reports.rollout_warnings import rollout_problems
from tests.manifests.kuberay_hash import hashed
from tests.planning.small_stacks import planned, small, two_gpus

POOLS: list[Any] = [{"tier": "l4", "maxNodes": 4}, {"tier": "l4-x2", "maxNodes": 4}]


def summary(models: list[Any], **keys: Any) -> PlanSummary:
    """The summary of a plan, read back from JSON as from a stack output."""
    made: PlanSummary = json.loads(json.dumps(plan_summary(planned(models, **keys))))
    return made


def changed(old: dict[str, Any], new: dict[str, Any]) -> Difference:
    before: dict[str, Any] = {"models": [small()], "gpuPools": POOLS}
    return difference(summary(**{**before, **old}), summary(**{**before, **new}))


def kinds(found: Difference) -> set[Rollout]:
    return {rollout for rollout, _ in found.rollouts}


def test_the_same_plan_has_no_difference() -> None:
    found = changed({}, {})
    assert found.is_empty
    assert "does not change" in difference_markdown(found)


def test_adding_a_model_is_in_place() -> None:
    found = changed({}, {"models": [small(), two_gpus(name="b")]})
    assert [model["name"] for model in found.models_added] == ["b"]
    assert kinds(found) == {Rollout.AT_ONCE}


def test_windows_of_off_hours_are_named_and_restart_nothing() -> None:
    window = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
    found = changed({}, {"offHours": window})
    assert kinds(found) == {Rollout.AT_ONCE}
    text = difference_markdown(found).replace("\\", "")
    assert "offHours none → 0 20 * * 1-5 to 0 7 * * 1-5, Europe/Berlin (103 hours a week)" in text
    later = changed({"offHours": window}, {"offHours": {**window, "wake": "0 9 * * 1-5"}})
    assert "0 9 * * 1-5" in difference_markdown(later).replace("\\", "")


def test_weights_in_a_bucket_are_a_second_cluster_and_its_models_are_edits_of_their_own() -> None:
    bucket = {"weights": "gs://acme-weights"}
    found = changed({}, bucket)
    assert Rollout.SECOND_CLUSTER in kinds(found)
    assert "weights.bucket none → `gs://acme-weights`" in difference_markdown(found)
    hub = changed(bucket, {**bucket, "models": [small(weights="hub")]})
    assert kinds(hub) == {Rollout.REPLICAS}
    assert "weights_path" in [change.key for change in hub.models_changed[0].changes]


def test_who_collects_metrics_and_what_is_promised_are_named_and_restart_nothing() -> None:
    on = {"monitoring": "gmp", "slo": {"timeToFirstTokenSeconds": 2}}
    found = changed({}, on)
    assert kinds(found) == {Rollout.AT_ONCE}
    text = difference_markdown(found)
    assert "monitoring.system none → `gmp`" in text
    assert "monitoring.timeToFirstTokenSeconds none → 2" in text
    assert "monitoring.system `gmp` → none" in difference_markdown(changed(on, {}))
    tighter = changed(on, {**on, "monthlyBudget": 90000})
    assert [change.key for change in tighter.others] == ["monitoring.monthlyBudget"]


def test_engines_that_count_only_when_told_to_start_anew_with_monitoring() -> None:
    before, on = {"versions": {"ray": "2.49.1"}}, {"monitoring": "gmp"}
    for found in (changed(before, {**before, **on}), changed({**before, **on}, before)):
        assert [(change.key, change.rollout) for change in found.others] == [
            ("monitoring.system", Rollout.REPLICAS)
        ]
    operator = {"monitoring": "prometheus-operator"}
    assert kinds(changed({**before, **on}, {**before, **operator})) == {Rollout.AT_ONCE}


def test_removing_a_model_is_in_place() -> None:
    found = changed({"models": [small(), small(name="b")]}, {})
    assert [model["name"] for model in found.models_removed] == ["b"]
    assert kinds(found) == {Rollout.AT_ONCE}


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [
        ("contextLength", 8192, "contextLength"),
        ("dtype", "float16", "dtype"),
        ("gpu", "l4-x2", "gpu"),
        ("engine", {"max_num_seqs": 8}, "max_num_seqs"),
        ("engine", {"enable_prefix_caching": False}, "enable_prefix_caching"),
    ],
)
def test_an_edited_model_restarts_its_replicas_only(field: str, value: Any, key: str) -> None:
    found = changed({}, {"models": [small(**{field: value})]})
    assert key in [change.key for change in found.models_changed[0].changes]
    assert Rollout.REPLICAS in kinds(found)
    # What scales it may be derived from what was edited.
    assert kinds(found) <= {Rollout.REPLICAS, Rollout.AT_ONCE}


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [
        ("replicas", {"min": 1, "max": 3}, "replicas"),
        ("targetOngoingRequests", 7, "target_ongoing_requests"),
        ("downscaleDelaySeconds", 7, "downscale_delay_s"),
    ],
)
def test_what_scales_a_model_restarts_nothing(field: str, value: Any, key: str) -> None:
    found = changed({}, {"models": [small(**{field: value})]})
    assert key in [change.key for change in found.models_changed[0].changes]
    assert kinds(found) == {Rollout.AT_ONCE}


def test_a_pool_at_the_end_of_the_list_is_in_place() -> None:
    found = changed({}, {"gpuPools": [*POOLS, "t4"]})
    assert [pool["id"] for pool in found.pools_added] == ["t4"]
    assert kinds(found) == {Rollout.AT_ONCE}


@pytest.mark.parametrize(
    "pools",
    [["t4", *POOLS], [POOLS[0], "t4", POOLS[1]], POOLS[:1], POOLS[::-1]],
    ids=["first", "between", "removed", "reordered"],
)
def test_any_other_change_of_the_list_starts_a_second_cluster(pools: list[Any]) -> None:
    found = changed({}, {"gpuPools": pools})
    assert Rollout.SECOND_CLUSTER in kinds(found)
    assert not found.is_empty


@pytest.mark.parametrize(
    ("fields", "rollouts"),
    [
        ({"maxNodes": 9}, {Rollout.AT_ONCE}),
        ({"minNodes": 1}, {Rollout.AT_ONCE}),
        ({"zones": ["us-central1-b"]}, {Rollout.AT_ONCE}),
        ({"bootDiskGb": 300}, {Rollout.NODES}),
        ({"idleTimeoutSeconds": 20}, {Rollout.SECOND_CLUSTER}),
        ({"compileCache": "vllm-cache"}, {Rollout.SECOND_CLUSTER}),
        ({"machineType": "g2-standard-16"}, {Rollout.NODES, Rollout.SECOND_CLUSTER}),
        ({"spot": True, "name": "l4"}, {Rollout.POOL_REPLACED_AND_SECOND_CLUSTER}),
    ],
)
def test_each_field_of_a_pool_rolls_out_in_its_way(
    fields: dict[str, Any], rollouts: set[Rollout]
) -> None:
    found = changed({}, {"gpuPools": [{**POOLS[0], **fields}, POOLS[1]]})
    assert kinds(found) == rollouts


def test_plans_of_earlier_versions_have_workers_that_stay_as_long_as_by_default() -> None:
    pools = {"gpuPools": [{**POOLS[0], "idleTimeoutSeconds": 20}, POOLS[1]]}
    now = summary([small()], gpuPools=POOLS)
    short = summary([small()], **pools)
    earlier = summary([small()], gpuPools=POOLS)
    for pool in earlier["gpuPools"]:
        del pool["idleTimeoutSeconds"]
    assert difference(earlier, now).is_empty
    assert difference(now, earlier).is_empty
    [row] = difference(short, earlier).pools_changed
    assert [(change.old, change.new) for change in row.changes] == [(20, 300)]


def test_another_gpu_under_the_same_pool_name_replaces_the_pool() -> None:
    old = {"models": [small("pool")], "gpuPools": [{"tier": "l4", "name": "pool"}]}
    new = {"models": [small("pool")], "gpuPools": [{"tier": "t4", "name": "pool"}]}
    found = changed(old, new)
    assert Rollout.POOL_REPLACED in kinds(found)
    assert "Downtime" in difference_markdown(found)


@pytest.mark.parametrize(
    ("keys", "rollout"),
    [
        ({"versions": {"image": "acme/ray-llm:2.49.1"}}, Rollout.SECOND_CLUSTER),
        ({"versions": {"kuberay": "1.5.2"}}, Rollout.OPERATOR),
        ({"kubeRay": {"install": "gke-addon"}}, Rollout.OPERATOR),
        ({"service": {"name": "other"}}, Rollout.SERVICE_REPLACED),
        ({"service": {"namespace": "other"}}, Rollout.SERVICE_REPLACED),
        ({"cluster": {"name": "b", "zones": ["us-central1-a"]}}, Rollout.CLUSTER_REPLACED),
    ],
)
def test_versions_service_and_cluster_roll_out_in_their_way(
    keys: dict[str, Any], rollout: Rollout
) -> None:
    assert kinds(changed({}, keys)) == {rollout}


def test_another_ray_says_how_to_keep_the_one_that_runs() -> None:
    old = {"versions": {"ray": "2.49.1"}}
    (warning,) = rollout_problems(changed(old, {}))  # the default is another one
    assert warning.rule == "rollout-second-cluster"
    assert "ray-llm:versions: {ray: 2.49.1} keeps the release that runs" in warning.sentence()
    (other,) = rollout_problems(changed({}, {"versions": {"image": "acme/ray-llm:2.60.0-x"}}))
    assert "keeps the release" not in other.sentence()


def cluster_spec(models: list[Any], **keys: Any) -> dict[str, Any]:
    """The part of the RayClusterSpec that KubeRay hashes to decide on a second cluster."""
    return hashed(ray_cluster_config(planned(models, **keys)))


@pytest.mark.parametrize(
    "new",
    [
        {"models": [small(contextLength=8192, replicas={"min": 0, "max": 9})]},
        {"models": [small(contextLength=8192, replicas={"min": 3, "max": 3})]},
        {"models": [small("l4-x2")]},
        {"gpuPools": [*POOLS, "t4"]},
        {"gpuPools": ["t4", *POOLS]},
        {"gpuPools": POOLS[:1]},
        {"gpuPools": POOLS[::-1]},
        {"gpuPools": [{**POOLS[0], "maxNodes": 9, "minNodes": 1, "bootDiskGb": 300}, POOLS[1]]},
        {"gpuPools": [{**POOLS[0], "zones": ["us-central1-b"]}, POOLS[1]]},
        {"gpuPools": [{**POOLS[0], "idleTimeoutSeconds": 20}, POOLS[1]]},
        {"gpuPools": [{**POOLS[0], "idleTimeoutSeconds": 300}, POOLS[1]]},
        {"gpuPools": [{**POOLS[0], "compileCache": "vllm-cache"}, POOLS[1]]},
        {"gpuPools": [{**POOLS[0], "machineType": "g2-standard-16"}, POOLS[1]]},
        {"gpuPools": [{**POOLS[0], "spot": True, "name": "l4"}, POOLS[1]]},
        {"gpuPools": [{"tier": "t4", "name": "l4", "maxNodes": 4}, POOLS[1]]},
        {"versions": {"image": "acme/ray-llm:2.49.1"}},
        {"versions": {"ray": "2.51.2"}},
        {"versions": {"kuberay": "1.5.2"}},
        {"cluster": {"name": "llm", "zones": ["us-central1-a"], "cpuPool": {"name": "cpus"}}},
        {"cluster": {"name": "llm", "zones": ["us-central1-a"], "cpuPool": {"maxNodes": 30}}},
    ],
)
def test_a_second_cluster_is_reported_exactly_if_its_spec_changes(
    new: dict[str, Any],
) -> None:
    before: dict[str, Any] = {"models": [small()], "gpuPools": POOLS}
    old_spec, new_spec = cluster_spec(**before), cluster_spec(**{**before, **new})
    groups = len(old_spec["workerGroupSpecs"])
    # An appended group is added in place.
    new_spec["workerGroupSpecs"] = new_spec["workerGroupSpecs"][:groups]
    reported = kinds(changed({}, new)) & {
        Rollout.SECOND_CLUSTER,
        Rollout.POOL_REPLACED_AND_SECOND_CLUSTER,
    }
    assert bool(reported) == (old_spec != new_spec)


def test_another_minimum_is_other_numbers_of_workers_and_no_second_cluster() -> None:
    three = [small(replicas={"min": 3, "max": 3})]
    before, after = (
        ray_cluster_config(planned(models, gpuPools=POOLS)) for models in ([small()], three)
    )
    numbers = [
        [group["replicas"] for group in spec["workerGroupSpecs"]] for spec in (before, after)
    ]
    assert numbers == [[1, 1, 0], [1, 3, 0]]
    assert kinds(changed({}, {"models": three})) == {Rollout.AT_ONCE}


def test_figures_stand_before_and_after() -> None:
    text = difference_markdown(changed({}, {"models": [small(replicas={"min": 2, "max": 4})]}))
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert rows["GPUs paid, minimum"].split("|")[2:5] == [" 1 ", " 2 ", " +1 "]
    assert "+" in rows["USD a month, minimum"]


def test_a_new_stack_is_all_new() -> None:
    text = difference_markdown(difference(None, summary([small()], gpuPools=POOLS)))
    assert "The stack is new" in text


def test_a_missing_null_is_no_change() -> None:
    """Pulumi's outputs may omit null values."""
    old, new = summary([small()], gpuPools=POOLS), summary([small()], gpuPools=POOLS)
    del old["models"][0]["quantization"]  # type: ignore[misc]
    del old["cluster"]["network"]  # type: ignore[misc]
    assert difference(old, new).is_empty


def test_values_cannot_break_out_of_the_markdown() -> None:
    evil = "a|b <img src=x>\n# heading"
    new = summary([small(engine={"revision": evil})], gpuPools=POOLS)
    text = difference_markdown(difference(summary([small()], gpuPools=POOLS), new))
    assert "revision none → `a|b <img src=x> # heading`" in text  # code, in which nothing is read
