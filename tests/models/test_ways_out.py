"""Changes of a stack file as data: what they change, what they leave, and how they are said."""

from decimal import Decimal
from typing import Any

import pytest

from models.ways_out import (
    TriedWayOut,
    WayOut,
    add,
    instead,
    leave_out,
    move,
    rename,
    spoken,
    together,
    use,
    with_edits,
)

VALUES: dict[str, Any] = {
    "gcp:region": "us-central1",
    "ray-llm:gpuPools": ["l4", {"tier": "t4", "maxNodes": 2}],
    "ray-llm:models": ["qwen3-4b", {"model": "qwen3-8b", "engine": {"max_num_seqs": 8}}],
}
MODEL = "ray-llm:models[1]"


@pytest.mark.parametrize(
    ("way", "changed"),
    [
        (use("gcp:region", "us-east1"), {"gcp:region": "us-east1"}),
        (use("ray-llm:monthlyBudget", 5), {"ray-llm:monthlyBudget": 5}),
        (
            use("ray-llm:models[0].gpu", "l4"),
            {"ray-llm:models": [{"model": "qwen3-4b", "gpu": "l4"}, VALUES["ray-llm:models"][1]]},
        ),
        (
            use(f"{MODEL}.replicas.min", 2),
            {
                "ray-llm:models": [
                    "qwen3-4b",
                    {
                        "model": "qwen3-8b",
                        "engine": {"max_num_seqs": 8},
                        "replicas": {"min": 2},
                    },
                ]
            },
        ),
        (
            leave_out(f"{MODEL}.engine.max_num_seqs"),
            {"ray-llm:models": ["qwen3-4b", {"model": "qwen3-8b", "engine": {}}]},
        ),
        (
            rename(f"{MODEL}.engine", "profile"),
            {"ray-llm:models": ["qwen3-4b", {"model": "qwen3-8b", "profile": {"max_num_seqs": 8}}]},
        ),
        (
            move(f"{MODEL}.engine.max_num_seqs", "ray-llm:loadFactor", ""),
            {
                "ray-llm:models": ["qwen3-4b", {"model": "qwen3-8b", "engine": {}}],
                "ray-llm:loadFactor": 8,
            },
        ),
        (
            add("ray-llm:gpuPools", "l4-x2", ""),
            {"ray-llm:gpuPools": [*VALUES["ray-llm:gpuPools"], "l4-x2"]},
        ),
        (
            together("", use("gcp:region", "x"), leave_out("ray-llm:gpuPools[0]")),
            {"gcp:region": "x", "ray-llm:gpuPools": [{"tier": "t4", "maxNodes": 2}]},
        ),
    ],
)
def test_an_edit_changes_what_is_at_its_path_and_nothing_else(
    way: WayOut, changed: dict[str, Any]
) -> None:
    before = repr(VALUES)
    assert with_edits(VALUES, way.edits) == {**VALUES, **changed}
    assert repr(VALUES) == before


@pytest.mark.parametrize(
    "way",
    [
        use("ray-llm:models[2].gpu", "l4"),
        use("ray-llm:models[1].model.name", "x"),
        use("nonsense", 1),
        leave_out(f"{MODEL}.gpu"),
        rename(f"{MODEL}.engine", "model"),  # there is one
        move(f"{MODEL}.gpu", f"{MODEL}.name", ""),
        add("ray-llm:accept", "eager-mode", ""),
    ],
)
def test_an_edit_of_what_is_not_there_is_none(way: WayOut) -> None:
    assert with_edits(VALUES, way.edits) is None


def tried(words: str, more: int | None = None) -> TriedWayOut:
    difference = None if more is None else Decimal(more)
    return TriedWayOut(words=words, edits=(), usd_per_month_more=difference)


def test_several_ways_are_one_sentence_with_their_difference_in_money() -> None:
    ways = [tried("use gpu: l4"), tried("use gpu: l4-x2", 1234), tried("leave dtype out", 0)]
    assert spoken(ways) == "Use gpu: l4, or gpu: l4-x2 (+1,234 USD a month), or leave dtype out"


def test_a_question_stands_by_itself() -> None:
    assert spoken([tried("did you mean l4?")]) == "Did you mean l4?"
    assert spoken([tried("leave it out"), tried("did you mean l4?", 5)]) == (
        "Did you mean l4? Or leave it out"
    )


def test_the_words_of_a_value_are_those_of_the_file() -> None:
    assert use(f"{MODEL}.engine.enforce_eager", True).words == "use engine.enforce_eager: true"
    assert use("ray-llm:gpuPools[0].zones", ["a", "b"]).words == "use zones: [a, b]"
    assert instead("ray-llm:x", "Leave it out; y sets it.").words == "leave it out; y sets it"
