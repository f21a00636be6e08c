"""The parts of a cluster: programs built by Go, and the Ray environments.

All are made once and kept under keys made of their sources. A changed go.mod or
Ray lock file gives a new key, and an unfinished build is never used.
"""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, TextIO

from localcloud import uv
from localcloud.cluster import etcd_data, ray_environments
from localcloud.cluster.cluster import ClusterError, Installation
from localcloud.cluster.ray_environments import STAND_IN, RayEnvironment
from localcloud.go_build import BuildError, GoProgram, build, module_folder, module_key
from localcloud.providers.kubernetes import crds
from localcloud.providers.server import ProviderError
from localcloud.store import locked, programs_folder

HERE: Final = Path(__file__).parent
KUBERNETES: Final = HERE / "go" / "kubernetes"
KUBERAY: Final = HERE / "go" / "kuberay"
PROVIDER: Final = HERE / "go" / "kubernetes-provider"
KUBERNETES_VERSION: Final = "v1.36.3"
_STAMP: Final = "k8s.io/component-base/version"
_LDFLAGS: Final = (
    f"-s -w -X {_STAMP}.gitVersion={KUBERNETES_VERSION} -X {_STAMP}.gitMajor=1 "
    f"-X {_STAMP}.gitMinor=36 -X {_STAMP}.gitTreeState=clean"
)
PROGRAMS: Final = (
    GoProgram(KUBERNETES, "go.etcd.io/etcd/server/v3", "etcd"),
    GoProgram(KUBERNETES, "sigs.k8s.io/kwok/cmd/kwok", "kwok", _LDFLAGS),
    GoProgram(KUBERAY, "github.com/ray-project/kuberay/ray-operator", "ray-operator"),
    *(
        GoProgram(KUBERNETES, f"k8s.io/kubernetes/cmd/{name}", name, _LDFLAGS, 800_000_000)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ),
)
# No release of the provider is served as a module, only revisions; this one is from January 2026.
# It reports the version of the installed SDK, because the engine would otherwise look for another.
_PROVIDER_LDFLAGS: Final = (
    "-s -w -X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version="
    + importlib.metadata.version("pulumi_kubernetes")
)
PROVIDER_PROGRAM: Final = GoProgram(
    PROVIDER, ".", "pulumi-resource-kubernetes", _PROVIDER_LDFLAGS, 2_500_000_000
)
# An installation holds the files twice: in uv's cache, where it is on another disk, and compiled.
DISK_FOR_INSTALLED: Final = 2
COMPLETE: Final = ".complete"
# What the initial data of etcd is made from; the modules' versions stand in them.
ETCD_DATA_FILES: Final = (
    HERE / "control_plane.py",
    HERE / "etcd_data.py",
    Path(crds.__file__),
    crds.COMPUTE_CLASS,
    crds.MANAGED_PROMETHEUS,
)


def installed(releases: list[str] | None = None, engine: str = STAND_IN) -> Installation:
    """The paths of all parts, whether or not they exist yet; all clusters share them.

    The cluster can run these Ray releases, by default all; raises ClusterError for one that
    it does not know, as for an engine.
    """
    folder = programs_folder()
    programs = folder / module_key([KUBERNETES, KUBERAY], _LDFLAGS)
    provider = module_key([PROVIDER], _PROVIDER_LDFLAGS, (PROVIDER / "main.go").read_text())
    try:
        ray = ray_environments.chosen(ray_environments.defined(folder), releases, engine)
    except ValueError as error:
        raise ClusterError(str(error)) from None
    return Installation(
        binaries=programs,
        crds=programs / "crds",
        etcd_data=programs / f"etcd-data-{_key(*ETCD_DATA_FILES)}",
        cache=folder.parent / "cache",
        stages=programs / "stages",
        provider=folder / f"provider-{provider}",
        ray=tuple(ray),
    )


def _key(*files: Path) -> str:
    content = b"".join(path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()[:12]


def install(
    releases: list[str] | None = None, engine: str = STAND_IN, output: TextIO = sys.stderr
) -> Installation:
    """Make the missing parts. Raises BuildError or ClusterError with one sentence."""
    wanted = installed(releases, engine)
    for environment in wanted.ray:
        if not (environment.installed / COMPLETE).exists():
            _install_ray(environment, output)
    build(PROGRAMS, wanted.binaries, output)
    build([PROVIDER_PROGRAM], wanted.provider, output)
    sources = (
        (wanted.crds, KUBERAY, "github.com/ray-project/kuberay/ray-operator", "config/crd/bases"),
        (wanted.stages, KUBERNETES, "sigs.k8s.io/kwok", "kustomize/stage"),
    )
    for target, module, path, folder in sources:
        if not target.exists():
            _copy(module_folder(module, path) / folder, target)
    _prepare_etcd(wanted, output)
    return wanted


def _prepare_etcd(wanted: Installation, output: TextIO) -> None:
    with locked(wanted.binaries / ".etcd-data.lock"):
        if not wanted.etcd_data.exists():
            print("Preparing the initial data of etcd, once.", file=output, flush=True)
            try:
                definitions = etcd_data.wanted_definitions(wanted.crds, wanted.cache)
            except ProviderError as error:
                raise BuildError(str(error)) from None
            etcd_data.make(wanted.binaries, definitions, wanted.etcd_data)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder of a Go module, whose files are read-only, atomically."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copytree(source, part, copy_function=shutil.copyfile)
    for folder in (part, *(p for p in part.rglob("*") if p.is_dir())):
        folder.chmod(0o755)
    part.replace(target)


def _install_ray(environment: RayEnvironment, output: TextIO) -> None:
    """Install a locked Ray environment by uv. A folder without its last file is made again."""
    uv.program()  # a missing one is said before anything else
    target = environment.installed
    needed = environment.megabytes * 1_000_000 * DISK_FOR_INSTALLED
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / ".ray.lock"):
        if (target / COMPLETE).exists():
            return
        free = shutil.disk_usage(target.parent).free
        if free < needed:
            raise BuildError(
                f"the environment of Ray {environment} needs {needed / 1e9:.1f} GB, but "
                f"{target.parent} has {free / 1e9:.1f} GB free: free some."
            )
        if missing := [name for name in environment.programs if not shutil.which(name)]:
            raise BuildError(
                f"the environment of Ray {environment} is built with {' and '.join(missing)}, "
                "which is not on PATH: install it (Debian and Ubuntu: apt-get install gcc)."
            )
        minutes = f", {environment.minutes} minutes" if environment.minutes else ""
        print(
            f"Installing Ray {environment} (some {environment.megabytes} MB{minutes}), once.",
            file=output,
            flush=True,
        )
        # An environment cannot be renamed into place, so a file marks it as complete.
        shutil.rmtree(target, ignore_errors=True)
        try:
            uv.run(
                *("sync", "--locked", "--no-progress", "--python", sys.executable),
                # Otherwise each of the first pods would compile the same modules.
                "--compile-bytecode",
                cwd=environment.definition,
                UV_PROJECT_ENVIRONMENT=str(target),
            )
        except BuildError as error:
            shutil.rmtree(target, ignore_errors=True)
            raise BuildError(f"uv could not install Ray {environment}: {error}") from None
        for script in environment.finish:
            _finish(environment, script)
        (target / COMPLETE).touch()


def _finish(environment: RayEnvironment, script: Path) -> None:
    """Run one script of an environment in it; raises BuildError and leaves nothing if it fails."""
    target = environment.installed
    done = subprocess.run(
        [target / "bin/python", script, target], capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(target, ignore_errors=True)
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise BuildError(f"{script.name} could not finish Ray {environment}: {last[0].strip()}")
