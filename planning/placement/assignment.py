"""Which pool each model goes to so that all together cost least, whole nodes counted.

For one model the cheapest pool is the one with the cheapest GPUs. For several, that may leave half
of a two-GPU node idle, or buy a node although another pool has a free GPU. Few models are tried in
every combination; many are placed one by one and then moved, alone and in pairs, while that saves.
The result does not depend on the order of the models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from planning.infrastructure.bin_packing import nodes_for_counts

# Combinations that are tried one by one: some 0.1 s.
_EXHAUSTIVE_LIMIT: Final = 4096
# Beyond this many models only single moves are tried, so that time grows linearly.
_PAIRS_LIMIT: Final = 24
_ROUNDS: Final = 4
_SCALE: Final = 1_000_000  # money in whole micro-USD, so that sums have no rounding

Cost = tuple[int, int, int, int]
"""Nodes beyond maxima at the minimum; money; nodes beyond maxima at the maximum; preference."""


@dataclass(frozen=True, kw_only=True)
class NodeBin:
    """A pool: GPUs of a node, its price in USD an hour, its limits in nodes."""

    gpus_per_node: int
    usd_per_hour: float
    min_nodes: int
    max_nodes: int


@dataclass(frozen=True, kw_only=True)
class Item:
    """A model: its options `(bin, GPUs per replica)`, the best first, and its replicas."""

    key: str
    options: tuple[tuple[int, int], ...]
    min_replicas: int
    max_replicas: int


def assign(items: Sequence[Item], bins: Sequence[NodeBin], load_factor: float) -> tuple[int, ...]:
    """The option of each item, by its number, with which all items together cost least.

    Least is money in a typical month, `load_factor` of the way from the minimum to the maximum;
    before it counts that the minimum fits the pools at all, after it that the maximum does.
    """
    order = sorted(range(len(items)), key=lambda index: _size(items[index]))
    state = _State(items, bins, load_factor)
    for index in order:
        state.put(index, min(state.trials(index)))
    state.improve(order)
    combined = 1
    for item in items:
        combined *= len(item.options)
    if 1 < combined <= _EXHAUSTIVE_LIMIT:
        state.search(order)
    return tuple(state.chosen)


def is_tight(items: Sequence[Item], bins: Sequence[NodeBin]) -> bool:
    """Whether the first option of each item leaves no GPU idle and no pool too small.

    Nothing costs less then, if each item's first option is its cheapest.
    """
    for number, bin_ in enumerate(bins):
        here = [(item, item.options[0][1]) for item in items if item.options[0][0] == number]
        for replicas in (
            {item.key: item.min_replicas for item, _ in here},
            {item.key: item.max_replicas for item, _ in here},
        ):
            gpus = sum(replicas[item.key] * size for item, size in here)
            nodes, rest = divmod(gpus, bin_.gpus_per_node)
            if rest or not bin_.min_nodes <= nodes <= bin_.max_nodes:
                return False
    return True


def _size(item: Item) -> tuple[int, int, str]:
    """The largest first (first-fit decreasing): the small ones then fill the gaps."""
    gpus = item.options[0][1]
    return (-gpus, -gpus * item.max_replicas, item.key)


class _State:
    """An unfinished assignment: the items on each pool and what they cost."""

    def __init__(self, items: Sequence[Item], bins: Sequence[NodeBin], load_factor: float) -> None:
        self._items = items
        self._bins = bins
        self._factor = round(load_factor * _SCALE)
        self._low: list[dict[int, int]] = [{} for _ in bins]
        self._high: list[dict[int, int]] = [{} for _ in bins]
        self._costs = [self._bin_cost(number) for number in range(len(bins))]
        self.chosen = [-1] * len(items)
        low, money, high = (sum(cost[part] for cost in self._costs) for part in range(3))
        self.cost: Cost = (low, money, high, 0)

    def trials(self, index: int) -> Iterator[tuple[Cost, int]]:
        """The cost that each option of an unassigned item would lead to."""
        for option in range(len(self._items[index].options)):
            self._add(index, option, 1)
            yield self.cost, option
            self._add(index, option, -1)

    def put(self, index: int, trial: tuple[Cost, int]) -> None:
        self._add(index, trial[1], 1)
        self.chosen[index] = trial[1]

    def take(self, index: int) -> int:
        option = self.chosen[index]
        self._add(index, option, -1)
        self.chosen[index] = -1
        return option

    def improve(self, order: Sequence[int]) -> None:
        """Moves items, alone and in pairs, until no move saves money."""
        movable = [index for index in order if len(self._items[index].options) > 1]
        pairs = list(combinations(movable, 2)) if len(movable) <= _PAIRS_LIMIT else []
        for _ in range(_ROUNDS):
            before = self.cost
            for index in movable:
                self.take(index)
                self.put(index, min(self.trials(index)))
            for first, second in pairs:
                self._move_both(first, second)
            if self.cost == before:
                return

    def _move_both(self, first: int, second: int) -> None:
        best = (self.cost, self.chosen[first], self.chosen[second])
        self.take(first)
        self.take(second)
        for option in range(len(self._items[first].options)):
            self._add(first, option, 1)
            cost, other = min(self.trials(second))
            best = min(best, (cost, option, other))
            self._add(first, option, -1)
        self.put(first, (best[0], best[1]))
        self.put(second, (best[0], best[2]))

    def search(self, order: Sequence[int]) -> None:
        """Tries every combination that could still be cheaper than the present one."""
        best, chosen = self.cost, list(self.chosen)
        for index in order:
            self.take(index)

        def descend(depth: int) -> None:
            nonlocal best, chosen
            # More models never make a pool cheaper, so a part that is too dear stays so.
            if self.cost[:2] > best[:2]:
                return
            if depth == len(order):
                if self.cost < best:
                    best, chosen = self.cost, list(self.chosen)
                return
            index = order[depth]
            for option in range(len(self._items[index].options)):
                self.put(index, (best, option))
                descend(depth + 1)
                self.take(index)

        descend(0)
        for index in order:
            self.put(index, (best, chosen[index]))

    def _add(self, index: int, option: int, sign: int) -> None:
        item = self._items[index]
        number, gpus = item.options[option]
        for counts, replicas in (
            (self._low[number], item.min_replicas),
            (self._high[number], item.max_replicas),
        ):
            counts[gpus] = counts.get(gpus, 0) + sign * replicas
        old, new = self._costs[number], self._bin_cost(number)
        self._costs[number] = new
        low, money, high, preference = self.cost
        self.cost = (
            low + new[0] - old[0],
            money + new[1] - old[1],
            high + new[2] - old[2],
            preference + sign * option,
        )

    def _bin_cost(self, number: int) -> tuple[int, int, int]:
        bin_ = self._bins[number]
        low = nodes_for_counts(self._low[number], bin_.gpus_per_node)
        high = nodes_for_counts(self._high[number], bin_.gpus_per_node)
        paid_low, paid_high = max(low, bin_.min_nodes), max(high, bin_.min_nodes)
        typical = (_SCALE - self._factor) * paid_low + self._factor * paid_high
        money = round(bin_.usd_per_hour * _SCALE) * typical
        return (max(0, low - bin_.max_nodes), money, max(0, high - bin_.max_nodes))
