"""What an edit of a stack does to its node pools, in sentences for whoever reads a preview.

Which fields replace a pool, and which its nodes, is the catalogue's.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from models.catalog import NODE_BY_NODE_POOL_FIELDS, REPLACING_POOL_FIELDS
from models.problems import Problem
from rollouts.guards import judged
from rollouts.sentence import Sentence, listed

PoolFields = Mapping[str, Any]
"""A pool by the keys that it has in the plan as data."""

_REPLACING: Final = frozenset(chain(*REPLACING_POOL_FIELDS.values()))
_NODE_BY_NODE: Final = frozenset(chain(*NODE_BY_NODE_POOL_FIELDS.values()))
_NAMED: Final = 5
_KEPT: Final = "minNodes"
_PRIVATE: Final = "privateNodes"
NOT_SAID: Final = ""
"""The value of a key that the stack file does not say: without `privateNodes` pools stay as they
are, and without `flexStart` and `reservation` their nodes are of another kind.
"""
# Only pools with `capacity` have them.
_WAYS: Final = ("flexStart", "reservation")
_LEFT_OUT: Final = (
    "was true and is left out now: the pools stay without addresses of the internet, and the "
    "gateway of Cloud NAT through which they fetch images and weights is deleted"
)
_SAY_IT: Final = (
    f"Write {_PRIVATE}: false to give the nodes addresses again, or keep {_PRIVATE}: true"
)
# What a lost node means, and the way around a pool that is replaced, by whether it hosts the head.
_WITHOUT_NODE: Final = {
    True: "When the node of the Ray head goes, every model stops answering until it has loaded "
    "again.",
    False: "A model whose only replica is on the node does not answer until it has loaded on "
    "another one.",
}
_AROUND: Final = {
    True: "Take it back, because the Ray head has no other pool",
    False: "Append a second pool under another name, move its models there, and remove the first "
    "one afterwards",
}


def pool_sentences(
    old: Mapping[str, PoolFields], new: Mapping[str, PoolFields], *, ray_head: bool
) -> tuple[Sentence, ...]:
    """What to know before this change of pools, by their ids; nothing if nothing changes.

    ray_head: whether these pools host the Ray head instead of models.
    """
    if not all(isinstance(pool, Mapping) for pool in (*old.values(), *new.values())):
        return (
            Sentence(
                "What this change does to the node pools is not known, because the state describes "
                "them in another form.",
                warns=True,
            ),
        )
    return tuple(_sentences(old, new, ray_head=ray_head))


def _sentences(
    old: Mapping[str, PoolFields], new: Mapping[str, PoolFields], *, ray_head: bool
) -> Iterator[Sentence]:
    for pool in old:
        if pool not in new:
            end = (
                ", at the end of the `up`: what the old Ray head still answers by then is cut off"
                if ray_head and new
                else ""
            )
            yield Sentence(f"Node pool {pool} is deleted, and its nodes with it{end}.", warns=True)
    if ray_head and _private_left_out(old, new):
        yield Sentence(f"ray-llm:cluster.{_PRIVATE} {_LEFT_OUT}. {_SAY_IT}.", warns=True)
    for pool, fields in new.items():
        if pool in old:
            yield from _changed(pool, old[pool], fields, ray_head=ray_head)
        else:
            kept = _whole(fields.get("minNodes"))
            nodes = f"and keeps {kept} of its nodes" if kept else "and has no node until one is due"
            yield Sentence(f"Node pool {pool} is added {nodes}.", warns=False)


def _changed(pool: str, old: PoolFields, new: PoolFields, *, ray_head: bool) -> Iterator[Sentence]:
    # A key that only one of them has is another version's, and no change.
    changed = [key for key in new if key in old and new[key] != old[key]]
    replacing = _replacing(old, new)
    if new.get(_PRIVATE) == NOT_SAID and _PRIVATE in changed:
        changed.remove(_PRIVATE)
    node_by_node = [key for key in changed if key in _NODE_BY_NODE]
    if replacing:
        yield Sentence(
            f"Node pool {pool} is deleted and created again, because {_change(replacing)}: "
            f"{_whose(ray_head)} answering until new nodes are there and the weights have loaded, "
            f"even if a second Ray cluster starts for it. {_AROUND[ray_head]}.",
            warns=True,
        )
        return
    lost, stays = _lost_zones(old, new)
    if node_by_node:
        yield Sentence(
            f"GKE replaces the nodes of pool {pool} one after the other, because "
            f"{_change(node_by_node)}. {_WITHOUT_NODE[ray_head]}",
            warns=True,
        )
    if lost:
        # What runs there is evicted: GKE deletes the nodes of a zone that a pool leaves.
        means = (
            _WITHOUT_NODE[ray_head]
            if stays
            else f"None of its nodes stays: {_whose(ray_head)} answering until new nodes are there "
            "and the weights have loaded."
        )
        yield Sentence(
            f"Node pool {pool} leaves {listed(lost, _NAMED)}, and GKE deletes its nodes there. "
            f"{means}",
            warns=True,
        )
    if _KEPT in changed:
        before, after = (_whole(fields[_KEPT]) for fields in (old, new))
        yield Sentence(
            f"Node pool {pool} changes in place: it keeps {after} of its nodes even if no model "
            f"needs them, instead of {before}.",
            warns=False,
        )
        changed.remove(_KEPT)
    if changed and not node_by_node and not lost:
        yield Sentence(
            f"Node pool {pool} changes in place ({listed(changed, _NAMED)}): no node is replaced.",
            warns=False,
        )


def pool_problems(
    old: Mapping[str, PoolFields],
    new: Mapping[str, PoolFields],
    allow: Collection[str],
    *,
    ray_head: bool,
) -> tuple[Problem, ...]:
    """What stops a change of the pools of a protected stack.

    Pools that GKE would replace, and private nodes whose way to the internet goes.

    allow: the ids of changes that pass; ray_head: as for `pool_sentences`.
    """
    if not all(isinstance(pool, Mapping) for pool in (*old.values(), *new.values())):
        return ()
    found = [
        Problem(
            path="ray-llm:cluster.cpuPool" if ray_head else "ray-llm:gpuPools",
            value=pool,
            reason=f"would be deleted and created again, because {_change(replacing)}, and "
            f"ray-llm:cluster.deletionProtection protects this stack: {_whose(ray_head)} answering "
            "until new nodes are there",
            remedy=_AROUND[ray_head],
            rule="pool-replaced",
        )
        for pool, fields in new.items()
        if pool in old and (replacing := _replacing(old[pool], fields))
    ]
    if ray_head and _private_left_out(old, new):
        found.append(
            Problem(
                path=f"ray-llm:cluster.{_PRIVATE}",
                reason=_LEFT_OUT,
                remedy=_SAY_IT,
                rule="private-nodes-left-out",
            )
        )
    return judged(found, [old, new], allow)


def _private_left_out(old: Mapping[str, PoolFields], new: Mapping[str, PoolFields]) -> bool:
    """Whether private nodes lose their setting, as no other pool of the stack can."""
    return any(pool.get(_PRIVATE) is True for pool in old.values()) and any(
        pool.get(_PRIVATE) == NOT_SAID for pool in new.values()
    )


def _replacing(old: PoolFields, new: PoolFields) -> list[str]:
    # A key that only one of them has is another version's, and no change.
    changed = [key for key in new if key in old and new[key] != old[key] and key in _REPLACING]
    ways = (key for key in _WAYS if key not in old or key not in new)
    return changed + [key for key in ways if old.get(key, NOT_SAID) != new.get(key, NOT_SAID)]


def _lost_zones(old: PoolFields, new: PoolFields) -> tuple[list[str], bool]:
    """The zones that a pool leaves, and whether it stays in one."""
    zones = [pool.get("zones") for pool in (old, new)]
    before, after = (
        [str(zone) for zone in item] if isinstance(item, list | tuple) else [] for item in zones
    )
    lost = [zone for zone in before if zone not in after] if after else []
    return lost, len(lost) < len(before)


def _whole(value: Any) -> Any:
    """The number as people write it; Pulumi's numbers are all of one kind."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whose(ray_head: bool) -> str:
    return "the Ray head and with it every model stops" if ray_head else "its models stop"


def _change(keys: Sequence[str]) -> str:
    return f"{listed(keys, _NAMED)} {'changes' if len(keys) == 1 else 'change'}"
