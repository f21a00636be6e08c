"""What others changed in a live RayService, and what a change does that the state does not show."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from manifests.yaml_text import yaml_text
from rollouts import (
    Addition,
    Kind,
    ServeConfig,
    additions,
    as_live,
    handed_over,
    next_wave,
    predict,
    unforeseen,
)
from tests.manifests.plans import model, plan
from tests.manifests.written import ray_service

Object = dict[str, Any]
KUBERAY = "1.6.2"
# What the API server adds to what was applied.
OURS = {"manager": "pulumi-kubernetes-0a1b2c3d", "operation": "Apply"}


def service(**context_lengths: int) -> Object:
    models = [model(name, max_model_len=length) for name, length in context_lengths.items()]
    return ray_service(plan(models=models))


def as_stored(written: Object) -> Object:
    """The object as the API server shows it, with defaults and a status."""
    live = copy.deepcopy(written)
    for group in live["spec"]["rayClusterConfig"]["workerGroupSpecs"]:
        group["scaleStrategy"] = {}
        group["numOfHosts"] = 1
    live["metadata"]["resourceVersion"] = "17"
    live["status"] = {"serviceStatus": "Running"}
    return live


def found(state: Object, live: Object, new: Object) -> tuple[str, ...]:
    return unforeseen(predict(state, new, KUBERAY), predict(as_live(state, live), new, KUBERAY))


def config_of(obj: Object) -> Object:
    config: Object = yaml.safe_load(obj["spec"]["serveConfigV2"])
    return config


def with_config(obj: Object, config: ServeConfig) -> Object:
    return {**obj, "spec": {**obj["spec"], "serveConfigV2": yaml_text(dict(config))}}


def edited(obj: Object, change: Callable[[Object], None]) -> Object:
    """The live object after somebody edited it."""
    live = as_stored(obj)
    config = config_of(live)
    change(config["applications"][0])
    return with_config(live, config)


def longer(application: Object) -> None:
    application["args"]["llm_configs"][0]["engine_kwargs"]["max_model_len"] = 512


def scaled(application: Object) -> None:
    application["deployments"][1]["autoscaling_config"]["min_replicas"] = 0


def test_what_the_server_adds_is_nobodys_edit() -> None:
    old = service(a=2048, b=2048)
    live = as_stored(old)
    assert as_live(old, live) == old
    assert additions(old, live, ()) == ()
    assert found(old, live, service(a=4096, b=2048)) == ()


def test_a_model_that_was_edited_by_hand_would_restart_without_a_word() -> None:
    old, new = service(a=2048, b=2048), service(a=2048, b=4096)
    [clause] = found(old, edited(old, longer), new)
    assert clause == (
        "model a would be changed back (args.llm_configs[0].engine_kwargs.max_model_len), and its "
        "replicas restart in place"
    )


def test_an_edit_of_the_model_that_is_replaced_anyway_is_no_surprise() -> None:
    old, new = service(a=2048, b=2048), service(a=4096, b=2048)
    assert found(old, edited(old, longer), new) == ()


def test_replicas_that_a_schedule_scaled_are_no_surprise() -> None:
    old, new = service(a=2048, b=2048), service(a=2048, b=4096)
    assert found(old, edited(old, scaled), new) == ()


def test_an_image_that_was_changed_by_hand_would_start_a_second_cluster() -> None:
    old, new = service(a=2048), service(a=4096)
    live = as_stored(old)
    head = live["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    head["containers"][0]["image"] = "acme/ray:1"
    [clause] = found(old, live, new)
    assert clause.startswith(
        "spec.rayClusterConfig.headGroupSpec.template.spec.containers[ray-head].image would be "
    )
    assert clause.endswith("KubeRay starts a second Ray cluster")


def test_a_worker_group_that_was_added_by_hand_goes_with_a_second_cluster() -> None:
    """Pulumi's provider shows no difference: it compares as many items as the inputs have."""
    old, new = service(a=2048), service(a=4096)
    live = as_stored(old)
    groups = live["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    groups.append({**groups[-1], "groupName": "extra"})
    path = "spec.rayClusterConfig.workerGroupSpecs[extra]"
    assert additions(old, live, ()) == (Addition(path),)
    [clause] = found(old, live, new)
    assert clause.startswith(path)


def test_an_application_that_was_added_by_hand_would_be_removed() -> None:
    old, new = service(a=2048), service(a=4096)
    live = as_stored(old)
    config = config_of(live)
    config["applications"].append({"name": "mine", "route_prefix": "/mine", "import_path": "a:b"})
    [clause] = found(old, with_config(live, config), new)
    assert clause == "/mine, which was added, would be removed"


def test_what_the_state_has_too_is_said_at_the_preview_and_stops_no_update() -> None:
    """As after `--refresh`: the state has what is live."""
    old = service(a=2048)
    live = edited(old, longer)
    refreshed = as_live(old, live)
    assert predict(refreshed, old, KUBERAY).models[0].changed
    assert found(refreshed, live, old) == ()


def test_what_an_interrupted_hand_over_left_is_nobodys_edit() -> None:
    """Each state of a hand-over, and then each of three stack files: none is a surprise."""
    old, wanted = service(a=2048, b=2048), service(a=4096, b=4096)
    states = []
    config: ServeConfig = config_of(old)
    for _ in range(3):
        wave = next_wave(config, config_of(wanted), {}, {"l4": 1})
        if wave is None:
            break
        config = handed_over(wave.config, config_of(wanted), wave.models)
        states += [wave.config, config]
    assert len(states) >= 2
    for state in states:
        live = with_config(as_stored(old), state)
        for new in (wanted, service(a=1024, b=2048), service(a=4096)):
            assert found(old, live, new) == ()


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"f:suspend": {}}, ("spec.suspend",)),
        ({"f:rayClusterConfig": {"f:suspend": {}}}, ("spec.rayClusterConfig.suspend",)),
        # Fields that this program writes too are compared, whoever set them last.
        ({"f:serveConfigV2": {}, "f:rayClusterConfig": {"f:rayVersion": {}}}, ()),
        (
            {
                "f:rayClusterConfig": {
                    "f:headGroupSpec": {
                        "f:template": {
                            "f:spec": {
                                "f:containers": {
                                    'k:{"name":"ray-head"}': {".": {}, "f:tty": {}},
                                    'k:{"name":"sidecar"}': {".": {}, "f:image": {}},
                                }
                            }
                        }
                    }
                }
            },
            (
                "spec.rayClusterConfig.headGroupSpec.template.spec.containers[ray-head].tty",
                "spec.rayClusterConfig.headGroupSpec.template.spec.containers[sidecar]",
            ),
        ),
    ],
)
def test_fields_that_others_set_are_named_with_who_set_them(
    entry: Object, named: tuple[str, ...]
) -> None:
    old = service(a=2048)
    live = as_stored(old)
    live["metadata"]["managedFields"] = [
        {**OURS, "fieldsV1": {"f:spec": {"f:something": {}}}},
        {"manager": "kubectl-edit", "fieldsV1": {"f:spec": entry}},
        {"manager": "kuberay", "subresource": "status", "fieldsV1": {"f:spec": {"f:x": {}}}},
    ]
    found = additions(old, live, (OURS["manager"],))
    assert found == tuple(Addition(path, "kubectl-edit") for path in named)


def test_the_prediction_counts_items_that_others_added() -> None:
    old = service(a=2048)
    live = as_stored(old)
    groups = live["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    groups.append({**groups[-1], "groupName": "extra"})
    assert predict(as_live(old, live), old, KUBERAY).kind is Kind.SECOND_CLUSTER
