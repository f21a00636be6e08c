"""How many nodes hold replicas that take one or more GPUs each, all GPUs of a replica on one node.

Exact if the counts divide one another and the node, as degrees of tensor parallelism nearly always
do. Otherwise first-fit decreasing: the largest first, each on the first node with room, which takes
at most 11/9 of the fewest nodes, and 6/9 of a node (https://doi.org/10.1007/978-3-540-74450-4_1).
"""

from collections.abc import Mapping, Sequence


def nodes_for(replica_gpus: Sequence[int], gpus_per_node: int) -> int:
    """Nodes that hold replicas of these GPU counts."""
    return _packed(replica_gpus, gpus_per_node)[0]


def free_gpus(replica_gpus: Sequence[int], gpus_per_node: int) -> int:
    """The most GPUs that are left free on one of these nodes."""
    return max(_packed(replica_gpus, gpus_per_node)[1], default=0)


def nodes_for_counts(counts: Mapping[int, int], gpus_per_node: int) -> int:
    """The same as `nodes_for`, for a number of replicas by their GPUs."""
    sizes = sorted((gpus for gpus, replicas in counts.items() if replicas), reverse=True)
    if all(
        larger % gpus == 0 for larger, gpus in zip([gpus_per_node, *sizes], sizes, strict=False)
    ):
        # Placed largest first, they leave no gap but on the last node.
        return -(-sum(gpus * counts[gpus] for gpus in sizes) // gpus_per_node)
    return nodes_for([gpus for gpus in sizes for _ in range(counts[gpus])], gpus_per_node)


def _packed(replica_gpus: Sequence[int], gpus_per_node: int) -> tuple[int, list[int]]:
    """How many nodes, and the free GPUs of those that are not full."""
    room: list[int] = []
    nodes = 0
    for gpus in sorted(replica_gpus, reverse=True):
        for position, free in enumerate(room):
            if free >= gpus:
                room[position] = free - gpus
                break
        else:
            nodes += 1
            room.append(gpus_per_node - gpus)
        room = [free for free in room if free]
    return nodes, room
