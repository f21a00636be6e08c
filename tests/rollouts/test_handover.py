"""The steps by which edited models take over, on serve configs as this program writes them."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import service_manifests
from rollouts import ServeConfig, handed_over, held_models, leftovers, next_wave, without
from rollouts.handover import BESIDE, model_of
from tests.manifests.plans import model, plan

POOL = {"l4": 4}


def serve_config(**context_lengths: int) -> ServeConfig:
    """The serve config of some models, named a, b and so on, with one GPU each."""
    models = [model(name, max_model_len=length) for name, length in context_lengths.items()]
    config: dict[str, Any] = yaml.safe_load(
        service_manifests(plan(models=models)).ray_service["spec"]["serveConfigV2"]
    )
    return config


def routes(config: ServeConfig) -> dict[str, str]:
    """The application at each route."""
    return {item["route_prefix"]: item["name"] for item in config["applications"]}


def named(config: ServeConfig, name: str) -> str:
    """The name of a model's application."""
    return routes(config)[f"/{name}"]


def scaling(config: ServeConfig, application: str) -> dict[str, Any]:
    """The range of an application's model."""
    [item] = [item for item in config["applications"] if item["name"] == application]
    found: dict[str, Any] = item["deployments"][1]["autoscaling_config"]
    return found


def test_nothing_starts_if_no_model_is_edited() -> None:
    config = serve_config(a=2048, b=2048)
    assert next_wave(config, config, {}, POOL) is None
    assert next_wave(config, serve_config(a=2048, b=2048, c=2048), {}, POOL) is None
    assert next_wave(config, serve_config(b=2048), {}, POOL) is None


def test_an_edited_model_starts_beside_the_old_one_with_as_many_replicas() -> None:
    live, wanted = serve_config(a=2048, b=2048), serve_config(a=4096, b=2048)
    wave = next_wave(live, wanted, {named(live, "a"): 2}, {"l4": 8})
    assert wave is not None
    new = named(wanted, "a")
    assert wave.replicas == {new: 2}
    assert routes(wave.config) == {**routes(live), f"{BESIDE}{new}": new}
    assert scaling(wave.config, new)["min_replicas"] == 2
    assert scaling(wave.config, new)["initial_replicas"] == 2


def test_the_old_version_gets_time_to_end_its_requests_without_a_restart() -> None:
    live, wanted = serve_config(a=2048), serve_config(a=4096)
    wave = next_wave(live, wanted, {named(live, "a"): 1}, POOL)
    assert wave is not None
    before, after = live["applications"][0], wave.config["applications"][0]
    grace = live["http_options"]["request_timeout_s"]
    assert [item["graceful_shutdown_timeout_s"] for item in after["deployments"]] == [grace] * 2
    assert {**after, "deployments": None} == {**before, "deployments": None}
    assert [item["name"] for item in after["deployments"]] == [
        item["name"] for item in before["deployments"]
    ]


def test_a_version_that_sleeps_wakes_none_and_takes_no_gpu() -> None:
    live, wanted = serve_config(a=2048), serve_config(a=4096)
    wave = next_wave(live, wanted, {}, POOL)
    assert wave is not None
    assert wave.replicas == {named(wanted, "a"): 0}
    assert scaling(wave.config, named(wanted, "a"))["min_replicas"] == 0
    assert scaling(wave.config, named(wanted, "a"))["max_replicas"] >= 1


def test_with_room_for_fewer_replicas_fewer_start() -> None:
    live, wanted = serve_config(a=2048), serve_config(a=4096)
    wave = next_wave(live, wanted, {named(live, "a"): 3}, POOL)
    assert wave is not None
    assert wave.replicas == {named(wanted, "a"): 1}


def test_what_has_no_room_waits_until_others_have_left_their_gpus() -> None:
    live, wanted = serve_config(a=2048, b=2048, c=2048), serve_config(a=4096, b=4096, c=4096)
    running = {named(live, name): 1 for name in "abc"}
    wave = next_wave(live, wanted, running, POOL)
    assert wave is not None
    assert wave.replicas == {named(wanted, "a"): 1}
    after = handed_over(wave.config, wanted, wave.models)
    running = {**running, named(wanted, "a"): 1}
    del running[named(live, "a")]
    second = next_wave(after, wanted, running, POOL)
    assert second is not None
    assert second.replicas == {named(wanted, "b"): 1}


def test_without_any_room_the_new_version_waits_beside_at_zero() -> None:
    live, wanted = serve_config(a=2048), serve_config(a=4096)
    for running, rest in (({named(live, "a"): 4}, {}), ({named(live, "a"): 1}, {"a"})):
        wave = next_wave(live, wanted, running, POOL, frozenset(rest))
        assert wave is not None
        assert wave.replicas == {named(wanted, "a"): 0}


def test_a_router_is_up_before_its_model_takes_the_route_and_wakes_none() -> None:
    live, wanted = serve_config(a=2048), serve_config(a=4096)
    for least in (0, 1, 2):
        router = wanted["applications"][0]["deployments"][0]["autoscaling_config"]
        router |= {"min_replicas": least, "initial_replicas": least}
        for running, expected in (({named(live, "a"): 1}, max(1, least)), ({}, 0)):
            wave = next_wave(live, wanted, running, POOL)
            assert wave is not None
            found = wave.config["applications"][1]["deployments"][0]["autoscaling_config"]
            assert found["min_replicas"] == found["initial_replicas"] == expected
            assert found["max_replicas"] >= found["min_replicas"]


def test_models_without_room_are_known_before() -> None:
    live, wanted = serve_config(a=2048, b=2048), serve_config(a=4096, b=4096)
    assert held_models(live, wanted, {"l4": 2}) == ("a", "b")
    assert held_models(live, wanted, {"l4": 3}) == ()
    assert held_models(live, live, {"l4": 1}) == ()


def test_one_change_takes_the_route_and_takes_the_old_version_away() -> None:
    live, wanted = serve_config(a=2048, b=2048), serve_config(a=4096, b=2048)
    wave = next_wave(live, wanted, {named(live, "a"): 1}, POOL)
    assert wave is not None
    after = handed_over(wave.config, wanted, wave.models)
    assert routes(after) == routes(wanted)
    assert scaling(after, named(wanted, "a")) == scaling(wanted, named(wanted, "a"))


def test_what_an_interrupted_rollout_left_is_of_use_only_if_it_is_wanted() -> None:
    live, wanted = serve_config(a=2048), serve_config(a=4096)
    wave = next_wave(live, wanted, {named(live, "a"): 1}, POOL)
    assert wave is not None
    new = named(wanted, "a")
    assert leftovers(wave.config, wanted) == frozenset()
    assert leftovers(wave.config, wanted, failed={new}) == {new}
    assert leftovers(wave.config, live) == {new}
    assert leftovers(wave.config, serve_config(a=1024)) == {new}
    assert routes(without(wave.config, {new})) == routes(live)
    again = next_wave(wave.config, wanted, {named(live, "a"): 1}, {"l4": 2})
    assert again is not None
    assert again.replicas == {new: 1}
    assert routes(again.config) == routes(wave.config)


def test_an_application_of_an_earlier_version_of_this_program_is_replaced_too() -> None:
    wanted = serve_config(a=2048)
    old = {**wanted["applications"][0], "name": "a"}
    old["deployments"] = [
        {k: v for k, v in old["deployments"][0].items() if k != "graceful_shutdown_timeout_s"}
    ]
    live = {**wanted, "applications": [old]}
    wave = next_wave(live, wanted, {"a": 1}, POOL)
    assert wave is not None
    assert set(routes(wave.config)) == {"/a", f"{BESIDE}{named(wanted, 'a')}"}
    # An override that is added would restart the old version.
    assert len(wave.config["applications"][0]["deployments"]) == 1


@settings(deadline=None)
@given(
    before=st.dictionaries(st.sampled_from("abcde"), st.sampled_from([1024, 2048]), min_size=1),
    after=st.dictionaries(st.sampled_from("abcde"), st.sampled_from([1024, 2048]), min_size=1),
    running=st.integers(0, 3),
    gpus=st.integers(1, 12),
)
def test_every_rollout_ends_and_no_route_is_ever_missing(
    before: dict[str, int], after: dict[str, int], running: int, gpus: int
) -> None:
    live, wanted = serve_config(**before), serve_config(**after)
    counts = {item["name"]: running for item in live["applications"]}
    kept = set(routes(live)) & set(routes(wanted))
    for _ in range(len(before) + 1):
        wave = next_wave(live, wanted, counts, {"l4": gpus})
        if wave is None:
            break
        assert kept <= set(routes(wave.config))
        names = [item["name"] for item in wave.config["applications"]]
        assert len(set(names)) == len(names)
        taken = sum(counts.get(name, 0) for name in names) + sum(wave.replicas.values())
        assert taken <= max(gpus, sum(counts.get(name, 0) for name in names))
        live = handed_over(wave.config, wanted, wave.models)
        assert kept <= set(routes(live))
        names_left = {item["name"] for item in live["applications"]}
        counts = {name: count for name, count in counts.items() if name in names_left}
        counts |= wave.replicas
    else:
        raise AssertionError("the rollout does not end")
    assert all(
        named(live, model_of(item)) == item["name"]
        for item in wanted["applications"]
        if item["route_prefix"] in kept
    )
