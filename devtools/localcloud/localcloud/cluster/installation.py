"""The parts of a cluster: programs built by Go, and the Ray environment.

Both are made once and kept under keys made of their sources. A changed go.mod or
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

from localcloud.cluster import etcd_data
from localcloud.cluster.cluster import Installation
from localcloud.go_build import BuildError, GoProgram, build, module_folder, module_key
from localcloud.served_project import served_project
from localcloud.store import CHECKOUT, locked

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
PROGRAMS_VARIABLE: Final = "RAY_LLM_LOCALCLOUD_PROGRAMS"
RAY_BYTES: Final = 1_500_000_000
COMPLETE: Final = ".complete"


def installed() -> Installation:
    """The paths of all parts, whether or not they exist yet; all clusters share them."""
    default = CHECKOUT / ".localcloud" / "programs"
    folder = Path(os.environ.get(PROGRAMS_VARIABLE) or default).resolve()
    programs = folder / module_key([KUBERNETES, KUBERAY], _LDFLAGS)
    provider = module_key([PROVIDER], _PROVIDER_LDFLAGS, (PROVIDER / "main.go").read_text())
    lock = _key(HERE / "ray" / "uv.lock")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Installation(
        binaries=programs,
        crds=programs / "crds",
        etcd_data=programs / f"etcd-data-{_key(HERE / 'control_plane.py', HERE / 'etcd_data.py')}",
        cache=folder.parent / "cache",
        stages=programs / "stages",
        provider=folder / f"provider-{provider}",
        ray=folder / f"ray-py{python}-{lock}",
        vllm_arguments=served_project().vllm_arguments,
    )


def _key(*files: Path) -> str:
    content = b"".join(path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()[:12]


def install(output: TextIO = sys.stderr) -> Installation:
    """Make the missing parts. Raises BuildError with one sentence."""
    wanted = installed()
    if not (wanted.ray / COMPLETE).exists():
        _install_ray(wanted.ray, output)
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
            etcd_data.make(wanted.binaries, wanted.crds, wanted.etcd_data)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder of a Go module, whose files are read-only, atomically."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copytree(source, part, copy_function=shutil.copyfile)
    for folder in (part, *(p for p in part.rglob("*") if p.is_dir())):
        folder.chmod(0o755)
    part.replace(target)


def _install_ray(target: Path, output: TextIO) -> None:
    """Install the locked Ray environment by uv. A folder without its last file is made again."""
    uv = _uv()
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / ".ray.lock"):
        if (target / COMPLETE).exists():
            return
        free = shutil.disk_usage(target.parent).free
        if free < RAY_BYTES:
            raise BuildError(
                f"the Ray environment needs 1.5 GB, but {target.parent} has {free / 1e9:.1f} GB "
                "free: free some."
            )
        print("Installing Ray 2.49.1 (some 800 MB), once.", file=output, flush=True)
        # An environment cannot be renamed into place, so a file marks it as complete.
        shutil.rmtree(target, ignore_errors=True)
        command = [uv, "sync", "--locked", "--no-progress", "--python", sys.executable]
        # Compiled here, because otherwise each of the first pods would compile the same modules.
        command.append("--compile-bytecode")
        done = subprocess.run(
            command,
            cwd=HERE / "ray",
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(target), "VIRTUAL_ENV": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(target, ignore_errors=True)
            last = done.stderr.strip().splitlines()[-1:] or ["uv gave no message"]
            raise BuildError(f"uv could not install the Ray environment: {last[0].strip()}")
        (target / COMPLETE).touch()


def _uv() -> str:
    """The project's own uv, or the one on PATH."""
    own = CHECKOUT / ".uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if not found:
        raise BuildError("there is no `uv` to install Ray with: run `make` or `pip install uv`.")
    return found
