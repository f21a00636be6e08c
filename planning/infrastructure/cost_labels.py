"""The labels by which the cost of a stack and of its pools is told apart; none without the setting.

A pool's nodes carry the stack's name, the pool's id and what the stack file says. The models of a
pool share its nodes and its pods, so that no label can name a model.
"""

import re
from collections.abc import Mapping
from typing import Final

from models.cost_allocation import OWN_PREFIX
from models.stack import StackSettings

STACK: Final = f"{OWN_PREFIX}stack"
POOL: Final = f"{OWN_PREFIX}pool"


def stack_cost_labels(settings: StackSettings) -> Mapping[str, str]:
    """The labels of what belongs to the whole stack."""
    if settings.cost_allocation is None:
        return {}
    return {STACK: _value(settings.stack), **settings.cost_allocation.labels}


def pool_cost_labels(settings: StackSettings, pool: str) -> Mapping[str, str]:
    """The labels of one pool's virtual machines, nodes and pods."""
    labels = stack_cost_labels(settings)
    return {**labels, POOL: _value(pool)} if labels and pool else labels


def _value(name: str) -> str:
    """A name as the value of a label: a stack's may have capitals and dots."""
    return re.sub(r"[^a-z0-9_-]", "-", name.lower())[:63].strip("-_") or "unnamed"
