"""`python -m localcloud`: run pulumi commands in the local cloud.

python -m localcloud preview --stack dev
python -m localcloud -- stack output --stack dev
python -m localcloud --project examples/platform up --stack dev
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

from localcloud.cloud import TOKEN_VARIABLE, LocalCloud, Project
from localcloud.engine import SHIM_MARK, EngineError
from localcloud.store import CHECKOUT, SOURCE, default_home, write_atomically
from localcloud.workspace import PLACEHOLDER_TOKEN, WorkspaceError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud",
        description="A cloud on this machine: the real Pulumi engine, stand-ins for the providers.",
        epilog="Any other word is a pulumi command: preview, up, destroy, refresh, stack ...",
        add_help=False,
    )
    parser.add_argument("--help", "-h", action="help")
    parser.add_argument(
        "--project", type=Path, help="folder with a Pulumi.yaml (default: found from here upwards)"
    )
    parser.add_argument("command", nargs="?", help="engine, shell, clean, or a pulumi command")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options, rest = _split(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    parsed = parser.parse_args(options)
    if not rest:
        parser.error("name a command: engine, shell, clean, or one of pulumi's.")
    command = rest[0]
    cloud = _cloud_here(os.environ.get(TOKEN_VARIABLE, PLACEHOLDER_TOKEN) or None)
    try:
        if command == "engine":
            print(cloud.install())
            return 0
        if command == "clean":
            # Only the records: deployments to the local cluster end with the cluster.
            return _clean(LocalCloud())
        project = cloud.project(parsed.project or _project_from_here())
        if command == "shell":
            return _shell(project)
        return project.run_in_terminal(rest)
    except (EngineError, WorkspaceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _cloud_here(token: str | None) -> LocalCloud:
    """The cloud on this machine, with the local cluster in it if one is running."""
    home = default_home()
    if (home / "cluster" / "cluster.json").exists():
        from localcloud.cluster.cluster_cloud import ClusterCloud
        from localcloud.cluster.cluster_state import ClusterState

        state = ClusterState.read(home / "cluster")
        if state and state.ready and state.supervisor():
            return ClusterCloud(state, engine_cache=home, token=token)
        print(
            "note: the local cluster is no longer running, so this command only writes records; "
            "`make cluster-up` starts a new cluster.",
            file=sys.stderr,
        )
    return LocalCloud(token=token)


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Split our own options, which precede the command, from the arguments for pulumi."""
    index = 0
    while index < len(argv) and argv[index].startswith("-"):
        if argv[index] == "--":
            return argv[:index], argv[index + 1 :]
        index += 2 if argv[index] == "--project" else 1
    return argv[:index], argv[index:]


def _project_from_here() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder
    return CHECKOUT


def _shell(project: Project) -> int:
    """Start a subshell whose `pulumi` is this command and whose prompt says so."""
    home = project.cloud.home
    project.cloud.install()
    shim = home / "shell" / "pulumi"
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); "
        "from localcloud.__main__ import main; sys.exit(main(['--', *sys.argv[1:]]))"
    )
    write_atomically(shim, f'#!/bin/sh\n{SHIM_MARK}\nexec "{sys.executable}" -P -c "{code}" "$@"\n')
    shim.chmod(0o755)
    # With the commands of this environment, such as ray-llm, under their names.
    folders = f"{shim.parent}:{Path(sys.executable).parent}"
    kubeconfig = project.cloud.kubeconfig
    cluster = {"KUBECONFIG": kubeconfig} if kubeconfig else {}
    rc = home / "shell" / "bashrc"
    write_atomically(
        rc,
        "[ -f ~/.bashrc ] && . ~/.bashrc\n"
        f'export PATH="{folders}:$PATH"\n'
        # After ~/.bashrc, which may set another one.
        + "".join(f"export {key}={shlex.quote(value)}\n" for key, value in cluster.items())
        + 'PS1="(local cloud) $PS1"\n',
    )
    print(
        "In this shell `pulumi` runs in the local cloud: nothing reaches Google. `exit` leaves it."
    )
    variables = {**os.environ, "PATH": f"{folders}:{os.environ['PATH']}", **cluster}
    shell = shutil.which("bash")
    if shell is None:
        os.execvpe("sh", ["sh"], variables)  # noqa: S606
    os.execvpe(shell, [shell, "--rcfile", str(rc), "-i"], variables)  # noqa: S606


def _clean(cloud: LocalCloud) -> int:
    """Delete all stacks and everything in the cloud, but keep what was built."""
    for name in ("cloud", "projects", "pulumi", "encrypt", "shell"):
        shutil.rmtree(cloud.home / name, ignore_errors=True)
    for secret in cloud.home.glob("secret-*.json"):
        secret.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
