"""The Pythons of Ray's nodes are forks of this one (fork_server.py).

Ray itself is not imported here: it keeps what it finds in the environment. Nor would other
libraries see a variable that they read while they are imported; the Hugging Face hub does, and is
told again.
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
    "echo_engine",
)
NOT_PRELOADED = ("ray", "echo_engine", "vllm", "__main__", "__mp_main__")


def preload() -> None:
    """Import what Ray's processes import, but not Ray."""
    for name in _imported_by_ray():
        # Some are only found where Ray has changed the path.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _imported_by_ray() -> list[str]:
    """The names of the modules that Ray's processes import, found out in a fork."""
    read, write = os.pipe()
    if os.fork() == 0:
        for name in PRELOADED_FOR:
            importlib.import_module(name)
        from ray.dashboard import utils
        from ray.dashboard.subprocesses.module import SubprocessModule

        for kind in (utils.DashboardAgentModule, utils.DashboardHeadModule, SubprocessModule):
            utils.get_all_modules(kind)
        found = [name for name in sys.modules if name.partition(".")[0] not in NOT_PRELOADED]
        with open(write, "w") as told:
            json.dump(found, told)
        os._exit(0)
    os.close(write)
    with open(read) as answer:
        text = answer.read()
    if os.wait()[1] != 0:
        sys.exit("Ray cannot be imported")
    names: list[str] = json.loads(text)
    return names


def adapt() -> None:
    """What the libraries have of the pod that the fork is in."""
    sys.modules["sitecustomize"].join_pod()
    if hub := sys.modules.get("huggingface_hub.constants"):
        importlib.reload(hub)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


if __name__ == "__main__":
    fork_server.main(sys.argv[1], preload, adapt)
