"""Moves models that name no pool, so that all models together cost least.

Before, each model has found the pool that is cheapest for it alone. Together they may still leave
GPUs of a node idle that another model could use; then the alternatives are compared for all models
at once. A model may move if another model is added or removed; `gpu:` keeps it in place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from models.problems import Problem, stops
from planning.infrastructure.pool_price import PoolChoice
from planning.placement.assignment import Item, NodeBin, assign, is_tight
from planning.placement.cheapest_pool import Placement, in_doubt
from planning.plan import PoolPlan
from planning.sizing.model_sizing import ModelSpec, size_model

# Of more models than this only the smallest may move: the gaps to fill are small.
_MOVABLE: Final = 64


@dataclass(frozen=True, kw_only=True)
class PlacedModel:
    """A model on a pool, with its replicas and what its sizing there warns of."""

    spec: ModelSpec
    placement: Placement
    problems: tuple[Problem, ...]
    min_replicas: int
    max_replicas: int

    @property
    def is_free(self) -> bool:
        """Whether the stack file leaves the pool to us."""
        return self.spec.deployment.gpu is None


def jointly(
    placed: Sequence[PlacedModel], pools: Sequence[PoolPlan], load_factor: Decimal
) -> tuple[PlacedModel, ...]:
    """The same models in the same order, some of them on another pool if that costs less."""
    bins = [_bin(pool) for pool in pools]
    numbers = {pool.id: number for number, pool in enumerate(pools)}
    here = [_item(model, [(numbers[model.placement.pool], model)]) for model in placed]
    if not any(model.is_free for model in placed) or is_tight(here, bins):
        return tuple(placed)
    movable = set(
        sorted(
            (index for index, model in enumerate(placed) if model.is_free),
            key=lambda index: (
                placed[index].placement.sizing.gpus,
                placed[index].max_replicas,
                placed[index].spec.deployment.served_name,
            ),
        )[:_MOVABLE]
    )
    options = [
        _options(model, pools, numbers)
        if index in movable
        else [(numbers[model.placement.pool], model)]
        for index, model in enumerate(placed)
    ]
    items = [_item(model, choices) for model, choices in zip(placed, options, strict=True)]
    chosen = assign(items, bins, float(load_factor))
    return tuple(choices[option][1] for choices, option in zip(options, chosen, strict=True))


def _bin(pool: PoolPlan) -> NodeBin:
    price = pool.node_usd_per_hour
    return NodeBin(
        gpus_per_node=pool.tier.gpu_count,
        usd_per_hour=0.0 if price is None else float(price),
        # What is reserved is paid for in any case.
        min_nodes=max(pool.min_nodes, min(pool.reserved_nodes, pool.max_nodes)),
        max_nodes=pool.max_nodes,
    )


def _item(model: PlacedModel, choices: Sequence[tuple[int, PlacedModel]]) -> Item:
    return Item(
        key=model.spec.deployment.served_name,
        options=tuple((number, there.placement.sizing.gpus) for number, there in choices),
        min_replicas=model.min_replicas,
        max_replicas=model.max_replicas,
    )


def _options(
    model: PlacedModel, pools: Sequence[PoolPlan], numbers: dict[str, int]
) -> list[tuple[int, PlacedModel]]:
    """The pools on which the model runs with the same context and no more doubt."""
    current = model.placement.sizing
    priced = pools[numbers[model.placement.pool]].node_usd_per_hour is not None
    options = [(numbers[model.placement.pool], model)]
    for number, pool in enumerate(pools):
        if (
            (pool.is_interruptible and not _as_sure(pool, pools[options[0][0]]))
            or pool.id == model.placement.pool
            or (pool.node_usd_per_hour is None) == priced
        ):
            continue
        there, problems = size_model(model.spec, pool.tier)
        if there is None or stops(problems) or not there.fits:
            continue
        if there.max_model_len != current.max_model_len:
            continue
        if in_doubt(there, problems) and not in_doubt(current, model.problems):
            continue
        moved = PlacedModel(
            spec=model.spec,
            placement=Placement(pool=pool.id, sizing=there),
            problems=problems,
            min_replicas=model.min_replicas,
            max_replicas=model.max_replicas,
        )
        options.append((number, moved))
    return sorted(options, key=lambda option: _rank(option, pools))


def _as_sure(pool: PoolPlan, current: PoolPlan) -> bool:
    """Whether a model whose nodes may be taken back anyway may move to such a pool.

    Only if one of them lists its ways to pay; stacks with spot pools alone stay as they were.
    """
    return current.is_interruptible and bool(pool.ways or current.ways)


def _rank(option: tuple[int, PlacedModel], pools: Sequence[PoolPlan]) -> tuple[object, ...]:
    number, there = option
    pool = pools[number]
    return (*PoolChoice.of(pool).rank(there.placement.sizing.gpus), pool.id)
