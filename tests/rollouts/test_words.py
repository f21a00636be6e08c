"""What people read of a rollout."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from models.catalog import DEFAULT_RAY
from models.stack import WithoutRoom
from rollouts import Duration, Expectation, ModelStart, Sentence, predict, sentences
from tests.manifests.plans import model, plan, pool, replicas
from tests.manifests.written import ray_service
from tests.rollouts.edits import APPENDS, EDITS, serving

POOLS = (pool("t4"), pool("l4"))
MODELS = (model("a", "t4"), model("b", "l4", replicas=replicas(2, 4)))


def service(**changes: Any) -> dict[str, Any]:
    return ray_service(plan(**{"models": MODELS, "pools": POOLS, **changes}))


def said(new: dict[str, Any], kuberay: str | None = "1.6.2", **how: Any) -> tuple[Sentence, ...]:
    return sentences(predict(service(), new, kuberay), **how)


def of_edit(name: str) -> dict[str, Any]:
    [edit] = [edit for edit in (*EDITS, *APPENDS) if edit.name == name]
    return edit.applied(service())


def serve_edit(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    new = service()
    serving(change)(new["spec"])
    return new


def test_nothing_is_said_of_nothing() -> None:
    assert said(service()) == ()
    assert said(of_edit("the same in another layout")) == ()
    assert said(of_edit("replicas of a group")) == ()


def test_a_model_that_is_edited_in_place_is_a_warning_if_it_has_one_replica() -> None:
    def shorter(config: dict[str, Any]) -> None:  # by hand, so that the names stay
        for application in config["applications"]:
            application["args"]["llm_configs"][0]["engine_kwargs"]["max_num_seqs"] = 3

    only, several = said(serve_edit(shorter))
    assert only.warns
    assert only.text.startswith("Model a is edited in place: Ray Serve stops the old replica")
    assert several == Sentence(
        "Model b is edited in place: the replicas are replaced one after the other.", warns=False
    )


def test_models_without_room_for_a_second_version_are_a_warning() -> None:
    new = service(models=tuple(replace(item, max_num_seqs=3) for item in MODELS))
    rollout = predict(service(), new, "1.6.2", {"t4": 2, "l4": 2})
    assert rollout.held == ("b",)
    beside, held = sentences(rollout)
    assert beside.text.startswith("Model a is edited: the new version loads beside the old one")
    assert not beside.warns
    assert held.text.startswith("Model b is edited, and the pool has no room for a second version")
    assert held.warns
    assert sentences(predict(service(), new, "1.6.2", {"t4": 2, "l4": 3}))[0].text.startswith(
        "Models a and b are edited: the new version loads beside the old one"
    )


@pytest.mark.parametrize(
    ("gpus", "setting", "then"),
    [
        (4, WithoutRoom.HOLD, "requests are held until the old one has gone"),
        (4, WithoutRoom.WAIT, "`up` waits for one"),
        (4, WithoutRoom.STOP, "`up` stops before anything changes"),
        (5, WithoutRoom.HOLD, None),
    ],
)
def test_a_pool_that_may_be_full_by_then_is_said(
    gpus: int, setting: WithoutRoom, then: str | None
) -> None:
    """Of b two to four replicas run, each on a GPU."""
    new = service(models=(MODELS[0], replace(MODELS[1], max_model_len=1024)))
    rollout = predict(service(), new, "1.6.2", {"t4": 2, "l4": gpus})
    assert rollout.held == ()
    [sentence] = sentences(rollout, expected=Expectation(without_room=setting))
    assert "Nobody waits" in sentence.text
    assert not sentence.warns
    if then is None:
        assert "If other replicas" not in sentence.text
    else:
        assert (
            f"If other replicas have taken the GPUs for b (1 of l4) by then, {then}"
            in sentence.text
        )


def test_a_second_cluster_of_sleeping_models_takes_no_gpu() -> None:
    takes = Duration(least=60, most=120)
    start = ModelStart(replicas=0, anew=takes, beside=takes, in_place=takes)
    [sentence, *_] = said(
        service(ray=DEFAULT_RAY), expected=Expectation(models={"a": start, "b": start})
    )
    assert "no GPU is needed until a request comes" in sentence.text
    assert "twice" not in sentence.text


def test_an_application_of_another_name_is_said_to_load_beside_the_old_one() -> None:
    def rename(config: dict[str, Any]) -> None:
        config["applications"][0]["name"] = "a-0123abcd"

    [sentence] = said(serve_edit(rename))
    assert sentence.text.startswith("Model a is edited: the new version loads beside the old one")
    assert not sentence.warns


def test_models_that_come_and_go_are_named() -> None:
    models = tuple(model(name, "l4") for name in ("c", "d"))
    added, removed, bill = said(service(models=models))
    assert added == Sentence("Models c and d are added.", warns=False)
    assert removed == Sentence(
        "Models a and b are removed: requests to them get a 404.", warns=True
    )
    assert bill.text.startswith("Afterwards the models take ")


def test_many_models_are_not_all_listed() -> None:
    models = (*MODELS, *(model(f"m{index}", "l4") for index in range(8)))
    sentence, _ = said(service(models=models))
    assert sentence.text == "Models m0, m1, m2, m3, m4 and 3 more are added."


def test_a_second_cluster_is_said_with_its_cause_and_the_way_back() -> None:
    [sentence] = [
        item for item in said(service(ray=DEFAULT_RAY), names_release=False) if item.warns
    ]
    for part in (
        "Ray 2.49.1 (rayproject/ray-llm:2.49.1-py311-cu128) becomes Ray",
        f"because the stack names no release and the default is Ray {DEFAULT_RAY} now. KubeRay",
        "every model loads anew.",
        "To stay, write ray-llm:versions: {ray: 2.49.1}.",
    ):
        assert part in sentence.text
    assert ".image" not in sentence.text


def test_an_image_of_ones_own_is_named_in_the_way_back() -> None:
    own = service()
    containers = own["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"]
    containers[0]["image"] = "acme/llm:1"
    [sentence] = sentences(predict(own, service(), "1.6.2"))
    assert 'To stay, write ray-llm:versions: {ray: 2.49.1, image: "acme/llm:1"}.' in sentence.text


def test_a_release_that_this_program_does_not_know_any_more_has_no_way_back() -> None:
    old = service()
    old["spec"]["rayClusterConfig"]["rayVersion"] = "2.40.0"
    [sentence] = sentences(predict(old, service(), "1.6.2"))
    assert (
        "This version of the program has no Ray 2.40.0: an earlier one keeps it." in sentence.text
    )


def test_the_field_of_a_second_cluster_is_named() -> None:
    [sentence] = said(of_edit("the idle timeout"))
    assert sentence.text.startswith(
        "spec.rayClusterConfig.autoscalerOptions.idleTimeoutSeconds changes. KubeRay starts a "
        "second Ray cluster"
    )


def test_the_gpus_that_come_on_top_are_counted() -> None:
    pools = (pool("t4", nodes_at_min=1), pool("l4", nodes_at_min=3))
    old, new = (service(pools=pools, ray=ray) for ray in ("2.49.1", "2.60.0"))
    first, *_ = sentences(predict(old, new, "1.6.2"))
    assert "every model loads anew. Its first GPUs: 1 of t4 and 3 of l4. To stay" in first.text


def test_an_appended_group_is_in_place_and_what_comes_with_it_is_for_new_pods() -> None:
    group, written = said(of_edit("a group at the end and a toleration"))
    assert group == Sentence(
        "The running Ray cluster gets worker group appended-2 in place: nothing restarts.",
        warns=False,
    )
    assert written.warns
    assert "only pods that start later have it" in written.text


def test_what_is_refused_is_said_with_its_reason() -> None:
    [sentence] = said(of_edit("a minimum above the maximum"))
    assert sentence.warns
    assert "workerGroupSpecs[l4].minReplicas is above its maxReplicas" in sentence.text
    assert "no other part of the change takes effect" in sentence.text


def test_a_change_in_place_names_its_settings() -> None:
    [sentence] = said(of_edit("a router takes more requests"))
    assert sentence == Sentence(
        "Model a changes in place (deployments[LLMRouter].max_ongoing_requests): nothing restarts.",
        warns=False,
    )


@pytest.mark.parametrize("kuberay", ["9.9.9", None])
def test_what_cannot_be_known_is_said_to_be_unknown(kuberay: str | None) -> None:
    [sentence] = said(of_edit("a toleration of workers"), kuberay)
    assert sentence.warns
    assert "cannot be said beforehand" in sentence.text
    doubt, *others = said(of_edit("an image"), kuberay)
    assert not doubt.warns
    assert others == list(said(of_edit("an image")))


def test_no_sentence_shows_a_value_of_the_serve_config_or_of_an_environment() -> None:
    def secret(config: dict[str, Any]) -> None:
        application = config["applications"][0]
        application["runtime_env"] = {"env_vars": {"TOKEN": "hf_secret"}}

    new = copy.deepcopy(serve_edit(secret))
    containers = new["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"]
    containers[0]["env"].append({"name": "KEY", "value": "hf_secret"})
    assert "hf_secret" not in " ".join(sentence.text for sentence in said(new))


def test_recreate_says_from_when_to_when_no_model_answers_and_no_gpu_twice() -> None:
    [sentence, *_] = said(of_edit("an image"), expected=Expectation(recreates=True))
    assert sentence.warns
    assert "no model answers from then until the new one has loaded it" in sentence.text
    assert "if the new one does not start, none answers at all" in sentence.text
    assert "No GPU is needed twice." in sentence.text
    assert "beside the old one" not in sentence.text
