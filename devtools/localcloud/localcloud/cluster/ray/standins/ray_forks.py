"""The fork server for the Python processes of Ray's nodes (fork_server.py).

Ray itself is not imported here, because it reads the environment while it is imported. Other
libraries would miss such variables too; of these, the Hugging Face hub is reloaded in each fork.
"""

import contextlib
import importlib
import json
import os
import sys

import fork_server

PRELOADED_FOR = (
    "ray.scripts.scripts",
    "ray._private.workers.default_worker",
    "ray._private.runtime_env.agent.main",
    "ray._private.runtime_env.agent.runtime_env_agent",
    "ray.autoscaler._private.kuberay.run_autoscaler",
    "ray.dashboard.agent",
    "ray.dashboard.dashboard",
    "ray.dashboard.head",
    "ray.serve._private.controller",
    "ray.serve._private.proxy",
    "ray.serve._private.replica",
    "ray.serve.llm",
)
STAND_IN_ENGINE = "echo_engine"
NOT_PRELOADED = ("ray", STAND_IN_ENGINE, "vllm", "cpu_as_gpu", "__main__", "__mp_main__")


def preload() -> None:
    """Import what Ray's processes import, but not Ray."""
    for name in _imported_by_ray():
        # Some are found only after Ray has changed the path.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _imported_by_ray() -> list[str]:
    """The names of the modules that Ray's processes import, determined in a fork."""
    read, write = os.pipe()
    if os.fork() == 0:
        for name in PRELOADED_FOR:
            importlib.import_module(name)
        with contextlib.suppress(ModuleNotFoundError):  # an environment may have a real engine
            importlib.import_module(STAND_IN_ENGINE)
        from ray.dashboard import utils
        from ray.dashboard.subprocesses.module import SubprocessModule

        for kind in (utils.DashboardAgentModule, utils.DashboardHeadModule, SubprocessModule):
            utils.get_all_modules(kind)
        found = [name for name in sys.modules if name.partition(".")[0] not in NOT_PRELOADED]
        with open(write, "w") as result:
            json.dump(found, result)
        os._exit(0)
    os.close(write)
    with open(read) as answer:
        text = answer.read()
    if os.wait()[1] != 0:
        sys.exit("Ray cannot be imported")
    names: list[str] = json.loads(text)
    return names


def adapt() -> None:
    """Adapt the imported libraries to the pod of the fork."""
    sys.modules["sitecustomize"].join_pod()
    if hub := sys.modules.get("huggingface_hub.constants"):
        importlib.reload(hub)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


if __name__ == "__main__":
    fork_server.main(sys.argv[1], preload, adapt)
