"""Reads streamed chat answers."""

import json
import urllib.request
from typing import Any

from tests.cluster.running import Cluster


def read_stream(cluster: Cluster, model: str, text: str, timeout: float = 200) -> str:
    """The text of a streamed chat answer, empty if it breaks off."""
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "messages": [{"role": "user", "content": text}],
    }
    request = urllib.request.Request(
        f"{cluster.state.serve}/{model}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    found = ""
    try:
        with opener.open(request, timeout=timeout) as answer:
            for line in answer:
                data = line.decode().removeprefix("data: ").strip()
                if data.startswith("{"):
                    delta = json.loads(data)["choices"][0].get("delta") or {}
                    found += delta.get("content") or ""
    except (OSError, ValueError):
        return ""
    return found
