#!/usr/bin/env bash
# The `downscale_delay_s` of Ray Serve begins when the last request has left the average of the load,
# not when it ends.
#
# Versions: ray[serve] 2.60.0, Python 3.11.
# One would guess: with `downscale_delay_s: 5` and `min_replicas: 0`, a replica goes some five seconds
# after its last answer.
# Seen: it went 44 s after its last answer, because the load is the average of `look_back_period_s`
# (30 s), any part of a request above 0 is rounded up to one replica, and routers report every 10 s.
# With `look_back_period_s: 12` it went after 24 s.
# What it means: a delay below half a minute needs a shorter average, or it says nothing.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled
cat > "$folder/last_request.py" <<'PYTHON'
import socket
import time
import urllib.request
from importlib.metadata import version

import ray
from ray import serve


@serve.deployment
class Slow:
    def __call__(self, request) -> str:
        time.sleep(2)
        return "done"


def seconds_to_zero(port: int, name: str, look_back: float) -> float:
    scaling = {
        "min_replicas": 0,
        "initial_replicas": 1,
        "max_replicas": 1,
        "upscale_delay_s": 0,
        "downscale_delay_s": 5,
        "look_back_period_s": look_back,
    }
    options = {"autoscaling_config": scaling, "ray_actor_options": {"num_cpus": 0}}
    serve.run(Slow.options(**options).bind(), name=name, route_prefix=f"/{name}")
    end = time.monotonic() + 40
    while time.monotonic() < end:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=90) as answer:
            answer.read()
    answered = time.monotonic()
    while any(serve.status().applications[name].deployments["Slow"].replica_states.values()):
        time.sleep(0.5)
    return time.monotonic() - answered


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
default, short = seconds_to_zero(port, "default", 30), seconds_to_zero(port, "short", 12)
print(f"ray {version('ray')}: gone {default:.0f} s after its last answer, with 12 s {short:.0f} s")
serve.shutdown()
ray.shutdown()
if default < 30 or short > default - 8:
    raise SystemExit("changed: the delay begins with the last answer")
PYTHON
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "ray[serve]==2.60.0" 'protobuf>=6.33.5,<7' 'fastapi<0.137'
"$folder/env/bin/python" "$folder/last_request.py" 2> "$folder/log" || { tail -5 "$folder/log"; exit 1; }
