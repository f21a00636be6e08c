"""What a quota leaves for one more replica, while models of several pools draw on it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class GpuQuota:
    """A quota with a limit that nodes with GPUs count against.

    others: what all other nodes take of it while there is one Ray cluster.
    of_node: what a node of each pool takes; node_gpus: the GPUs of one; min_nodes: how many a pool
        keeps anyway.
    """

    metric: str
    limit: int
    others: int
    of_node: Mapping[str, int]
    node_gpus: Mapping[str, int]
    min_nodes: Mapping[str, int]

    def room(self, pool: str, used: Mapping[str, int]) -> int | None:
        """How many GPUs more a pool may take; None if its nodes take nothing of the quota.

        used: the GPUs that replicas have, by pool.
        """
        if not self.of_node.get(pool):
            return None
        besides = self.others + sum(
            max(self.min_nodes[other], -(-used.get(other, 0) // self.node_gpus[other])) * of_node
            for other, of_node in self.of_node.items()
            if other != pool
        )
        nodes = max(0, self.limit - besides) // self.of_node[pool]
        return nodes * self.node_gpus[pool] - used.get(pool, 0)
