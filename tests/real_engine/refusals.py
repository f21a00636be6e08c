"""Configurations that vLLM refuses, as Ray Serve and the smoke test report them.

The product stops most of them before they are deployed, so they go to Serve's own API.
"""

import copy
import json
import re
import urllib.request
from pathlib import Path
from typing import Any, Final

from localcloud.testing.running_cluster import eventually
from manifests import MODEL_DEPLOYMENT
from manifests.smoke_test.script.engine_log import EngineLogs
from manifests.smoke_test.script.failures import failure
from manifests.smoke_test.script.serve_api import failure_messages
from manifests.smoke_test.script.settings import Settings
from tests.cluster.running import Cluster
from tests.real_engine.answers import unchanging
from tests.real_engine.stacks import REFUSED_POOL

# What is changed of a model that runs: engine arguments, or (`source`) its repository.
REFUSED: Final[dict[str, dict[str, Any]]] = {
    "unknown-argument": {"engine_kwargs": {"no_such_argument": 1}},
    "long-context": {"engine_kwargs": {"max_model_len": 9_999_999}},
    "unknown-dtype": {"engine_kwargs": {"dtype": "float8"}},
    "not-quantized": {"engine_kwargs": {"quantization": "awq"}},
    "small-cache": {"engine_kwargs": {"num_gpu_blocks_override": 2}},
    "unknown-parser": {
        "engine_kwargs": {"enable_auto_tool_choice": True, "tool_call_parser": "nope"}
    },
    "no-weights": {"source": "acme/no-weights"},
    "no-repository": {"source": "acme/missing"},
    "gated-repository": {"source": "acme/gated"},
    "no-hub": {"source": "acme/down"},
    "offline": {"source": "acme/offline", "variables": {"HF_HUB_OFFLINE": "1"}},
}
HUB_FAULTS: Final = {
    "acme/no-weights": "without weights",
    "acme/missing": "missing",
    "acme/gated": "gated",
    "acme/down": "down",
}
# Serve starts an engine three times by default; once shows the same.
STARTS: Final = 1
REFUSAL_SECONDS: Final = 900
_ATTEMPT = re.compile(
    r"failed to start \d+ times|Retrying after [\d.]+ seconds|Retrying \d+ more time\(s\)"
)


def refused_application(application: dict[str, Any], name: str) -> dict[str, Any]:
    """The deployed application of a model, with what vLLM refuses, under another name."""
    changed = copy.deepcopy(application)
    changed |= {"name": name, "route_prefix": f"/{name}"}
    [config] = changed["args"]["llm_configs"]
    config["model_loading_config"]["model_id"] = name
    deployment = config["deployment_config"]
    deployment["ray_actor_options"]["resources"] = {REFUSED_POOL["tier"]: 1}
    deployment["max_constructor_retry_count"] = STARTS
    for override in changed["deployments"]:
        if override["name"].startswith(MODEL_DEPLOYMENT):
            override["name"] = f"{MODEL_DEPLOYMENT}{name}"
    refusal = REFUSED[name]
    config["engine_kwargs"] |= refusal.get("engine_kwargs", {})
    if "source" in refusal:
        config["model_loading_config"]["model_source"] = refusal["source"]
    if "variables" in refusal:
        config["runtime_env"] = {"env_vars": refusal["variables"]}
    return changed


def submit(cluster: Cluster, applications: list[dict[str, Any]]) -> None:
    """Give Serve these applications and no others."""
    url = f"{cluster.state.dashboard}/api/serve/applications/"
    with urllib.request.urlopen(url, timeout=60) as response:
        details = json.load(response)
    options = {key: details[key] for key in ("proxy_location", "http_options")}
    body = json.dumps({**options, "applications": applications}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=60):
        pass


def refuse(cluster: Cluster, running: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """What becomes of these configurations, made of the model that runs.

    For each: the text in Serve's messages from the error on, and what the smoke test says.
    """
    (cluster.state.folder / "hub-faults.json").write_text(json.dumps(HUB_FAULTS))
    kept = [
        item["deployed_app_config"]
        for name, item in cluster.models().items()
        if name not in REFUSED
    ]
    model = cluster.models()[running]["deployed_app_config"]
    submit(cluster, [*kept, *(refused_application(model, name) for name in names)])
    settled = eventually(
        lambda: _failed(cluster, names), "all are refused", seconds=REFUSAL_SECONDS
    )
    found = {name: _report(cluster, name, settled[name]) for name in names}
    submit(cluster, kept)
    return found


def _failed(cluster: Cluster, names: list[str]) -> dict[str, Any] | None:
    applications = cluster.models()
    failed = {n: applications[n] for n in names if applications[n]["status"] == "DEPLOY_FAILED"}
    return failed if len(failed) == len(names) else None


def _report(cluster: Cluster, name: str, application: dict[str, Any]) -> dict[str, Any]:
    messages = [message for message in failure_messages(application) if message]
    settings = Settings.from_env(
        {
            "LLM_CONFIGS": str(Path(cluster.state.folder)),
            "SERVE_URL": cluster.state.serve,
            "DASHBOARD_URL": cluster.state.dashboard,
            "CLUSTER_DASHBOARD_URL": cluster.state.dashboard,
            "NAMESPACE": "ai",
            "RAY_SERVICE": "llm-serving",
            "JOB_NAME": "none",
            "JOB_LABELS": "",
            "MODEL_TASKS": "{}",
            "FAILED_UPDATE_KEEPS_SERVING": "false",
            "DEADLINE_SECONDS": "1",
        }
    )
    shown = failure(application, cluster.state.dashboard, settings, EngineLogs())
    return {
        "serve": _error_of(unchanging(messages[0], name)),
        "smoke_test": unchanging(shown, name),
    }


def _error_of(message: str) -> str:
    """A message without the lines of its traceback, which differ between releases."""
    lines = _ATTEMPT.sub("", message).splitlines()
    last = max((i for i, line in enumerate(lines) if re.match(r"\s+File |\s+\^", line)), default=-2)
    return "\n".join(lines[last + 2 :]) if last >= 0 else "\n".join(lines)
