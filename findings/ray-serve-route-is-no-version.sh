#!/usr/bin/env bash
# The route of a running Ray Serve application changes without a restart, also to another's route.
#
# Versions: ray[serve] 2.49.1 and 2.60.0, Python 3.11.
# One would guess: an edited application is deployed anew, and a route that another application has
# is free only when that one is gone, so that some requests find nobody.
# Seen, the same with both: `old` answers at /a and `new` at /b. One config without `old` and with
# `new` at /a: the replica of `new` stays the same process, /a answers "old" until it answers "new",
# and no request in between is lost. A later change to a free route restarts nothing either.
# What it means: a new version can load beside the old one under another route and take its route
# over in one step, with no wait for whoever asks.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled PYTHONPATH="$folder"
cat > "$folder/named.py" <<'PYTHON'
import os

from ray import serve


@serve.deployment
class Named:
    def __init__(self, name):
        self.name = name

    async def __call__(self, request):
        return f"{self.name} {os.getpid()}"


def app(args):
    return Named.bind(args["name"])
PYTHON
cat > "$folder/take_route.py" <<'PYTHON'
import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

import ray
from ray import serve


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


dashboard, port = free_port(), free_port()
API = f"http://127.0.0.1:{dashboard}/api/serve/applications/"


def put(routes):
    """Puts a config with an application for each name, and waits until these alone run."""
    applications = [
        {"name": name, "route_prefix": route, "import_path": "named:app", "args": {"name": name}}
        for name, route in routes.items()
    ]
    options = {"host": "127.0.0.1", "port": port}
    body = json.dumps({"http_options": options, "applications": applications}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(API, body, headers, method="PUT"), timeout=60
    ).close()
    for _ in range(240):
        time.sleep(0.25)
        with urllib.request.urlopen(API, timeout=60) as answer:
            found = json.load(answer)["applications"]
        if found.keys() == routes.keys() and all(a["status"] == "RUNNING" for a in found.values()):
            return
    raise SystemExit(f"not running after a minute: {found}")


def ask(route):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{route}", timeout=30) as answer:
        return answer.read().decode()


ray.init(num_cpus=4, include_dashboard=True, dashboard_port=dashboard, log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": port})
put({"old": "/a", "new": "/b"})
assert ask("/a").startswith("old ")
process = ask("/b")
seen, lost, stop = [], [], threading.Event()


def keep_asking():
    while not stop.is_set():
        try:
            seen.append(ask("/a").split()[0])
        except (OSError, urllib.error.URLError) as error:
            lost.append(str(error))
        time.sleep(0.02)


thread = threading.Thread(target=keep_asking)
thread.start()
time.sleep(1)
put({"new": "/a"})
time.sleep(1)
stop.set()
thread.join()
same = ask("/a") == process
put({"new": "/c"})
same = same and ask("/c") == process
order = [name for index, name in enumerate(seen) if index == 0 or seen[index - 1] != name]
print(f"{ray.__version__}: answers {order}, lost {len(lost)} of {len(seen) + len(lost)}, "
      f"{'the same process' if same else 'ANOTHER process'}")
serve.shutdown()
ray.shutdown()
sys.exit(0 if order == ["old", "new"] and not lost and same else 1)
PYTHON
for release in 2.49.1 2.60.0; do
    python3 -m venv "$folder/$release"
    "$folder/$release/bin/pip" install --quiet --disable-pip-version-check \
        "ray[serve]==$release" 'fastapi<0.137' 'protobuf>=6.33.5,<7'
    "$folder/$release/bin/python" "$folder/take_route.py" 2> "$folder/log" \
        || { tail -5 "$folder/log"; exit 1; }
done
