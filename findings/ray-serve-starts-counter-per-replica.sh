#!/usr/bin/env bash
# Ray Serve's counter of replica starts never grows: each start is another series, with the value 1.
#
# Versions: ray[default,serve] 2.49.1 and 2.60.0, Python 3.11.
# One would guess: `increase(ray_serve_deployment_replica_starts[15m]) > 3` finds a replica that
# restarts again and again, as it does with kube-state-metrics' restarts of a container.
# Seen, the same with both: the label `replica` is new with every start. After two replicas were
# killed there are three series, and each is 1 from its first sample on, so that increase() and
# rate() are 0 for all of them.
# What it means: count the replicas, by `count(count by (replica) (...))` over the period, instead of
# adding up what their counters gained.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled
cat > "$folder/starts.py" <<'PYTHON'
import re
import socket
import sys
import time
import urllib.request

import ray
from ray import serve


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


port = free_port()
SAMPLE = re.compile(r"^ray_serve_deployment_replica_starts(?:_total)?\{(.*)\} (\S+)$", re.MULTILINE)


@serve.deployment
class Fragile:
    def __call__(self):
        return "well"


def starts():
    """The value of the counter by replica."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        found = SAMPLE.findall(answer.read().decode())
    return {re.search(r'replica="([^"]*)"', labels)[1]: float(value) for labels, value in found}


ray.init(num_cpus=4, include_dashboard=False, _metrics_export_port=port, log_to_driver=False)
handle = serve.run(Fragile.bind(), route_prefix=None)
seen = {}
for number in range(3):
    for _ in range(240):
        time.sleep(0.5)
        seen.update(starts())
        if len(seen) > number:
            break
    replica = [name for name in ray.util.list_named_actors(all_namespaces=True)
               if "Fragile" in name["name"]]
    if number < 2:
        ray.kill(ray.get_actor(replica[0]["name"], namespace=replica[0]["namespace"]))
print(f"{ray.__version__}: {len(seen)} replicas started in turn, each of which has a series of its "
      f"own; their last values: {sorted(seen.values())}")
serve.shutdown()
ray.shutdown()
sys.exit(0 if len(seen) == 3 and set(seen.values()) == {1.0} else 1)
PYTHON
for release in 2.49.1 2.60.0; do
    python3 -m venv "$folder/$release"
    "$folder/$release/bin/pip" install --quiet --disable-pip-version-check \
        "ray[default,serve]==$release" 'fastapi<0.137' 'protobuf>=6.33.5,<7'
    "$folder/$release/bin/python" "$folder/starts.py" 2> "$folder/log" \
        || { tail -5 "$folder/log"; exit 1; }
done
