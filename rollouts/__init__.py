"""What an edit of a running service does: KubeRay's and Ray Serve's own rules, as pure code.

It knows the RayService as a plain object and the catalogue's releases of KubeRay, and neither plans
nor a cluster. This is all of rollouts that other folders import.
"""

from rollouts.by_hand import Addition, additions, as_live, unforeseen
from rollouts.handover import (
    ServeConfig,
    Wave,
    handed_over,
    held_models,
    leftovers,
    next_wave,
    running_at_least,
    without,
)
from rollouts.prediction import Kind, Rollout, predict
from rollouts.room import PoolRoom, QuotaRoom, Room, shortages
from rollouts.serve_models import Effect, ModelChange
from rollouts.tree import differences
from rollouts.words import Sentence, sentences

__all__ = [
    "Addition",
    "Effect",
    "Kind",
    "ModelChange",
    "PoolRoom",
    "QuotaRoom",
    "Rollout",
    "Room",
    "Sentence",
    "ServeConfig",
    "Wave",
    "additions",
    "as_live",
    "differences",
    "handed_over",
    "held_models",
    "leftovers",
    "next_wave",
    "predict",
    "running_at_least",
    "sentences",
    "shortages",
    "unforeseen",
    "without",
]
