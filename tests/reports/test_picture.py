"""The picture of a plan: it shows every model and pool, and each GPU once."""

import xml.etree.ElementTree as ElementTree
from typing import Any

from reports.picture import plan_picture
from tests.planning.small_stacks import planned, small, two_gpus

SVG = "{http://www.w3.org/2000/svg}"


def texts(models: list[Any], **keys: Any) -> list[str]:
    root = ElementTree.fromstring(plan_picture(planned(models, **keys)))
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_every_pool_and_model_is_named() -> None:
    shown = texts([small("l4", name="a"), two_gpus("l4-x2", name="b")], gpuPools=["l4", "l4-x2"])
    for word in ("l4", "l4-x2", "app-pool", "a", "b"):
        assert word in shown


def test_each_replica_up_to_the_maximum_is_drawn_once() -> None:
    shown = texts([small(name="one", replicas={"min": 1, "max": 4})], gpuPools=["l4"])
    assert shown.count("A") == 4 + 1  # and once next to its name


def test_idle_gpus_are_marked() -> None:
    one = {"min": 1, "max": 1}
    assert texts([small("l4-x4", replicas=one)], gpuPools=["l4-x4"]).count("idle") == 3
    kept = texts([small("l4", replicas=one)], gpuPools=["l4", {"tier": "t4", "minNodes": 2}])
    assert kept.count("idle") == 2


def test_the_pool_maximum_cuts_replicas_off() -> None:
    pools = [{"tier": "l4", "maxNodes": 2}]
    assert texts([small(replicas={"min": 1, "max": 9})], gpuPools=pools).count("A") == 2 + 1


def test_a_large_pool_is_cut_short_and_says_so() -> None:
    pools = [{"tier": "l4", "maxNodes": 100}]
    shown = texts([small(replicas={"min": 1, "max": 60})], gpuPools=pools)
    assert "and 36 more nodes" in shown


def test_a_pool_without_a_price_says_so() -> None:
    pools = [{"tier": "l4", "zones": ["africa-south9-a"]}]
    assert "price unknown" in texts([small()], region="africa-south9", gpuPools=pools)


def test_forty_models_keep_marks_of_their_own() -> None:
    models = [small(name=f"m{index}", replicas={"min": 0, "max": 1}) for index in range(40)]
    pools = [{"tier": "l4", "maxNodes": 40}]
    shown = texts(models, gpuPools=pools)
    assert "A1" in shown
    assert "N1" in shown
