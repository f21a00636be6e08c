"""What an edit of a running service does: KubeRay's and Ray Serve's own rules, as pure code.

It knows the RayService as a plain object and the catalogue's releases of KubeRay, and neither plans
nor a cluster. This is all of rollouts that other folders import.
"""

from rollouts.handover import (
    ServeConfig,
    Wave,
    handed_over,
    held_models,
    is_last,
    leftovers,
    next_wave,
    running_at_least,
    without,
)
from rollouts.prediction import Kind, Rollout, predict
from rollouts.room import PoolRoom, QuotaRoom, Room, shortages
from rollouts.serve_models import Effect, ModelChange, serve_config
from rollouts.words import Sentence, sentences

__all__ = [
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
    "handed_over",
    "held_models",
    "is_last",
    "leftovers",
    "next_wave",
    "predict",
    "running_at_least",
    "sentences",
    "serve_config",
    "shortages",
    "without",
]
