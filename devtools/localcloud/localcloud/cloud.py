"""`LocalCloud`: a folder with an engine, providers, state and a cloud.

    cloud = LocalCloud(tmp_path)
    project = cloud.project("examples/platform")
    result = project.pulumi("preview", "--stack", "dev")

Everything that a command writes is below the home folder, so tests with
separate homes do not affect each other; they share only the built engine.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from localcloud.engine import HOST_VARIABLE, engine
from localcloud.faults import FAULTS_VARIABLE
from localcloud.forks import forked
from localcloud.network import (
    authority_file,
    network,
    outer_proxy_lines,
    sign_in_script,
    through_proxy,
    write_kubeconfig,
)
from localcloud.served_project import served_project
from localcloud.store import (
    CACHE_VARIABLE,
    CHECKOUT,
    HOME_VARIABLE,
    RUN_VARIABLE,
    SOURCE,
    CloudStore,
    Journal,
    default_home,
    locked,
    write_atomically,
)
from localcloud.workspace import PLACEHOLDER_TOKEN, Workspace, WorkspaceError, local_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FORKS_VARIABLE: Final = "RAY_LLM_LOCALCLOUD_FORKS"
TOKEN_VARIABLE: Final = "RAY_LLM_LOCALCLOUD_TOKEN"  # noqa: S105 - a variable's name
_PLUGINS: Final = {"gcp": "pulumi_gcp", "kubernetes": "pulumi_kubernetes"}
_CONFIRMED: Final = ("up", "update", "destroy", "refresh", "cancel", "import")
_PATH_FLAGS: Final = ("--file", "--save-plan", "--plan", "--out", "--from")


class LocalCloud:
    """One local cloud in one folder.

    `token` is added to stack files that have no token, under the config key `token_key`
    (default: the served project's). The default is a placeholder; None adds no token.
    Its encrypted form is kept in `secret_cache`: by default the home folder, or the engine's cache
    for the placeholder, which is no secret.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        engine_cache: Path | None = None,
        token: str | None = PLACEHOLDER_TOKEN,
        token_key: str | None = None,
        secret_cache: Path | None = None,
    ) -> None:
        self.home = (home or default_home()).resolve()
        self.engine_cache = engine_cache or (CHECKOUT / ".localcloud" if home else self.home)
        self.token = token
        self.token_key = token_key or served_project().token_key
        public = token in (None, PLACEHOLDER_TOKEN)
        self.secret_cache = secret_cache or (self.engine_cache if public else self.home)

    @property
    def forks(self) -> Path | None:
        """The folder of a fork server that has imported what Pulumi's processes import."""
        folder = os.environ.get(FORKS_VARIABLE)
        return Path(folder) if folder else None

    def engine(self) -> Path:
        """The pulumi CLI, built first if there is none. Raises EngineError."""
        return engine(self.engine_cache)

    def project(self, folder: Path | str) -> Project:
        """A Pulumi project to run here. Raises WorkspaceError if the folder is not one."""
        return Project(self, Workspace(self.home, Path(folder)))

    def journal(self) -> list[dict[str, Any]]:
        """Every call that changed something, oldest first; see `store.Journal`."""
        return Journal(self.home).entries()

    def cloud_objects(self) -> dict[str, Any]:
        """Everything that exists: Google's resources by id, Kubernetes' by cluster and key."""
        google = CloudStore(self.home, "gcp").read()
        clusters = CloudStore(self.home, "kubernetes").read()
        found: dict[str, Any] = dict(google)
        for server, cluster in clusters.items():
            found |= {f"{server}|{key}": entry for key, entry in cluster.items()}
        return found

    def declare_cluster(
        self, project: str, location: str, name: str, *, kuberay: bool = False, **inputs: Any
    ) -> str:
        """Add a cluster that no stack made, for programs that adopt one; returns its id.

        With `kuberay` it has KubeRay's CRDs. `inputs` are Cluster arguments.
        """
        id_ = f"projects/{project}/locations/{location}/clusters/{name}"
        addons = {"addonsConfig": {"rayOperatorConfigs": [{"enabled": True}]}} if kuberay else {}
        declared = {"name": name, "project": project, "location": location, "initialNodeCount": 1}
        with CloudStore(self.home, "gcp").transaction() as content:
            content[id_] = {
                "type": "gcp:container/cluster:Cluster",
                "inputs": {**declared, **addons, **inputs},
            }
        return id_

    def add_object(self, server: str, obj: dict[str, Any]) -> None:
        """Create or replace a Kubernetes object as somebody else would.

        `server` is that of the cluster, as a key of `cloud_objects` starts.
        Raises ProviderError if the API server would refuse it.
        """
        from localcloud.providers.kubernetes.objects import ObjectRef
        from localcloud.providers.kubernetes.stored_api import StoredApi

        metadata = obj["metadata"]
        ref = ObjectRef(obj["apiVersion"], obj["kind"], metadata.get("namespace"), metadata["name"])
        StoredApi(self.home, server, self.engine_cache / "cache").create(ref, obj, upsert=True)

    def edit_object(self, key: str, path: Sequence[str], value: Any, manager: str) -> None:
        """Change a field of a Kubernetes object as another field manager would.

        `key` is one of `cloud_objects`, `path` the field's keys.
        """
        server, _, object_key = key.partition("|")
        with CloudStore(self.home, "kubernetes").transaction() as content:
            entry = content[server][object_key]
            target = entry["object"]
            for part in path[:-1]:
                target = target.setdefault(part, {})
            target[path[-1]] = value
            entry.setdefault("foreign", {})[".".join(path)] = manager

    @property
    def kubeconfig(self) -> str | None:
        """The kubeconfig of the cluster that runs in this cloud; None if it only keeps records."""
        return None

    def environment(self) -> dict[str, str]:
        """The environment variables for pulumi and the providers."""
        pulumi_home = self.home / "pulumi"
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PULUMI_", "GOOGLE_", "KUBECONFIG")) and key != "PYTHONPATH"
        }
        return {
            # If the state has CRDs, the engine and the provider spend a quarter of their time
            # collecting garbage. This setting costs some hundred MiB instead.
            "GOGC": "400",
            **kept,
            HOME_VARIABLE: str(self.home),
            CACHE_VARIABLE: str(self.engine_cache / "cache"),
            HOST_VARIABLE: str(self.home / "bin" / "language-python"),
            RUN_VARIABLE: uuid.uuid4().hex,
            "PULUMI_HOME": str(pulumi_home),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            # Empty means not set: recompiling the SDKs for every command takes longer than the
            # command itself.
            "PYTHONDONTWRITEBYTECODE": "",
        }

    def install(self) -> Path:
        """Write the launchers of the language host and the providers; returns the engine's path."""
        pulumi = self.engine()
        logs = self.home / "pulumi" / "logs"
        if not logs.exists():
            # The engine logs every property of every call into this folder, which triples the
            # time of a preview with CRDs. If it cannot create the folder, it runs without logs.
            logs.parent.mkdir(parents=True, exist_ok=True)
            logs.touch()
        with locked(self.home / ".install.lock"):
            host = self.module_script("localcloud.host")
            write_executable(self.home / "bin" / "language-python", host)
            for name, distribution in _PLUGINS.items():
                version = importlib.metadata.version(distribution)
                folder = self.home / "pulumi" / "plugins" / f"resource-{name}-v{version}"
                write_executable(folder / f"pulumi-resource-{name}", self.plugin_script(name))
            beside = pulumi.resolve().parent / "pulumi-language-python"
            on_path = self.home / "bin" / "pulumi-language-python"
            if not beside.exists() and shutil.which("pulumi-language-python") is None:
                write_executable(on_path, host)
            else:
                on_path.unlink(missing_ok=True)
        return pulumi

    def plugin_script(self, name: str) -> str:
        """The shell script that the engine starts as a provider's plugin."""
        script = self.module_script(f"localcloud.providers.{name}.__main__")
        return script.replace("\n", f"\n{outer_proxy_lines(dict(os.environ))}", 1)

    def network_environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables with which a program reaches the local cloud's network and nothing else."""
        sign_in = self.home / "network" / "gke-gcloud-auth-plugin"
        write_executable(sign_in, sign_in_script())
        proxy = network(self.home, self.engine_cache / "cache").proxy
        return {
            **through_proxy(dict(variables), proxy, authority_file(self.home)),
            "KUBECONFIG": str(write_kubeconfig(self.home)),
            # Before a real sign-in command, which would ask Google.
            "PATH": f"{sign_in.parent}:{variables.get('PATH', '')}",
        }

    def module_script(self, module: str) -> str:
        """A shell script that runs a module of this checkout, as a fork if there is a server."""
        code = module_code(module)
        return python_script(forked(code, self.forks) if self.forks else code)


class Project:
    """A Pulumi project in a local cloud."""

    def __init__(self, cloud: LocalCloud, workspace: Workspace) -> None:
        self.cloud = cloud
        self.workspace = workspace

    def pulumi(
        self,
        *arguments: str,
        faults: str | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Run a pulumi command to its end; a command that fails does not raise.

        `faults` is a JSON list of rules (`localcloud.faults`), `timeout` in seconds.
        """
        command, variables = self._prepare(arguments, faults, environment)
        with interruptible():
            return subprocess.run(
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )

    def start(
        self,
        *arguments: str,
        faults: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a pulumi command in a separate process group, so that it can be killed."""
        command, variables = self._prepare(arguments, faults, environment)
        with interruptible():
            return subprocess.Popen(
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )

    def run_in_terminal(self, arguments: Sequence[str]) -> int:
        """Run a pulumi command on this terminal and return its exit code."""
        interactive = sys.stdin.isatty() and sys.stdout.isatty()
        command, variables = self._prepare(arguments, None, None, interactive=interactive)
        with interruptible():
            process = subprocess.Popen(command, env=variables)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # pulumi got the signal too and ends by itself

    def environment(self) -> dict[str, str]:
        """The variables for this project, including its file backend."""
        variables = self.cloud.environment()
        # Metadata files are not written atomically: a killed command could leave a file that no
        # later command can read.
        variables["PULUMI_BACKEND_URL"] = f"file://{self.workspace.state}?metadata=skip"
        variables["PATH"] = f"{variables.get('PATH', '')}:{self.cloud.home / 'bin'}"
        return variables

    def _prepare(
        self,
        arguments: Sequence[str],
        faults: str | None,
        extra: Mapping[str, str] | None,
        *,
        interactive: bool = False,
    ) -> tuple[list[str], dict[str, str]]:
        pulumi = self.cloud.install()
        variables = {**self.cloud.network_environment(self.environment()), **(extra or {})}
        if faults is not None:
            variables[FAULTS_VARIABLE] = faults
        token = self.cloud.token
        cache = self.cloud.secret_cache
        secret = local_secret(pulumi, cache, token or PLACEHOLDER_TOKEN, variables)
        with locked(self.workspace.folder / ".sync.lock"):
            name = self.cloud.token_key
            self.workspace.sync(
                secret, token_key=name if token else None, token_name=name, cache=cache
            )
            command = [str(pulumi), "-C", str(self.workspace.folder)]
            self._require_stack(command, variables, arguments)
        words = [word for word in arguments if not word.startswith("-")]
        if not interactive:
            command.append("--non-interactive")
            if words[:1] and words[0] in _CONFIRMED and not {"--yes", "-y"} & set(arguments):
                arguments = [*arguments, "--yes"]
        return [*command, *_with_absolute_paths(arguments)], variables

    def _require_stack(
        self, command: list[str], variables: dict[str, str], arguments: Sequence[str]
    ) -> None:
        """Create the stack that a command names, or refuse a name without a stack file."""
        _refuse_config_edits(arguments)
        stack = _stack_in(arguments)
        if stack is None or self.workspace.has_stack(stack):
            return
        known = self.workspace.stack_files()
        if stack not in known:
            listed = ", ".join(known) or "none"
            msg = f"{self.workspace.project} has no Pulumi.{stack}.yaml; its stacks are: {listed}."
            raise WorkspaceError(msg)
        done = subprocess.run(
            [*command, "--non-interactive", "stack", "init", stack, "--no-select"],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and not self.workspace.has_stack(stack):
            raise WorkspaceError(done.stderr.strip())


def _refuse_config_edits(arguments: Sequence[str]) -> None:
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] == ["config"] and set(words[1:2]) & {"set", "set-all", "rm", "rm-all", "cp"}:
        msg = (
            f"`pulumi config {words[1]}` is not available in the local cloud: edit "
            "Pulumi.<stack>.yaml itself. Secrets are placeholders here "
            f"({TOKEN_VARIABLE} sets the token's)."
        )
        raise WorkspaceError(msg)


def _stack_in(arguments: Sequence[str]) -> str | None:
    """The value of `--stack`/`-s`, without an organization or project before it."""
    for index, argument in enumerate(arguments):
        if argument in ("--stack", "-s") and index + 1 < len(arguments):
            return arguments[index + 1].rsplit("/", 1)[-1]
        if argument.startswith("--stack="):
            return argument.partition("=")[2].rsplit("/", 1)[-1]
    return None


def _with_absolute_paths(arguments: Sequence[str]) -> list[str]:
    """Make paths absolute, because pulumi does not run in the user's current folder."""
    result = list(arguments)
    for index, argument in enumerate(result):
        flag, equals, value = argument.partition("=")
        if flag in _PATH_FLAGS and equals:
            result[index] = f"{flag}={Path(value).absolute()}"
        elif index and result[index - 1] in _PATH_FLAGS:
            result[index] = str(Path(argument).absolute())
    return result


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let processes that start meanwhile take SIGINT, even if this one was started to ignore it.

    A shell starts so what a script runs in the background. The engine ends each of its plugins by
    SIGINT, and waits five seconds for one that ignores it.
    """
    ignored = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    )
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def module_code(module: str) -> str:
    """Python code that runs a module of this checkout, not one of the current folder."""
    return (
        f"import sys; sys.path[0] = {str(SOURCE)!r}; "
        f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=False)"
    )


def python_script(code: str) -> str:
    """A shell script that runs code with this Python and the script's arguments."""
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n'


def write_executable(path: Path, script: str) -> None:
    """Write a script, unless it exists unchanged: it may be running."""
    if not path.exists() or path.read_text(encoding="utf-8") != script:
        write_atomically(path, script)
        path.chmod(0o755)
