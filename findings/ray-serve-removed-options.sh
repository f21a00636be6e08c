#!/usr/bin/env bash
# An option that is taken out of a Ray Serve config stays in force before Ray 2.60.
#
# Versions: ray[serve] 2.49.1 and 2.60.0, Python 3.11.
# One would guess: a config is the whole desired state, so a deployment whose option is taken out of
# `deployments` goes back to what its code says.
# Seen: with 2.49.1 `max_ongoing_requests: 3` stays 3 after the option, and after the whole list is
# taken out, and the application is RUNNING. With 2.60.0 it is back at the 7 of the code.
# What it means: to be safe with every release, each option that is ever written in `deployments` has
# to be written always, also if it has its default.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled PYTHONPATH="$folder"
cat > "$folder/greeter.py" <<'PYTHON'
from ray import serve


@serve.deployment(max_ongoing_requests=7)
class Greeter:
    async def __call__(self, request):
        return "hello"


app = Greeter.bind()
PYTHON
cat > "$folder/edit_config.py" <<'PYTHON'
import json
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


dashboard, port = free_port(), free_port()
API = f"http://127.0.0.1:{dashboard}/api/serve/applications/"


def limit_after(deployments):
    """Puts a config, waits until it runs, and reads back the deployment's limit."""
    application = {"name": "a", "import_path": "greeter:app", **deployments}
    options = {"host": "127.0.0.1", "port": port}
    body = json.dumps({"http_options": options, "applications": [application]}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(API, body, headers, method="PUT"), timeout=60
    ).close()
    for _ in range(120):
        time.sleep(0.5)
        with urllib.request.urlopen(API, timeout=60) as answer:
            found = json.load(answer)["applications"]["a"]
        if found["status"] == "RUNNING":
            config = found["deployments"]["Greeter"]["deployment_config"]
            return config["max_ongoing_requests"]
    raise SystemExit(f"not running: {found['status']} {found['message']}")


ray.init(num_cpus=1, dashboard_host="127.0.0.1", dashboard_port=dashboard, log_to_driver=False)
serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
seen = [
    limit_after({"deployments": [{"name": "Greeter", "max_ongoing_requests": 3}]}),
    limit_after({"deployments": [{"name": "Greeter"}]}),
    limit_after({}),
]
print("ray", ray.__version__, "written, option removed, list removed:", seen)
serve.shutdown()
ray.shutdown()
if seen != json.loads(sys.argv[1]):
    raise SystemExit("changed: expected " + sys.argv[1])
PYTHON
for pair in "2.49.1 [3,3,3]" "2.60.0 [3,7,7]"; do
  read -r ray expected <<< "$pair"
  python3 -m venv "$folder/$ray"
  "$folder/$ray/bin/pip" install --quiet --disable-pip-version-check \
    "ray[serve]==$ray" 'fastapi<0.137' 'protobuf>=6.33.5,<7'
  "$folder/$ray/bin/python" "$folder/edit_config.py" "$expected" 2> "$folder/log" \
    || { tail -5 "$folder/log"; exit 1; }
done
