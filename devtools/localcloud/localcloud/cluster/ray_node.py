"""How a pod's containers run on this machine: the environment of a real Ray.

A Ray pod's command, arguments, variables and resources are used as KubeRay wrote
them. Added are ports of this machine in place of the pod's network, the stand-in
engine, and a small object store.
"""

import contextlib
import json
import os
from pathlib import Path

from localcloud import forks
from localcloud.cluster.kubernetes_api import Object
from localcloud.cluster.pod_network import PodAddress
from localcloud.cluster.ports import free_port
from localcloud.cluster.ray_environments import STANDINS, RayEnvironment

AUTOSCALER_METRIC_PORT = 44217
# "1" lets the nodes of clusters that are started then measure themselves.
METRICS_VARIABLE = "RAY_LLM_LOCALCLOUD_METRICS"
# Ports that KubeRay and Ray Serve expect in every pod, by the option of
# `ray start` that sets them. Serve's own port is mapped when Serve binds it.
RAY_PORTS = {"metrics-export-port": 8080, "dashboard-agent-listen-port": 52365}
GCS_PORT = 6379
HEAD_PORTS = {"port": GCS_PORT, "dashboard-port": 8265, "ray-client-server-port": 10001}
OWN_PORTS = (
    "node-manager-port",
    "object-manager-port",
    "dashboard-agent-grpc-port",
    "runtime-env-agent-port",
)
SERVE_PORT = 8000
# Requests and answers are short here; Ray's minimum is 75 MiB.
OBJECT_STORE_BYTES = 80 * 1024 * 1024
AGGREGATOR = "RAY_DASHBOARD_AGGREGATOR_AGENT"


def is_ray_node(pod: Object) -> bool:
    """Whether KubeRay made this pod."""
    return bool(pod["metadata"].get("labels", {}).get("ray.io/is-ray-node") == "yes")


def is_head(pod: Object) -> bool:
    """Whether this pod is a Ray cluster's head."""
    return bool(pod["metadata"].get("labels", {}).get("ray.io/node-type") == "head")


def machine_environment(ray: RayEnvironment, home: Path) -> dict[str, str]:
    """The variables of every process: paths and a home, but nothing from the user's shell."""
    return {
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(
            map(
                str,
                (STANDINS / "bin", ray.installed / "bin", "/usr/local/bin", "/usr/bin", "/bin"),
            )
        ),
        "PYTHONPATH": os.pathsep.join(map(str, (*ray.python_path, forks.FOLDER))),
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        # Otherwise each thread would keep a separate heap.
        "MALLOC_ARENA_MAX": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def fork_server_command(ray: RayEnvironment, home: Path) -> tuple[list[str | Path], dict[str, str]]:
    """Command and environment of the fork server for the Python processes of Ray's pods.

    `home` is the cluster's folder for such files.
    """
    environment = machine_environment(ray, home) | {
        # Arrow's own memory pool would start a thread, and a fork has only the main thread.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "VLLM_ARGUMENTS": str(ray.vllm_arguments),
    }
    return forks.server_command(
        ray.installed / "bin/python",
        STANDINS / "ray_forks.py",
        ray.fork_server(home),
        environment,
    )


def ray_environment(
    pod: Object,
    address: PodAddress,
    ray: RayEnvironment,
    *,
    faults: Path,
    fork_server: Path,
    temp_dir: Path,
) -> dict[str, str]:
    """The additional variables of a Ray pod's containers."""
    options = {
        "node-ip-address": "127.0.0.1",
        "object-store-memory": str(OBJECT_STORE_BYTES),
        # Otherwise all nodes on this machine would take their workers' ports from one range.
        "min-worker-port": "0",
        "max-worker-port": "0",
    }
    # Otherwise the nodes of one session would share the ports that they choose themselves.
    options |= {option: str(free_port()) for option in OWN_PORTS}
    ports = {**RAY_PORTS, **(HEAD_PORTS if is_head(pod) else {})}
    options |= {option: str(address.local(port)) for option, port in ports.items()}
    address.local(SERVE_PORT)
    autoscaler: dict[str, str] = {}
    if is_head(pod):
        options |= {"dashboard-host": "127.0.0.1", "temp-dir": str(temp_dir)}
        # The autoscalers of several clusters would all want this port of the machine.
        autoscaler = {"AUTOSCALER_METRIC_PORT": str(address.local(AUTOSCALER_METRIC_PORT))}
    return {
        **autoscaler,
        "POD_PORTS": ",".join(f"{inside}:{here}" for inside, here in address.ports.items()),
        "RAY_START_LOCAL": " ".join(f"--{k}={v}" for k, v in options.items())
        + " --disable-usage-stats --include-log-monitor=false",
        "POD_SOCKETS": str(temp_dir),
        "POD_GCS_PORT": str(address.ports.get(6379, "")),
        "POD_LOG_DIR": str(temp_dir / "session_latest/logs"),
        "ENGINE_FAULTS": str(faults),
        "VLLM_ARGUMENTS": str(ray.vllm_arguments),
        **({"FORK_SERVER": str(fork_server)} if ray.forks else {}),
        # Ray's agents are not children of their raylet here; they notice its end on their stdin.
        "RAY_enable_pipe_based_agent_to_parent_health_check": "1",
        # Every Ray process stays on 127.0.0.1.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Otherwise each node would measure all processes of the machine every five seconds, each
        # process would report its metrics and tasks and time its event loops, and Ray Serve's
        # processes would collect their metrics ten times a second.
        "REPORTER_UPDATE_INTERVAL_MS": "60000",
        "RAY_enable_metrics_collection": os.environ.get(METRICS_VARIABLE, "0"),
        "RAY_task_events_report_interval_ms": "0",
        "RAY_event_stats": "0",
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
        # Each node's agent would look for events thirty times a second, which nothing here reads.
        f"{AGGREGATOR}_CHECK_MAIN_THREAD_LIVENESS_INTERVAL_SECONDS": "2",
        f"{AGGREGATOR}_MAX_BUFFER_SEND_INTERVAL_SECONDS": "2",
        f"{AGGREGATOR}_METRICS_UPDATE_INTERVAL_SECONDS": "10",
        # Nodes on one machine would kill each other's workers if memory became short.
        "RAY_memory_monitor_refresh_ms": "0",
        # Each node would run this timer ten times a second, for objects that are not used here.
        "RAY_object_manager_timer_freq_ms": "2000",
        "RAY_raylet_check_gc_period_milliseconds": "2000",
        # Ray's own 15 leaves its workers hardly any CPU while anything else uses the machine.
        "RAY_worker_niceness": "5",
        # Ray would start and keep one idle worker for each CPU of the pod.
        "RAY_prestart_worker_first_driver": "0",
        "RAY_num_workers_soft_limit": "0",
        # If the dashboard gives up, the head is never ready; here all nodes start at the same time.
        "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "300",
        # Serve's controller would check all replicas ten times a second.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.3",
        # A proxy on a node without replicas would keep the node for half a minute.
        "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "5",
        **ray.variables,
    }


def hub_environment(pod: Object, ray: RayEnvironment, named: Path, own: str) -> dict[str, str]:
    """How a pod with Ray's image reaches a hub for models: one on this machine, or none.

    The pods of Jobs use the one that the file `named` has as {"endpoint": "http://..."}. own: the
    cluster's, for engines that load models.
    """
    if not is_ray_node(pod):
        with contextlib.suppress(FileNotFoundError, ValueError):
            return {"HF_ENDPOINT": json.loads(named.read_text(encoding="utf-8"))["endpoint"]}
    return {"HF_ENDPOINT": own} if ray.hub else {"HF_HUB_OFFLINE": "1"}
