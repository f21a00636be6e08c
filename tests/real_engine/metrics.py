"""The metrics of an engine, as Ray exports them from the pods in which it runs."""

import urllib.request
from typing import Any

from localcloud.testing.running_cluster import eventually
from tests.cluster.running import Cluster

# Ray's names of vLLM's metrics; the colon of vLLM's own names is not allowed in them.
PREFIX = "ray_vllm"
# Ray's agent reports its processes' metrics every few seconds.
EXPORT_SECONDS = 120
# Of the kinds that are exported at different times, one each: at the end of a request, and always.
AWAITED = {"ray_vllm_e2e_request_latency_seconds", "ray_vllm_num_requests_running"}


def engine_metrics(cluster: Cluster, model: str) -> dict[str, Any]:
    """The type of each metric of a model's engine, by name, in alphabetical order."""
    [pod] = cluster.engine_pods(model)

    def exported() -> dict[str, str] | None:
        # A gauge is exported for a while after it was last set.
        cluster.chat(model, model, "Hi")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"http": cluster.state.proxy})
        )
        with opener.open(f"http://{pod['status']['podIP']}:8080/metrics", timeout=30) as response:
            lines = response.read().decode().splitlines()
        types = dict(line.split()[2:4] for line in lines if line.startswith(f"# TYPE {PREFIX}"))
        return types if types.keys() >= AWAITED else None

    return dict(sorted(eventually(exported, "metrics", seconds=EXPORT_SECONDS).items()))
