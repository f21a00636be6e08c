#!/usr/bin/env bash
# Ray Serve 2.60.0 takes a deployment to zero replicas while it answers two requests a second, if the
# answers are quick.
#
# Versions: ray[serve] 2.60.0, Python 3.11.
# One would guess: `downscale_delay_s: 10` with `min_replicas: 0` means ten seconds without a request.
# Seen: requests are not counted. Each router looks every 6 s (a fifth of `look_back_period_s`, but at
# most `metrics_interval_s`) how many requests run at that moment. Answers of 10 ms are mostly missed,
# so the load is 0, and the replica is replaced by another one about once in 50 s, at the price of a
# start for the request that comes then. With an LLM that start takes minutes.
# What it means: `metrics_interval_s: 1` lets routers look every second, though it is deprecated. With
# the default, a deployment that answers in a second and is asked once a minute is taken for unused in
# one of six spans of ten minutes: 105 looks, each of which sees a request with 1/60.
# Ray 2.49.1 looked every 0.5 s (read in ray/serve/_private/router.py, not run here).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled
cat > "$folder/quick.py" <<'PYTHON'
import os
import socket
import time
import urllib.request
from importlib.metadata import version

import ray
from ray import serve


@serve.deployment
class Quick:
    def __call__(self, request) -> str:
        time.sleep(0.01)
        return str(os.getpid())


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
scaling = {
    "min_replicas": 0,
    "initial_replicas": 1,
    "max_replicas": 1,
    "upscale_delay_s": 0,
    "downscale_delay_s": 10,
}
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
serve.run(Quick.options(autoscaling_config=scaling, ray_actor_options={"num_cpus": 0}).bind())
processes, sent = set(), 0
end = time.monotonic() + 150
while time.monotonic() < end:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        processes.add(answer.read())
    sent += 1
    time.sleep(0.5)
print("ray", version("ray"), sent, "requests, answered by", len(processes), "processes in turn")
serve.shutdown()
ray.shutdown()
if len(processes) < 2:
    raise SystemExit("changed: one process answered all requests")
PYTHON
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "ray[serve]==2.60.0" 'protobuf>=6.33.5,<7' 'fastapi<0.137'
"$folder/env/bin/python" "$folder/quick.py" 2> "$folder/log" || { tail -5 "$folder/log"; exit 1; }
