"""Writes the volume in which the engines of a pool keep what they have compiled and measured.

vLLM finds it there at its next start, on whichever node: graphs compiled for the same model,
arguments, vLLM, torch and GPU (`VLLM_CACHE_ROOT`), and, from vLLM 0.26 on, how much memory it found
for the KV cache (`VLLM_ENABLE_STARTUP_PLAN`; older ones do not know it). What does not fit is
compiled and measured anew.
"""

from typing import Any, Final

from planning import PoolPlan

MOUNT: Final = "/var/cache/vllm"
_VOLUME: Final = "compile-cache"


def cache_volumes(pool: PoolPlan) -> list[dict[str, Any]]:
    """The volume of a worker; none without a claim."""
    if pool.compile_cache is None:
        return []
    return [{"name": _VOLUME, "persistentVolumeClaim": {"claimName": pool.compile_cache}}]


def cache_mounts(pool: PoolPlan) -> list[dict[str, Any]]:
    """Where the container finds it."""
    return [] if pool.compile_cache is None else [{"name": _VOLUME, "mountPath": MOUNT}]


def cache_env(pool: PoolPlan) -> list[dict[str, str]]:
    """What tells vLLM of it."""
    if pool.compile_cache is None:
        return []
    return [
        {"name": "VLLM_CACHE_ROOT", "value": MOUNT},
        {"name": "VLLM_ENABLE_STARTUP_PLAN", "value": "1"},
    ]
