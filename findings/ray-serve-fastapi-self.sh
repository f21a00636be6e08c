#!/usr/bin/env bash
# With FastAPI 0.137, Ray Serve refuses every request to a class whose routes are made where the
# application is built, because it takes `self` for a parameter of the request.
#
# Versions: ray[serve] 2.49.1 and 2.60.0, fastapi 0.136.3 and 0.137.0, Python 3.11.
# One would guess: `serve.ingress(app)(cls)` makes a class-based view once, and the view is pickled
# with the application; Ray 2.60 requires fastapi>=0.133 without an upper bound.
# Seen: with 0.136.3 the request is answered. With 0.137.0 the deployment is RUNNING and HEALTHY, and
# the request gets 422 with {"loc": ["query", "self"], "msg": "Field required"}. FastAPI 0.137 reads
# an endpoint's signature when the route is first used. Ray had given the method another signature,
# but the method of an importable class is pickled by its name, so the replica has the original one.
# Ray's OpenAI front end is built in this way: LLMRouter in 2.49.1 and OpenAiIngress in 2.60.0.
# Related: https://github.com/ray-project/ray/issues/64475 (routers that are included).
# What it means: an image needs fastapi<0.137 to serve LLMs with these releases of Ray.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled PYTHONPATH="$folder"
cat > "$folder/greeter.py" <<'PYTHON'
from fastapi import FastAPI

app = FastAPI()


class Greeter:
    @app.get("/hello")
    def hello(self) -> str:
        return "hello"
PYTHON
cat > "$folder/serve_greeter.py" <<'PYTHON'
import socket
import sys
import urllib.error
import urllib.request
from importlib.metadata import version

import ray
from greeter import Greeter, app
from ray import serve

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
serve.run(serve.deployment(serve.ingress(app)(Greeter)).bind())
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/hello", timeout=60) as answer:
        code, text = answer.status, answer.read().decode()
except urllib.error.HTTPError as error:
    code, text = error.code, error.read().decode()
status = serve.status().applications["default"].status
print("ray", version("ray"), "fastapi", version("fastapi"), status.value, code, text)
serve.shutdown()
ray.shutdown()
if code != int(sys.argv[1]) or (code != 200 and '["query","self"]' not in text):
    raise SystemExit("changed: expected " + sys.argv[1])
PYTHON
for ray in 2.49.1 2.60.0; do
  python3 -m venv "$folder/$ray"
  for pair in "0.136.3 200" "0.137.0 422"; do
    read -r fastapi expected <<< "$pair"
    "$folder/$ray/bin/pip" install --quiet --disable-pip-version-check \
      "ray[serve]==$ray" "fastapi==$fastapi" 'protobuf>=6.33.5,<7'
    "$folder/$ray/bin/python" "$folder/serve_greeter.py" "$expected" 2> "$folder/log" \
      || { tail -5 "$folder/log"; exit 1; }
  done
done
