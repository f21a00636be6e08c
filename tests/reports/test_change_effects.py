"""What `diff` and the comment say of a change between two stack files: what the preview says."""

import json
from typing import Any

import pytest

from manifests import service_manifests
from models.problems import Severity
from reports.change_effects import ChangeEffects, change_effects
from reports.difference import difference
from reports.difference_markdown import difference_markdown
from reports.plan_data import plan_summary
from reports.pull_request_comment import CommentContent, comment
from reports.pulumi_preview import EnginePreview, Explanation
from reports.rollout_warnings import rollout_problems
from rollouts import NOTHING_CHANGES, predict, sentences
from tests.planning.small_stacks import planned, small

RAY = {"ray": "2.60.0"}
SECURE = {"secure": "AAAB"}
OLD_RAY = {"ray": "2.49.1"}
CLUSTER = {"name": "llm", "zones": ["us-central1-a"], "deletionProtection": False}
BEFORE: dict[str, Any] = {
    "models": [small(replicas={"min": 1, "max": 1})],
    "gpuPools": [{"tier": "l4", "maxNodes": 4}],
    "versions": RAY,
    "cluster": CLUSTER,
}


def plans(new: dict[str, Any], old: dict[str, Any] | None = None) -> tuple[Any, Any]:
    before = {**BEFORE, **(old or {})}
    return planned(**before), planned(**{**before, **new})


def effects(new: dict[str, Any], old: dict[str, Any] | None = None) -> ChangeEffects:
    before, after = plans(new, old)
    return change_effects(before, after)


def told(found: ChangeEffects) -> str:
    return " ".join(sentence.text for sentence in found.sentences)


def markdown(new: dict[str, Any], old: dict[str, Any] | None = None) -> str:
    before, after = plans(new, old)
    changes = difference(plan_summary(before), plan_summary(after))
    return difference_markdown(changes, change_effects(before, after))


@pytest.mark.parametrize(
    "new",
    [
        {"versions": OLD_RAY},
        {"versions": OLD_RAY, "rollout": {"strategy": "recreate"}},
        {"models": [small(contextLength=2048)]},
        {"models": [small(replicas={"min": 1, "max": 3})]},
        {"models": [small(), small(name="b")]},
        {"gpuPools": [{"tier": "l4", "maxNodes": 4}, "t4"]},
        {"gpuPools": ["t4", {"tier": "l4", "maxNodes": 4}]},
    ],
)
def test_the_service_is_told_of_as_in_a_preview(new: dict[str, Any]) -> None:
    before, after = map(service_manifests, plans(new))
    said = sentences(
        predict(before.ray_service, after.ray_service, after.kuberay, after.rollout.pool_gpus),
        names_release=after.names_ray_release,
        expected=after.rollout.expected,
    )
    assert said
    assert effects(new).sentences[: len(said)] == said


def test_recreate_takes_no_gpu_twice() -> None:
    new = {"versions": OLD_RAY, "rollout": {"strategy": "recreate"}}
    full = {"gpuPools": [{"tier": "l4", "maxNodes": 1}]}
    found = effects(new, full)
    assert "No GPU is needed twice" in told(found)
    assert not found.problems
    text = markdown(new, full)
    assert "twice until" not in text
    before, after = plans(new, full)
    changes = difference(plan_summary(before), plan_summary(after))
    assert not list(rollout_problems(changes, found))


def test_a_pool_that_goes_has_a_price_too() -> None:
    both = {
        "models": [small(gpu="l4", replicas={"min": 1, "max": 1}), small(name="b", gpu="t4")],
        "gpuPools": ["l4", "t4"],
    }
    text = told(effects({"models": both["models"][:1], "gpuPools": ["l4"]}, both))
    assert "Afterwards the models take 1 GPU of t4 fewer at their minimum (USD -" in text
    assert "not known" not in text


def test_requests_that_are_held_are_said_to_be() -> None:
    full = {"gpuPools": [{"tier": "l4", "maxNodes": 1}]}
    new = {"models": [small(contextLength=2048, replicas={"min": 1, "max": 1})]}
    assert "requests are held meanwhile" in told(effects(new, full))
    assert "loads beside the old one" in told(effects(new))


def test_a_new_release_restarts_no_model_in_place() -> None:
    text = markdown({"versions": OLD_RAY})
    assert "versions.vllm" in text
    assert "KubeRay starts a second Ray cluster beside the old one" in text
    assert "in place" not in text
    before, after = plans({"versions": OLD_RAY, "models": [small(contextLength=2048)]})
    by_data = difference_markdown(difference(plan_summary(before), plan_summary(after)))
    assert "another RayCluster starts, in which every model loads anew" in by_data
    assert "takes over from the old one" not in by_data


def test_a_setting_about_changes_changes_nothing_that_serves() -> None:
    found = effects({"rollout": {"strategy": "recreate", "withoutRoom": "wait"}})
    assert found.sentences == (NOTHING_CHANGES,)
    text = markdown({"rollout": {"strategy": "recreate", "withoutRoom": "wait"}})
    assert "- rollout.strategy `newCluster` → `recreate`" in text
    assert "- rollout.withoutRoom `hold` → `wait`" in text
    assert "- Nothing that serves is changed or restarted." in text
    assert "does not change" in markdown({})


def test_what_stops_a_change_has_an_id_that_lets_it_pass() -> None:
    full = {"gpuPools": [{"tier": "l4", "maxNodes": 1}]}
    [stop] = effects({"versions": OLD_RAY}, full).problems
    assert (stop.rule, stop.severity) == ("pool-below-upgrade", Severity.STOP)
    assert "⛔ ray-llm:gpuPools\\[0\\].maxNodes: 1 is below the 2 nodes" in markdown(
        {"versions": OLD_RAY}, full
    )
    id_ = stop.sentence().partition("{allow: ")[2].partition("}")[0]
    [passed] = effects({"versions": OLD_RAY, "rollout": {"allow": id_}}, full).problems
    assert passed.severity is Severity.WARN
    assert not effects({"models": [small(contextLength=2048)]}, full).problems


def test_a_pool_of_a_protected_stack_is_stopped_once() -> None:
    spot = {"gpuPools": [{"tier": "l4", "maxNodes": 4, "spot": True, "name": "l4"}]}
    protected = {"cluster": {**CLUSTER, "deletionProtection": True}}
    for cluster, rules in ((CLUSTER, []), (protected["cluster"], ["pool-replaced"])):
        before, after = plans(spot, {"cluster": cluster})
        changes = difference(plan_summary(before), plan_summary(after))
        found = change_effects(before, after)
        assert [problem.rule for problem in found.problems] == rules
        warned = [problem.rule for problem in rollout_problems(changes, found)]
        assert ("rollout-pool-replaced" in warned) != bool(rules)
        assert "Node pool l4 is deleted and created again, because spot changes" in told(found)


def test_nodes_are_counted_in_whole_numbers() -> None:
    pools = [*BEFORE["gpuPools"], {"tier": "t4", "minNodes": 1}]
    assert "Node pool t4 is added and keeps 1 of its nodes." in told(effects({"gpuPools": pools}))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"service": {"name": "other"}}, "another one starts beside it, which takes the GPUs"),
        (
            {"cluster": {**CLUSTER, "name": "other"}},
            "is deleted with everything in it, because ray-llm:cluster.name changes",
        ),
    ],
)
def test_what_is_replaced_is_not_said_to_stay(new: dict[str, Any], said: str) -> None:
    found = effects({**new, "models": [small(contextLength=2048)]})
    assert said in told(found)
    assert "Nothing that serves" not in told(found)
    assert "beside the old one" not in told(found)


def content(preview: EnginePreview | None) -> CommentContent:
    before, after = plans({"models": [small(contextLength=2048)]})
    changes = difference(plan_summary(before), plan_summary(after))
    return CommentContent(
        stack="test",
        new=plan_summary(after),
        changes=changes,
        effects=change_effects(before, after),
        preview=preview,
    )


def test_a_comment_without_a_preview_says_what_will_stop_it() -> None:
    before, after = plans({"versions": OLD_RAY}, {"gpuPools": [{"tier": "l4", "maxNodes": 1}]})
    changes = difference(plan_summary(before), plan_summary(after))
    stopped = CommentContent(
        stack="test",
        new=plan_summary(after),
        changes=changes,
        effects=change_effects(before, after),
    )
    text = comment(stopped)
    assert "⚠️ Stack `test` can be deployed, but `pulumi preview` would stop this change" in text
    assert "- ⛔ ray-llm:gpuPools" in text
    assert "✅ Stack `test` can be deployed" in comment(content(None))


def test_a_comment_tells_the_effect_once() -> None:
    effect = "**Effect on what is running**"
    assert effect in comment(content(None))
    unknown = EnginePreview(steps=(), errors=())
    assert effect in comment(content(unknown))
    known = EnginePreview(
        steps=(),
        errors=(),
        explanations=(Explanation(text="It is.", warns=False),),
        service="update",
    )
    assert effect not in comment(content(known))


def test_data_without_a_stack_file_says_how_roughly_it_is_known() -> None:
    before, after = plans({"models": [small(contextLength=2048)]})
    old = json.loads(json.dumps(plan_summary(before)))
    text = difference_markdown(difference(old, plan_summary(after)))
    assert "if not, requests are held until it has loaded" in text
    assert "The effect is known only by kind" in text


def test_a_change_of_the_way_in_is_said_once() -> None:
    keys = {"search": SECURE, "support": SECURE}
    text = markdown({"access": {"keys": {"search": SECURE}}}, {"access": {"keys": keys}}).replace(
        "\\", ""
    )
    assert text.count("support") == 1
    assert "The key support is removed, and requests with it get 401" in text


def test_a_gateway_that_comes_is_said_to_close_the_direct_way() -> None:
    text = markdown({"access": {"keys": {"search": SECURE}}})
    assert text.count("other pods of the cluster no longer do") == 1
    assert "Who may ask" not in text
