"""How long a replica takes to start."""

from dataclasses import replace

from models.catalog import start_times
from models.weights import WeightsPlace
from planning import Seconds, cold_start
from tests.manifests.plans import model, pool, t4_model
from tests.planning.small_stacks import planned, small

GB = 10**9


def test_a_range_ends_nowhere_if_one_of_its_parts_does() -> None:
    total = Seconds(least=1, most=2) + Seconds(least=3, most=None)
    assert total == Seconds(least=4, most=None)
    assert Seconds(least=1, most=2) + Seconds(least=3, most=4) == Seconds(least=4, most=6)


def test_weights_take_longer_the_larger_they_are() -> None:
    small_start, large_start = (
        cold_start(model(checkpoint_bytes=size * GB), pool("l4")) for size in (1, 140)
    )
    assert small_start.download.most is not None
    assert large_start.download.most is not None
    assert large_start.download.most > 100 * small_start.download.most
    assert large_start.in_place.least > small_start.in_place.least
    # 140 GB at 60 MB a second are most of an hour.
    assert 30 * 60 < large_start.download.most < 60 * 60


def test_on_the_old_versions_node_neither_node_nor_image_is_waited_for() -> None:
    start = cold_start(model(checkpoint_bytes=16 * GB), pool("l4"))
    assert start.in_place.least == (start.load + start.engine + start.graphs).least
    assert start.in_place.most == (start.weights + start.engine + start.graphs).most
    assert start.beside.least == start.in_place.least
    assert start.beside.most == start.anew.most
    assert start.anew.least > start.in_place.least + 180


def test_a_pool_that_keeps_a_spare_node_may_have_it_at_once() -> None:
    kept = cold_start(model(checkpoint_bytes=GB), pool("l4", min_nodes=2, nodes_at_min=1))
    taken = cold_start(model(checkpoint_bytes=GB), pool("l4", min_nodes=1, nodes_at_min=1))
    assert kept.node.least == kept.image.least == 0
    assert taken.node.least > 0
    assert kept.anew.most == taken.anew.most


def test_what_compiles_nothing_starts_sooner() -> None:
    compiled = cold_start(model(checkpoint_bytes=GB), pool("l4"))
    for eager in (model(checkpoint_bytes=GB, enforce_eager=True), t4_model(checkpoint_bytes=GB)):
        start = cold_start(eager, pool("l4"))
        assert start.engine.least < compiled.engine.least
        assert start.graphs.least == 0 < compiled.graphs.least


def test_what_another_engine_has_compiled_need_not_be_compiled_again() -> None:
    compiled = cold_start(model(checkpoint_bytes=GB), pool("l4"))
    kept = cold_start(model(checkpoint_bytes=GB), pool("l4", compile_cache="vllm-cache"))
    seconds = start_times().seconds["compile"].range
    assert kept.engine.least == compiled.engine.least - round(seconds[0])
    # The first engine of a version compiles.
    assert kept.engine.most == compiled.engine.most
    assert kept.graphs == compiled.graphs


def test_of_weights_of_unknown_size_only_the_least_is_known() -> None:
    start = cold_start(model(checkpoint_bytes=None), pool("l4"))
    assert start.anew.most is None
    assert start.anew.least > 180


def test_weights_in_the_image_are_not_downloaded() -> None:
    local = replace(model(checkpoint_bytes=GB), source="/models/own")
    assert cold_start(local, pool("l4")).download == Seconds(least=0, most=0)


def test_a_bucket_and_a_disk_are_faster_than_the_hub() -> None:
    large = model(checkpoint_bytes=140 * GB)
    hub, bucket, disk = (cold_start(large, pool("l4"), place).weights for place in WeightsPlace)
    assert disk.least < bucket.least < hub.least
    assert disk.most is not None
    assert bucket.most is not None
    assert hub.most is not None
    assert disk.most < bucket.most < hub.most
    assert cold_start(large, pool("l4")).weights == hub
    moved = replace(large, weights_place=WeightsPlace.BUCKET)
    assert cold_start(moved, pool("l4")).weights == bucket


def test_a_source_in_a_bucket_comes_from_there_whatever_the_stack_says() -> None:
    own = replace(model(checkpoint_bytes=GB), source="gs://acme/models/own")
    found = cold_start(own, pool("l4")).download
    assert found == cold_start(own, pool("l4"), WeightsPlace.BUCKET).download


def test_every_range_has_its_order_and_a_link() -> None:
    times = start_times()
    for phase in (*times.seconds.values(), *times.bytes_per_second.values()):
        assert 0 < phase.range[0] < phase.range[1]
        assert all(source.startswith("https://") for source in phase.sources)


def test_a_plan_knows_what_a_model_of_the_catalogue_downloads() -> None:
    [made] = planned([small()], versions={"ray": "2.49.1"}).models
    assert made.checkpoint_bytes is not None
    assert 0.9 * GB < made.checkpoint_bytes < 1.1 * GB
