"""Quotas for tests of room."""

from collections.abc import Mapping

from rollouts import QuotaRoom


def l4_gpus(
    limit: int | None, of_node: Mapping[str, int] | None = None, others: int = 0
) -> QuotaRoom:
    """The quota of L4 GPUs; of_node: one a node of the pool l4, if nothing else is said."""
    return QuotaRoom(
        metric="NVIDIA_L4_GPUS",
        of_node=of_node or {"l4": 1},
        others=others,
        others_of_one=others,
        others_recreating=others,
        limit=limit,
    )
