"""What stops a change before it begins, and how one change gets past it."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from models.problems import Problem, Severity, stops
from models.stack import RolloutStrategy, WithoutRoom
from rollouts import (
    NODE_QUOTA_ANNOTATION,
    OPERATOR_ANNOTATION,
    Change,
    Effect,
    HeadRoom,
    Kind,
    Policy,
    PoolRoom,
    Room,
    change_problems,
    predict,
)
from tests.manifests.plans import model, plan, pool, replicas
from tests.manifests.written import ray_service
from tests.rollouts.edits import APPENDS, EDITS
from tests.rollouts.quotas import l4_gpus

ONE = replicas(min=1, max=1)
MODELS = (model("a", "t4", replicas=ONE), model("b", "l4", replicas=ONE))
POOLS = (pool("t4", nodes_at_min=1), pool("l4", nodes_at_min=1))
TWO = pool("l4-x2", nodes_at_min=1)
GPUS = {"t4": 1, "l4": 1}


def service(**changes: Any) -> dict[str, Any]:
    made = ray_service(plan(**{"models": MODELS, "pools": POOLS, **changes}))
    made["metadata"]["annotations"][OPERATOR_ANNOTATION] = "1.6.2"
    return made


def room(nodes: int = 1, most: int = 2) -> Room:
    return Room(
        pools=tuple(
            PoolRoom(id=name, path=f"ray-llm:gpuPools[{index}]", nodes=nodes, max_nodes=most)
            for index, name in enumerate(GPUS)
        ),
        quotas=(),
    )


def judge(
    new: dict[str, Any],
    policy: Policy | None = None,
    old: dict[str, Any] | None = None,
    *,
    of: Room | None = None,
    kuberay: str | None = "1.6.2",
) -> tuple[Problem, ...]:
    old = old or service()
    there = of or room()
    rollout = predict(old, new, kuberay, there.pool_gpus, there.gpu_quotas)
    change = Change(old=old, new=new, rollout=rollout, room=there)
    return change_problems(change, policy or Policy())


def rules(*args: Any, **kwargs: Any) -> list[str]:
    return [problem.rule for problem in judge(*args, **kwargs)]


def of_edit(name: str) -> dict[str, Any]:
    [edit] = [edit for edit in (*EDITS, *APPENDS) if edit.name == name]
    return edit.applied(service())


def edited() -> dict[str, Any]:
    return service(models=(MODELS[0], replace(MODELS[1], max_num_seqs=3)))


def test_edits_in_place_and_a_second_cluster_with_room_are_not_stopped() -> None:
    assert judge(service()) == ()
    assert judge(edited()) == ()
    assert judge(of_edit("an image")) == ()
    assert judge(of_edit("replicas of a group")) == ()


def test_what_kuberay_ignores_is_stopped_and_it_is_said_when_it_would_come() -> None:
    [problem] = judge(of_edit("a toleration of workers"))
    assert problem.rule == "change-ignored"
    assert problem.path.startswith("spec.rayClusterConfig.workerGroupSpecs[l4]")
    assert "together with a change that starts another Ray cluster" in problem.sentence()
    [of_proxies] = judge(of_edit("a longer timeout of the proxies"))
    assert of_proxies.path == "spec.serveConfigV2:http_options.request_timeout_s"


def test_what_no_cluster_ever_hears_of_has_to_be_taken_back() -> None:
    new = service()
    new["spec"]["serviceUnhealthySecondThreshold"] = 5
    [problem] = judge(new)
    assert "no later change brings it either" in problem.sentence()


def test_an_ignored_field_that_comes_with_a_second_cluster_is_not_stopped() -> None:
    new = of_edit("a toleration of workers")
    image = "registry.example/ray-llm:other"
    new["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"][0][
        "image"
    ] = image
    assert judge(new) == ()


def test_a_second_cluster_without_room_is_stopped_unless_the_first_one_goes_before() -> None:
    new = of_edit("an image")
    assert rules(new, of=room(most=1)) == ["pool-below-upgrade", "pool-below-upgrade"]
    assert rules(new, Policy(strategy=RolloutStrategy.RECREATE), of=room(most=1)) == []


def test_the_head_needs_a_node_even_if_the_first_cluster_goes_before() -> None:
    head = HeadRoom(path="ray-llm:cluster.cpuPool", nodes=1, both=3, recreating=2, max_nodes=1)
    new = of_edit("an image")
    policy = Policy(strategy=RolloutStrategy.RECREATE)
    [problem] = judge(new, policy, of=replace(room(), head=head))
    assert problem.path == "ray-llm:cluster.cpuPool.maxNodes"
    assert problem.remedy.startswith("Use 2.")
    assert judge(new, policy, of=replace(room(), head=replace(head, max_nodes=2))) == ()


def test_in_place_only_refuses_a_second_cluster_and_what_nobody_can_say() -> None:
    policy = Policy(strategy=RolloutStrategy.IN_PLACE_ONLY)
    [problem] = judge(of_edit("an image"), policy)
    assert problem.rule == "second-cluster-refused"
    assert ".image" in problem.sentence()
    assert rules(edited(), policy) == []
    foreign = service()
    foreign["metadata"]["labels"] = {}
    [unknown] = judge(edited(), policy, foreign)
    assert "nobody can say beforehand" in unknown.sentence()


def moved() -> tuple[dict[str, Any], dict[str, Any]]:
    """A pool that goes, and the model of it that moves."""
    both = [replace(item, pool="l4") for item in MODELS]
    return service(), service(models=tuple(both), pools=(POOLS[1],))


def test_a_pool_goes_after_its_models_and_not_with_them() -> None:
    old, new = moved()
    [problem] = judge(new, old=old, of=room(most=9))
    assert problem.rule == "pool-in-use"
    assert "list t4 again and give gpu: l4 to a in one `up`" in problem.sentence()
    first = service(models=tuple(replace(item, pool="l4") for item in MODELS))
    assert rules(first, old=old) == []  # in place: both pools stay
    assert rules(new, old=first, of=room(most=9)) == []


def test_a_pool_may_go_with_its_models_and_where_others_own_the_pools() -> None:
    old, new = moved()
    without = service(models=(MODELS[1],), pools=(POOLS[1],))
    assert rules(without, old=old, of=room(most=9)) == []
    assert rules(new, Policy(removes_pools=False), old=old, of=room(most=9)) == []


def test_the_first_cluster_keeps_what_models_of_several_degrees_need() -> None:
    """Their group starts empty, and Ray's autoscaler adds what they need."""
    pools = (pool("l4-x2", max_nodes=3),)
    models = (
        model("a", "l4-x2", replicas=replicas(2, 2)),
        model("b", "l4-x2", tensor_parallel_size=2, replicas=replicas(1, 1)),
    )
    old = service(models=models, pools=pools)
    new = service(models=models, pools=pools, ray="2.60.0")
    row = PoolRoom(id="l4-x2", path="ray-llm:gpuPools[0]", nodes=2, max_nodes=3, gpus=2)
    found = judge(new, old=old, of=Room(pools=(row,), quotas=()))
    assert [problem.rule for problem in found] == ["pool-below-upgrade"]
    assert "below the 4 nodes of l4-x2" in found[0].sentence()
    enough = replace(row, max_nodes=4)
    assert rules(new, old=old, of=Room(pools=(enough,), quotas=())) == []


@pytest.mark.parametrize("args", [None, {}, {"llm_configs": ["x"]}, "text"])
def test_an_application_that_others_added_does_not_end_the_judgement(args: Any) -> None:
    old = service()
    config = yaml.safe_load(old["spec"]["serveConfigV2"])
    foreign: dict[str, Any] = {"name": "hand", "route_prefix": "/hand", "import_path": "hand:app"}
    if args is not None:
        foreign["args"] = args
    config["applications"].append(foreign)
    old["spec"]["serveConfigV2"] = yaml.safe_dump(config)
    rollout = predict(old, edited(), "1.6.2", GPUS)
    assert rollout.kind is Kind.SERVE
    assert [item.name for item in rollout.with_effect(Effect.REMOVED)] == ["hand"]
    [problem] = judge(edited(), Policy(without_room=WithoutRoom.STOP), old=old, of=room(most=1))
    assert problem.rule == "model-without-room"
    assert rules(of_edit("an image"), old=old, of=room(most=9)) == []


def test_a_new_operator_and_another_cluster_are_two_updates() -> None:
    old, new = service(), of_edit("an image")
    old["metadata"]["annotations"][OPERATOR_ANNOTATION] = "1.4.2"
    [problem] = judge(new, old=old)
    assert (problem.rule, problem.path) == ("operator-and-cluster", "ray-llm:versions.kuberay")
    assert "replaces KubeRay 1.4.2" in problem.sentence()
    assert rules(edited(), old=old) == []
    del old["metadata"]["annotations"][OPERATOR_ANNOTATION]  # of an earlier version
    assert rules(new, old=old) == []


@pytest.mark.parametrize("setting", [WithoutRoom.WAIT, WithoutRoom.STOP])
def test_no_request_is_held_if_the_stack_says_so(setting: WithoutRoom) -> None:
    assert rules(edited()) == []
    [problem] = judge(edited(), Policy(without_room=setting), of=room(most=1))
    assert (problem.rule, problem.path) == (
        "model-without-room",
        "ray-llm:gpuPools[1].maxNodes",
    )
    assert "Use 2, or write withoutRoom: hold" in problem.sentence()


def test_a_quota_that_leaves_no_room_is_named_in_the_way_out() -> None:
    def found(limit: int, most: int) -> tuple[Problem, ...]:
        of = Room(pools=(room().pools[0], room(most=most).pools[1]), quotas=(l4_gpus(limit),))
        return judge(edited(), Policy(without_room=WithoutRoom.STOP), of=of)

    [by_quota] = found(limit=1, most=2)
    assert by_quota.sentence().startswith("ray-llm:quotas.NVIDIA_L4_GPUS: 1 leaves no room")
    assert "Ask Google for 2 of" in by_quota.sentence()
    [pool, quota] = found(limit=1, most=1)
    assert pool.sentence().startswith("ray-llm:gpuPools[1].maxNodes: 1 leaves no room")
    assert "Use 2, or write" in pool.sentence()
    assert "Ask Google for 2 of" in quota.sentence()
    [alone] = found(limit=2, most=1)
    assert alone.path == "ray-llm:gpuPools[1].maxNodes"


def test_a_pool_that_goes_with_its_model_takes_its_quota_until_the_end() -> None:
    """Its nodes are there until the second cluster answers, and no plan lists them any more."""
    old = service(models=(MODELS[1], replace(MODELS[0], pool="l4-x2")), pools=(POOLS[1], TWO))
    new = service(models=(MODELS[1],), pools=(POOLS[1],))
    takes = {"l4": {"NVIDIA_L4_GPUS": 1}, "l4-x2": {"NVIDIA_L4_GPUS": 2}}
    of = Room(pools=(room(most=9).pools[1],), quotas=(l4_gpus(3),))
    assert rules(new, old=old, of=of) == []  # of an earlier version
    for annotation in ("x", "[1]", '{"l4": 1}', '{"l4-x2": {"NVIDIA_L4_GPUS": Infinity}}'):
        old["metadata"]["annotations"][NODE_QUOTA_ANNOTATION] = annotation
        assert rules(new, old=old, of=of) == []
    old["metadata"]["annotations"][NODE_QUOTA_ANNOTATION] = json.dumps(takes)
    [problem] = judge(new, old=old, of=of)
    assert problem.rule == "quota-below-upgrade"
    assert "is below the 4 that this change needs" in problem.reason


def test_recreate_needs_the_quota_of_a_second_head() -> None:
    cpus = replace(
        l4_gpus(10), metric="CPUS", of_node={"t4": 0, "l4": 0}, others_recreating=11, others=99
    )
    of = replace(room(most=9), quotas=(cpus,))
    policy = Policy(strategy=RolloutStrategy.RECREATE)
    assert rules(of_edit("an image"), policy, of=of) == ["quota-below-upgrade"]
    enough = replace(of, quotas=(replace(cpus, limit=11),))
    assert rules(of_edit("an image"), policy, of=enough) == []


def test_the_id_in_the_message_lets_this_change_pass_and_no_other() -> None:
    new = of_edit("a toleration of workers")
    [stop] = stops(judge(new))
    id_ = stop.sentence().partition("{allow: ")[2].partition("}")[0]
    [allowed] = judge(new, Policy(allow=(id_,)))
    assert allowed.severity is Severity.WARN
    assert stops(judge(of_edit("a longer timeout of the proxies"), Policy(allow=(id_,))))
    [other] = judge(of_edit("a longer timeout of the proxies"), Policy(allow=(id_,)))
    assert f"{id_}, which it allows, is another change" in other.sentence()


def test_the_id_is_of_the_change_and_holds_no_secret() -> None:
    def id_of(value: Any, other: str = "") -> str:
        old, new = service(), of_edit("a toleration of workers")
        for item in (old, new):
            container = item["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
            container["containers"][0]["env"].append({"name": "KEY", "value": value})
            item["spec"]["note"] = other
        [problem] = judge(new, old=old)
        return problem.sentence().rpartition("allow: ")[2]

    marked = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "a"}
    same = copy.deepcopy(marked) | {"value": "b"}
    assert id_of(marked) == id_of(same)
    assert id_of(1) == id_of(1.0)
    assert id_of("x") != id_of("y")
    assert id_of("x", "one") != id_of("x", "two")


def test_an_unknown_operator_is_judged_by_what_all_releases_do() -> None:
    assert rules(of_edit("an image"), kuberay=None, of=room(most=1)) == ["pool-below-upgrade"] * 2
