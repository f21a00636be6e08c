"""The queue and the KV cache of an engine, from the metrics that Ray exports in its pod.

The names are those of vLLM's metrics as Ray exports them: from vLLM 0.11 on with an underscore
where vLLM's own endpoint has a colon. A metric appears only after the first event that counts it.
"""

import math
import re
from typing import Final

from diagnosis.snapshot import EngineLoad

_LINE: Final = re.compile(r"ray_vllm[_:](\w+)\{([^}]*)\}\s+(\S+)")
_FIELDS: Final = {
    "num_requests_waiting": "waiting",
    "num_requests_running": "running",
    "kv_cache_usage_perc": "cache",
    "gpu_cache_usage_perc": "cache",
}


def engine_load(text: str, model: str) -> EngineLoad | None:
    """What the metrics of a pod say of a model's engines in it; None if they say nothing.

    Waiting and running are sums, the cache is the fullest one.
    """
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        field = _FIELDS.get(match[1]) if match else None
        if match is None or field is None or f'model_name="{model}"' not in match[2]:
            continue
        value = _number(match[3])
        if not math.isfinite(value):
            continue
        before = found.get(field, 0.0)
        found[field] = max(before, value) if field == "cache" else before + value
    return EngineLoad(**found) if found else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
