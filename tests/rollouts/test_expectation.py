"""What people read of times and prices in a rollout."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from manifests import ServiceManifests, service_manifests
from rollouts import Duration, Expectation, ModelStart, PoolNode, Sentence, predict, sentences
from rollouts.expectation import usd_in_all
from rollouts.serve_models import both_serve_configs, serve_config
from tests.planning.small_stacks import planned, small

RAY = {"ray": "2.49.1"}


def between(low: int, high: int) -> dict[str, int]:
    return {"min": low, "max": high}


def manifests(models: list[Any], **keys: Any) -> ServiceManifests:
    return service_manifests(planned(models, **{"versions": RAY, **keys}))


def said(old: ServiceManifests, new: ServiceManifests, **changes: Any) -> tuple[Sentence, ...]:
    gpus, quotas = new.rollout.pool_gpus, new.rollout.quotas
    rollout = predict(old.ray_service, new.ray_service, "1.6.2", gpus, quotas)
    return sentences(rollout, expected=replace(new.rollout.expected, **changes))


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [
        (20, 80, "20 to 80 seconds"),
        (20, 200, "1 to 4 minutes"),
        (61, 119, "1 to 2 minutes"),
        (115, 120, "1 to 2 minutes"),
        (120, 120, "2 minutes"),
        (1800, 1800, "30 minutes"),
        (30, None, "at least 1 minute"),
        (300, None, "at least 5 minutes"),
        (600, 10_000, "10 minutes to 3 hours"),
    ],
)
def test_durations_are_read_in_the_unit_that_fits(least: int, most: int | None, text: str) -> None:
    assert str(Duration(least=least, most=most)) == text


def test_gpus_cost_their_nodes_or_their_share_of_them() -> None:
    expected = Expectation(pools={"l4-x2": PoolNode(gpus=2, usd_per_hour=Decimal(3))})
    assert expected.usd_per_hour({"l4-x2": 1}, whole_nodes=True) == 3
    assert expected.usd_per_hour({"l4-x2": 1}, whole_nodes=False) == Decimal("1.5")
    assert expected.usd_per_hour({"l4-x2": 1, "t4": 1}, whole_nodes=True) is None
    assert usd_in_all(Decimal(6), Duration(least=600, most=1200)) == "USD 1.00 to 2.00"
    assert usd_in_all(Decimal(6), Duration(least=600, most=None)) == "at least USD 1.00"


def test_a_new_version_beside_says_its_time_its_gpus_and_their_price() -> None:
    old = manifests([small(replicas=between(2, 4))])
    [sentence] = said(old, manifests([small(replicas=between(2, 4), dtype="float32")]))
    assert "and takes over when it runs, after 1 to 18 minutes." in sentence.text
    assert "On top with the minimum of replicas: 2 of l4, at most USD 2.00 an hour;" in (
        sentence.text
    )


def test_models_of_different_times_are_told_apart() -> None:
    large = {"model": "mistral-7b-instruct-v0.3", "gpu": "l4", "replicas": between(1, 1)}
    old = manifests([small(replicas=between(1, 1)), large])
    new = manifests([small(replicas=between(1, 1), dtype="float32"), {**large, "dtype": "float16"}])
    [sentence] = said(old, new)
    assert (
        "after 1 to 18 minutes (qwen2.5-0.5b-instruct) and 1 to 22 minutes "
        "(mistral-7b-instruct-v0.3)" in sentence.text
    )


def test_held_requests_are_held_for_a_stated_time_and_end_if_they_wait_too_long() -> None:
    pools = [{"tier": "l4", "maxNodes": 1}]
    old = manifests([small(replicas=between(1, 1))], gpuPools=pools)
    new = manifests([small(replicas=between(1, 1), dtype="float32")], gpuPools=pools)
    [sentence] = said(old, new)
    assert sentence.warns
    assert "requests are held meanwhile, for 1 to 5 minutes after the old one's last" in (
        sentence.text
    )
    assert "gets an error" not in sentence.text
    [shorter] = said(old, new, request_timeout_s=120)
    assert "A request that waits longer than 2 minutes gets an error." in shorter.text


def test_a_second_cluster_says_its_gpus_their_price_and_how_long() -> None:
    models = [small(replicas=between(1, 1)), small(name="b", replicas=between(2, 2))]
    [sentence] = said(manifests(models), manifests(models, versions={"ray": "2.60.0"}))
    assert (
        "Its first GPUs: 3 of l4, at USD 3.00 an hour, so USD 0.28 to 0.87 in all. It takes 5 "
        "to 18 minutes until it answers. To stay," in sentence.text
    )


def test_added_models_say_when_they_answer_and_which_sleep() -> None:
    first = small(replicas=between(1, 1))
    added = [small(name="b", replicas=between(1, 1)), small(name="c", replicas=between(0, 1))]
    sentence, bill = said(manifests([first]), manifests([first, *added]))
    assert sentence.text == (
        "Models b and c are added. Until the first answer it takes 5 to 18 minutes. While nobody "
        "asks, c may have no replica and loads on request."
    )
    assert bill.text == (
        "Afterwards the models take 1 GPU of l4 more at their minimum (USD +730 a month), and "
        "2 GPUs of l4 more at their maximum (USD +1,461 a month)."
    )


def test_a_wider_range_and_a_model_less_change_the_bill() -> None:
    one, two = small(replicas=between(1, 2)), small(name="b", replicas=between(1, 1))
    *_, wider = said(manifests([one]), manifests([small(replicas=between(1, 5))]))
    assert wider.text == (
        "Afterwards the models take 3 GPUs of l4 more at their maximum (USD +2,191 a month)."
    )
    *_, fewer = said(manifests([one, two]), manifests([one]))
    assert fewer.text.startswith("Afterwards the models take 1 GPU of l4 fewer at their minimum (")


def test_a_price_that_is_not_known_is_said_and_never_taken_for_nothing() -> None:
    one = small(replicas=between(1, 2))
    pools = {"l4": PoolNode(gpus=1, usd_per_hour=None)}
    *_, bill = said(manifests([one]), manifests([small(replicas=between(1, 5))]), pools=pools)
    assert bill.text == (
        "Afterwards the models take 3 GPUs of l4 more at their maximum "
        "(the price of l4 is not known here)."
    )


def test_a_maximum_that_a_pool_cannot_have_is_no_price() -> None:
    pools = [{"tier": "l4", "maxNodes": 2}]
    old = manifests([small(replicas=between(1, 2))], gpuPools=pools)
    *_, bill = said(old, manifests([small(replicas=between(1, 6))], gpuPools=pools))
    assert bill.text == (
        "Afterwards the models take 4 GPUs of l4 more at their maximum (pool l4 has at most 2 in "
        "all)."
    )


def test_a_price_that_is_known_in_part_names_its_part() -> None:
    one = small(replicas=between(1, 1))
    other = small(name="b", gpu="t4", replicas=between(1, 1))
    pools = {"l4": PoolNode(gpus=1, usd_per_hour=Decimal(1))}
    new = manifests([small(replicas=between(2, 2))])
    text = said(manifests([one, other]), new, pools=pools)[-1].text
    assert "(USD +730 a month for l4; the price of t4 is not known here)" in text


def test_models_that_have_room_one_after_the_other_are_said_to_load_in_turn() -> None:
    def stack(**changes: Any) -> Any:
        models = [
            {**small(name=name, replicas=between(1, 1)), **changes} for name in ("a", "b", "c")
        ]
        return manifests(models, gpuPools=[{"tier": "l4", "maxNodes": most}])

    most = 4
    [sentence] = said(stack(), stack(dtype="float32"))
    assert "they do it in turn: a; then b; then c." in sentence.text
    assert "On top with the minimum of replicas: 1 of l4," in sentence.text
    most = 6
    [sentence] = said(stack(), stack(dtype="float32"))
    assert "in turn" not in sentence.text
    assert "On top with the minimum of replicas: 3 of l4," in sentence.text


def test_a_quota_that_leaves_no_room_is_named() -> None:
    def stack(**changes: Any) -> Any:
        return manifests(
            [{**small(replicas=between(1, 1)), **changes}],
            gpuPools=[{"tier": "l4", "maxNodes": 4}],
            quotas={"NVIDIA_L4_GPUS": limit},
        )

    limit = 1
    [sentence] = said(stack(), stack(dtype="float32"))
    assert "and the quota NVIDIA_L4_GPUS leaves no room for a second version" in sentence.text
    assert "With more of NVIDIA_L4_GPUS" in sentence.text
    limit = 2
    [sentence] = said(stack(), stack(dtype="float32"))
    assert "Nobody waits" in sentence.text


@pytest.mark.parametrize(("limit", "held"), [(3, True), (4, False)])
def test_what_a_model_that_goes_still_runs_on_counts_against_the_quota(
    limit: int, held: bool
) -> None:
    pools = ["l4", "l4-x2"]
    quotas = {"NVIDIA_L4_GPUS": limit}
    one = small(gpu="l4", replicas=between(1, 1))
    two = small(name="b", gpu="l4-x2", tensorParallelSize=2, replicas=between(1, 1))
    old = manifests([one, two], gpuPools=pools, quotas=quotas)
    new = manifests([{**one, "dtype": "float32"}], gpuPools=pools, quotas=quotas)
    text = " ".join(sentence.text for sentence in said(old, new))
    assert ("leaves no room for a second version" in text) is held


@pytest.mark.parametrize(("limit", "ways"), [(5, "held"), (6, "together")])
def test_models_of_two_pools_draw_on_one_quota(limit: int, ways: str) -> None:
    def stack(**changes: Any) -> Any:
        models = [
            {**small(gpu="l4", replicas=between(1, 1)), **changes},
            {
                **small(name="b", gpu="l4-x2", tensorParallelSize=2, replicas=between(1, 1)),
                **changes,
            },
        ]
        return manifests(models, gpuPools=["l4", "l4-x2"], quotas={"NVIDIA_L4_GPUS": limit})

    text = " ".join(sentence.text for sentence in said(stack(), stack(dtype="float32")))
    if ways == "together":
        assert "in turn" not in text
    else:
        assert "in turn: qwen2.5-0.5b-instruct; then b." in text
    assert "leaves no room" not in text


def test_the_slowest_model_that_keeps_a_replica_decides() -> None:
    def start(replicas: int, least: int, most: int | None) -> ModelStart:
        takes = Duration(least=least, most=most)
        return ModelStart(replicas=replicas, anew=takes, beside=takes, in_place=takes)

    models = {"a": start(1, 10, 20), "b": start(2, 30, 40), "asleep": start(0, 900, 900)}
    assert Expectation(models=models).slowest_start() == Duration(least=30, most=40)
    unknown = {**models, "c": start(1, 1, None)}
    assert Expectation(models=unknown).slowest_start() == Duration(least=30, most=None)
    assert Expectation(models={"asleep": models["asleep"]}).slowest_start() is None


def test_serve_configs_whose_common_part_is_parsed_once_are_the_whole_ones() -> None:
    ranges = between(1, 1)
    models = [small(name=name, replicas=ranges) for name in ("a", "b", "c")]
    edited = [models[0], {**models[1], "dtype": "float32"}, models[2]]
    texts = [manifests(found).ray_service["spec"]["serveConfigV2"] for found in (models, edited)]

    def by_name(config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        applications = {item["name"]: item for item in config["applications"]}
        return applications, {**config, "applications": None}

    for found, text in zip(both_serve_configs(*texts), texts, strict=True):
        assert by_name(found) == by_name(serve_config(text))
