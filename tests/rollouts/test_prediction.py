"""What is predicted of each edit; tests/cluster asks the real operator about the same edits."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import yaml

from models.catalog import kuberay_releases, ray_releases
from rollouts import Effect, Kind, Rollout, predict
from tests.manifests.plans import model, plan, pool, replicas
from tests.manifests.written import ray_service
from tests.rollouts.edits import APPENDS, CLUSTER, EDITS, GATES, Edit, serving

POOLS = (pool("t4"), pool("l4"))
MODELS = (model("a", "t4"), model("b", "l4"))
VERSIONS = tuple(kuberay_releases())
ALL = (GATES, *EDITS, *APPENDS)


def service(**changes: Any) -> dict[str, Any]:
    return ray_service(plan(**{"models": MODELS, "pools": POOLS, **changes}))


def edited(*models: Any, **changes: Any) -> Rollout:
    return predict(service(), service(models=models or MODELS, **changes), "1.6.2")


@pytest.mark.parametrize("kuberay", VERSIONS)
@pytest.mark.parametrize("edit", ALL, ids=str)
def test_each_edit_does_what_its_release_does(edit: Edit, kuberay: str) -> None:
    old = service()
    found = predict(old, edit.applied(old), kuberay)
    assert found.kind is edit.expected(kuberay)


@pytest.mark.parametrize("edit", [edit for edit in ALL if edit.fields], ids=str)
def test_the_fields_are_named_by_their_paths(edit: Edit) -> None:
    old = service()
    found = predict(old, edit.applied(old), "1.6.2")
    named = found.causes if found.kind is Kind.SECOND_CLUSTER else found.ignored
    assert set(named) == {f"{CLUSTER}.{path}" for path in edit.fields or ()}


def test_the_edits_have_names_of_their_own_and_are_enough() -> None:
    assert len({edit.name for edit in ALL}) == len(ALL) >= 25


@pytest.mark.parametrize("kuberay", [*VERSIONS, "0.1", None])
def test_no_edit_is_nothing(kuberay: str | None) -> None:
    assert predict(service(), service(), kuberay) == Rollout()


# Models


def effects(rollout: Rollout) -> dict[str, Effect]:
    return {change.name: change.effect for change in rollout.models}


def test_each_model_is_told_what_happens_to_it() -> None:
    b = model("b", "l4", max_num_seqs=3)
    c = model("c", "l4")
    assert effects(edited(b, c)) == {
        "a": Effect.REMOVED,
        "b": Effect.EDITED,
        "c": Effect.ADDED,
    }


def with_serve_config(change: Any) -> Rollout:
    old = service()
    new = copy.deepcopy(old)
    serving(change)(new["spec"])
    return predict(old, new, "1.6.2")


def test_a_model_is_known_by_its_route_and_another_application_is_a_new_version_of_it() -> None:
    def rename(config: dict[str, Any]) -> None:
        config["applications"][0]["name"] = "a-0123abcd"

    found = with_serve_config(rename)
    assert effects(found) == {"a": Effect.EDITED, "b": Effect.UNTOUCHED}
    assert [change.beside for change in found.models] == [True, False]


def without_override(config: dict[str, Any]) -> None:
    """Take what is said of the first model's own deployment out of `deployments`."""
    application = config["applications"][0]
    application["deployments"] = [
        entry for entry in application["deployments"] if not entry["name"].startswith("LLMServer")
    ]


@pytest.mark.parametrize(
    ("option", "value", "effect"),
    [
        ("autoscaling_config", {"max_replicas": 9}, Effect.SCALED),
        ("max_ongoing_requests", 9, Effect.SCALED),
        ("graceful_shutdown_timeout_s", 600, Effect.SCALED),
        ("ray_actor_options", {"num_cpus": 2}, Effect.EDITED),
        ("a_later_option", 1, Effect.EDITED),
    ],
)
def test_an_override_of_the_models_deployment_restarts_it_only_if_serve_does(
    option: str, value: Any, effect: Effect
) -> None:
    def override(config: dict[str, Any]) -> None:
        without_override(config)
        config["applications"][0]["deployments"].append({"name": "LLMServer:a", option: {}})

    old = service()
    serving(override)(old["spec"])
    new = copy.deepcopy(old)

    def change(config: dict[str, Any]) -> None:
        config["applications"][0]["deployments"][-1][option] = value

    serving(change)(new["spec"])
    found = predict(old, new, "1.6.2")
    assert effects(found) == {"a": effect, "b": Effect.UNTOUCHED}


def test_the_first_override_of_a_deployment_restarts_the_model() -> None:
    old = service()
    serving(without_override)(old["spec"])
    new = copy.deepcopy(old)

    def override(config: dict[str, Any]) -> None:
        entry = {"name": "LLMServer:a", "max_ongoing_requests": 80}
        config["applications"][0]["deployments"].append(entry)

    serving(override)(new["spec"])
    assert effects(predict(old, new, "1.6.2"))["a"] is Effect.EDITED


@pytest.mark.parametrize("ray", ray_releases())
def test_resources_of_a_router_restart_the_router_alone(ray: str) -> None:
    old = service(ray=ray)
    new = copy.deepcopy(old)

    def change(config: dict[str, Any]) -> None:
        config["applications"][1]["deployments"][0]["ray_actor_options"]["num_cpus"] = 1

    serving(change)(new["spec"])
    assert effects(predict(old, new, "1.6.2"))["b"] is Effect.ROUTER


def test_models_are_told_the_same_whatever_the_layout_of_the_text() -> None:
    models = tuple(model(name, "l4") for name in ("a", "b", "c.d", "e"))
    old = service(models=models)
    new = service(models=(*models[1:3], replace(models[3], max_num_seqs=3), model("f", "l4")))
    other = [copy.deepcopy(item) for item in (old, new)]
    for item in other:
        serving(lambda _: None)(item["spec"])
    expected = {
        "a": Effect.REMOVED,
        "b": Effect.UNTOUCHED,
        "c.d": Effect.UNTOUCHED,
        "e": Effect.EDITED,
        "f": Effect.ADDED,
    }
    assert effects(predict(old, new, "1.6.2")) == expected
    assert effects(predict(*other, "1.6.2")) == expected
    assert effects(predict(old, other[1], "1.6.2")) == expected


def test_a_route_that_is_taken_already_is_refused() -> None:
    def twice(config: dict[str, Any]) -> None:
        config["applications"].append({**config["applications"][0], "name": "again"})

    found = with_serve_config(twice)
    assert found.kind is Kind.REFUSED
    assert found.refused_by_ray == "spec.serveConfigV2 has two applications at /a"


def test_the_least_number_of_replicas_until_then_is_told() -> None:
    models = (model("a", "t4", replicas=replicas(3, 4)), MODELS[1])
    new = tuple(replace(item, max_num_seqs=3) for item in models)
    found = predict(service(models=models), service(models=new), "1.6.2")
    assert [change.replicas for change in found.models] == [3, 1]


def test_settings_of_the_proxies_are_ignored_in_place_and_come_with_a_second_cluster() -> None:
    [timeout] = [edit for edit in EDITS if edit.name == "a longer timeout of the proxies"]
    [image] = [edit for edit in EDITS if edit.name == "an image"]
    old = service()
    new = timeout.applied(old)
    ignored = predict(old, new, "1.6.2").ignored
    assert ignored == ("spec.serveConfigV2:http_options.request_timeout_s",)
    assert predict(old, image.applied(new), "1.6.2").ignored == ()


# GPUs, and what is written on the way


def test_a_second_cluster_takes_the_gpus_of_the_workers_that_it_starts_with() -> None:
    pools = (pool("t4", nodes_at_min=1), pool("l4-x2", nodes_at_min=2), pool("l4"))
    models = (model("a", "t4"), model("b", "l4-x2"))
    old = service(pools=pools, models=models)
    new = service(pools=pools, models=models, ray="2.60.0")
    assert predict(old, new, "1.6.2").gpus == {"t4": 1, "l4-x2": 4}


def test_what_a_rewritten_cluster_gets_beside_a_group_is_told() -> None:
    found = predict(service(), APPENDS[1].applied(service()), "1.6.2")
    assert found.appended == ("appended-2",)
    assert found.written == (f"{CLUSTER}.workerGroupSpecs[l4].template.spec.tolerations",)
    assert found.ignored == ()


def test_a_service_has_no_metadata_from_a_second_cluster_either() -> None:
    old = service()
    new = copy.deepcopy(old)
    new["spec"]["serveService"] = {"metadata": {"labels": {"a": "b"}}, "spec": {"type": "NodePort"}}
    new["spec"]["rayClusterConfig"]["rayVersion"] = "2.50.0"
    found = predict(old, new, "1.6.2")
    assert found.kind is Kind.SECOND_CLUSTER
    assert found.ignored == ()  # the whole field is new, so that it comes with the switch


def test_a_serve_config_that_ray_refuses_does_not_keep_a_second_cluster_away() -> None:
    [empty] = [edit for edit in EDITS if edit.name == "no serve config"]
    [image] = [edit for edit in EDITS if edit.name == "an image"]
    found = predict(service(), image.applied(empty.applied(service())), "1.6.2")
    assert found.kind is Kind.REFUSED
    assert found.refused_by_ray == "spec.serveConfigV2 is empty"
    assert found.causes == (f"{CLUSTER}.headGroupSpec.template.spec.containers[ray-head].image",)


# What cannot be known


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"spec": None},
        {"spec": {"rayClusterConfig": {}}},
        {"apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {}, "spec": {}},
        {"preview": [1, 2]},
    ],
)
def test_an_object_of_another_form_is_not_predicted(strange: dict[str, Any]) -> None:
    for old, new in ((strange, service()), (service(), strange)):
        found = predict(old, new, "1.6.2")
        assert found.kind in {Kind.UNKNOWN, Kind.REPLACED}


@pytest.mark.parametrize(
    "text",
    [
        "applications: [7]",
        "applications: [{name: a, args: {}}]",
        "applications: [{name: a, route_prefix: null}]",
        "applications: [{name: a, route_prefix: /a, deployments: [x]}]",
        "import_path: an.older.layout:app\napplications: []",
    ],
)
def test_a_serve_config_of_another_layout_is_not_predicted(text: str) -> None:
    old = service()
    old["spec"]["serveConfigV2"] = text
    found = predict(old, service(), "1.6.2")
    if "older" in text:
        assert effects(found) == {"a": Effect.ADDED, "b": Effect.ADDED}
    else:
        assert found.kind is Kind.UNKNOWN


@pytest.mark.parametrize("kuberay", ["1.3.0", "1.6", "2.0.0", "nightly", None])
def test_an_unknown_operator_is_not_predicted(kuberay: str | None) -> None:
    [toleration] = [edit for edit in EDITS if edit.name == "a toleration of workers"]
    found = predict(service(), toleration.applied(service()), kuberay)
    assert found.kind is Kind.UNKNOWN
    assert found.if_known is None


def test_where_all_known_releases_do_the_same_it_is_told_beside_the_doubt() -> None:
    [image] = [edit for edit in EDITS if edit.name == "an image"]
    found = predict(service(), image.applied(service()), None)
    assert found.kind is Kind.UNKNOWN
    assert found.if_known is not None
    assert found.if_known.kind is Kind.SECOND_CLUSTER


def test_a_service_that_another_wrote_is_not_predicted() -> None:
    old = service()
    old["metadata"]["labels"] = {"app": "theirs"}
    found = predict(old, service(models=MODELS[:1]), "1.6.2")
    assert found.kind is Kind.UNKNOWN
    assert "not written by this program" in found.unknown[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec["upgradeStrategy"].pop("type"),
        lambda spec: spec.update(managedBy="kueue.x-k8s.io/multikueue"),
        lambda spec: spec.update(a_later_field=1),
        lambda spec: spec["rayClusterConfig"].update(suspend=True),
        lambda spec: spec["rayClusterConfig"]["headGroupSpec"].update(enableIngress=False),
        lambda spec: spec["rayClusterConfig"].update(headServiceAnnotations={}),
    ],
)
def test_what_depends_on_more_than_the_object_is_not_predicted(change: Any) -> None:
    new = service()
    change(new["spec"])
    assert predict(service(), new, "1.6.2").kind is Kind.UNKNOWN


def test_edits_that_were_held_back_are_not_forgotten() -> None:
    old = service()
    old["spec"]["upgradeStrategy"]["type"] = "None"
    assert predict(old, service(), "1.6.2").kind is Kind.UNKNOWN


def test_a_certain_second_cluster_stays_certain_beside_a_doubt() -> None:
    new = service()
    new["spec"]["rayClusterConfig"]["rayVersion"] = "2.50.0"
    new["spec"]["rayClusterConfig"]["headServiceAnnotations"] = {}
    assert predict(service(), new, "1.6.2").kind is Kind.SECOND_CLUSTER


@pytest.mark.parametrize(("kuberay", "kind"), [("1.6.2", Kind.UNKNOWN), ("1.7.0", Kind.SUSPENDED)])
def test_suspend_is_a_field_of_its_release(kuberay: str, kind: Kind) -> None:
    new = service()
    new["spec"]["suspend"] = True
    assert predict(service(), new, kuberay).kind is kind


def test_pulumis_marks_of_secrets_and_unknown_values_are_read() -> None:
    old, new = service(), service()
    mark = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    version = new["spec"]["rayClusterConfig"]["rayVersion"]
    new["spec"]["rayClusterConfig"]["rayVersion"] = {**mark, "value": version}
    assert predict(old, new, "1.6.2").kind is Kind.NOTHING
    new["spec"]["rayClusterConfig"]["rayVersion"] = object()
    assert predict(old, new, "1.6.2").kind is Kind.UNKNOWN


def test_whole_numbers_from_the_state_are_floats_there() -> None:
    old = service()
    old["spec"]["rayClusterConfig"]["autoscalerOptions"]["idleTimeoutSeconds"] = 300.0
    assert predict(old, service(), "1.6.2").kind is Kind.NOTHING


def test_the_edits_parse() -> None:
    for edit in EDITS:
        text = edit.applied(service())["spec"]["serveConfigV2"]
        assert isinstance(yaml.safe_load(text), dict | list | None)
