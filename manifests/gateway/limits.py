"""Writes how many requests a minute each team may ask."""

import math
from collections.abc import Iterable
from typing import Any, Final

from manifests.gateway import metadata
from manifests.gateway.typed import resources, typed
from planning import AccessPlan

LIMITS: Final = "limits"
_MINUTE: Final = "60s"
_UNLIMITED: Final = 4_000_000_000
_ALWAYS: Final = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def limits_file(access: AccessPlan) -> str:
    """The text of the limits' file.

    An edit fills all buckets; edits of other files do not. The pods of the gateway share each
    bucket: every one has its part.
    """
    limits = {
        key.team: key.requests_per_minute
        for key in access.keys
        if key.requests_per_minute is not None
    }
    # A rollout has one pod more. A part below one token would refuse the team for ever.
    most_pods = access.gateway.replicas + 1
    options: dict[str, Any] = {}
    if limits:
        options = {
            "descriptors": [
                {
                    "entries": [{"key": "team", "value": team}],
                    "token_bucket": _bucket(per_minute, max(per_minute, most_pods)),
                }
                for team, per_minute in limits.items()
            ],
            "rate_limits": [{"actions": [_team_action()]}],
            "response_headers_to_add": [
                {"header": {"key": "retry-after", "value": str(_retry_after(limits.values()))}}
            ],
        }
    return resources(
        typed(
            "config.core.v3.TypedExtensionConfig",
            name=LIMITS,
            typed_config=typed(
                "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                stat_prefix=LIMITS,
                token_bucket=_bucket(_UNLIMITED, _UNLIMITED),
                filter_enabled=_ALWAYS,
                filter_enforced=_ALWAYS,
                enable_x_ratelimit_headers="DRAFT_VERSION_03",
                local_cluster_rate_limit={},
                **options,
            ),
        )
    )


def _bucket(per_minute: int, at_once: int) -> dict[str, Any]:
    return {"max_tokens": at_once, "tokens_per_fill": per_minute, "fill_interval": _MINUTE}


def _team_action() -> dict[str, Any]:
    return {
        "metadata": {
            "descriptor_key": "team",
            "metadata_key": {"key": metadata.KEYS_NAMESPACE, "path": [{"key": metadata.TEAM}]},
            "source": "DYNAMIC",
        }
    }


def _retry_after(limits: Iterable[int]) -> int:
    """Seconds until the slowest bucket has a token again. Envoy can only add a constant."""
    return max(math.ceil(60 / limit) for limit in limits)
