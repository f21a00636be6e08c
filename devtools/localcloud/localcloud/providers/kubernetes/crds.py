"""CRDs without GitHub: the same files from Go modules.

A program names the CRDs of a KubeRay release by their URLs on
raw.githubusercontent.com. The Go module proxy serves the same release as module
github.com/ray-project/kuberay/ray-operator. The files of such a URL are therefore
read from the module and kept, parsed, in the local cloud's cache.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from localcloud.providers.server import ProviderError
from localcloud.store import locked, write_atomically

MODULE: Final = "github.com/ray-project/kuberay/ray-operator"
DEFAULT_VERSION: Final = "v1.6.2"
# What GKE 1.34 has.
GATEWAY_API: Final = "sigs.k8s.io/gateway-api"
GATEWAY_API_VERSION: Final = "v1.4.0"
_GATEWAY_KINDS: Final = ("gatewayclasses", "gateways", "httproutes")
_GKE_POLICIES: Final = Path(__file__).with_name("gke_policies.yaml")
COMPUTE_CLASS: Final = Path(__file__).with_name("compute_class.yaml")
MANAGED_PROMETHEUS: Final = Path(__file__).with_name("managed_prometheus.yaml")
PROMETHEUS_OPERATOR: Final = "github.com/prometheus-operator/prometheus-operator"
PROMETHEUS_OPERATOR_VERSION: Final = "v0.85.0"
_OPERATOR_KINDS: Final = ("podmonitors", "prometheusrules")
_NAMES: Final = {
    MODULE: "KubeRay",
    GATEWAY_API: "the Gateway API",
    PROMETHEUS_OPERATOR: "the Prometheus operator",
}
_URL: Final = re.compile(
    r"https://raw\.githubusercontent\.com/ray-project/kuberay/(?P<version>v[^/]+)"
    r"/ray-operator/(?P<path>config/crd/bases/[^/]+\.yaml)"
)
_GO_TIMEOUT_SECONDS: Final = 300


def text_at(url: str, cache: Path) -> bytes:
    """The YAML text behind a URL of a KubeRay release.

    Raises ProviderError for any other URL: the local cloud has no network.
    """
    version, path = _version_and_path(url)
    return _file(version, path, cache).read_bytes()


def documents_at(url: str, cache: Path) -> list[dict[str, Any]]:
    """The YAML documents behind a URL of a KubeRay release.

    Raises ProviderError for any other URL: the local cloud has no network.
    """
    version, path = _version_and_path(url)
    parsed = cache / "kuberay" / version / f"{Path(path).stem}.json"
    if not parsed.exists():
        file = _file(version, path, cache)
        documents = [d for d in yaml.load_all(file.read_text("utf-8"), yaml.CSafeLoader) if d]
        write_atomically(parsed, json.dumps(documents))
    content: list[dict[str, Any]] = json.loads(parsed.read_text(encoding="utf-8"))
    return content


def _version_and_path(url: str) -> tuple[str, str]:
    match = _URL.fullmatch(url)
    if not match:
        msg = (
            f"the local cloud does not download {url}; it has only KubeRay's CRDs "
            f"(https://raw.githubusercontent.com/ray-project/kuberay/<version>/ray-operator/"
            "config/crd/bases/<file>.yaml)."
        )
        raise ProviderError(msg)
    return match["version"], match["path"]


def _file(version: str, path: str, cache: Path) -> Path:
    file = _module_folder(version, cache) / path
    if not file.exists():
        msg = f"KubeRay {version} has no file ray-operator/{path}."
        raise ProviderError(msg)
    return file


def kuberay_crds(cache: Path, version: str = DEFAULT_VERSION) -> list[dict[str, Any]]:
    """The CRDs of one KubeRay release, as its Helm chart or GKE's add-on installs them."""
    base = f"https://raw.githubusercontent.com/ray-project/kuberay/{version}/ray-operator"
    return [
        document
        for name in ("rayclusters", "rayjobs", "rayservices")
        for document in documents_at(f"{base}/config/crd/bases/ray.io_{name}.yaml", cache)
    ]


def gateway_crds(cache: Path) -> list[dict[str, Any]]:
    """The CRDs that GKE installs with its Gateway API: those of the API and GKE's own policies."""
    content = _parsed(
        GATEWAY_API,
        GATEWAY_API_VERSION,
        [f"config/crd/standard/gateway.networking.k8s.io_{name}.yaml" for name in _GATEWAY_KINDS],
        cache,
    )
    policies = yaml.safe_load(_GKE_POLICIES.read_text(encoding="utf-8"))
    return content + [_policy(kind, spec) for kind, spec in policies.items()]


def prometheus_operator_crds(cache: Path) -> list[dict[str, Any]]:
    """The CRDs of the Prometheus operator for what is to be collected and for rules."""
    return _parsed(
        PROMETHEUS_OPERATOR,
        PROMETHEUS_OPERATOR_VERSION,
        [
            f"example/prometheus-operator-crd/monitoring.coreos.com_{name}.yaml"
            for name in _OPERATOR_KINDS
        ],
        cache,
    )


def managed_prometheus_crds() -> list[dict[str, Any]]:
    """The CRDs of Google's Managed Service for Prometheus, which new clusters have."""
    specs = yaml.safe_load(MANAGED_PROMETHEUS.read_text(encoding="utf-8"))
    return [_crd("monitoring.googleapis.com", kind, spec) for kind, spec in specs.items()]


def compute_class_crd() -> dict[str, Any]:
    """The CRD of ComputeClasses, which every GKE cluster has."""
    definition: dict[str, Any] = yaml.safe_load(COMPUTE_CLASS.read_text(encoding="utf-8"))
    return definition


def _parsed(module: str, version: str, paths: list[str], cache: Path) -> list[dict[str, Any]]:
    """The documents of some files of a Go module, which are parsed once."""
    parsed = cache / module.rsplit("/", 1)[1] / f"{version}.json"
    if not parsed.exists():
        folder = _module(module, version, cache)
        documents = [yaml.load((folder / p).read_text("utf-8"), yaml.CSafeLoader) for p in paths]
        write_atomically(parsed, json.dumps(documents))
    content: list[dict[str, Any]] = json.loads(parsed.read_text(encoding="utf-8"))
    return content


def _policy(kind: str, default: dict[str, Any]) -> dict[str, Any]:
    """The CRD of a policy that is attached to a Service; default: the schema of `spec.default`."""
    target = {
        "type": "object",
        "required": ["group", "kind", "name"],
        "properties": {key: {"type": "string"} for key in ("group", "kind", "name", "namespace")},
    }
    spec = {"type": "object", "properties": {"default": default, "targetRef": target}}
    return _crd("networking.gke.io", kind, {**spec, "required": ["targetRef"]})


def _crd(group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The CRD of a namespaced kind; spec: the schema of `spec`."""
    schema = {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
    }
    version = {"name": "v1", "served": True, "storage": True}
    plural = _plural(kind.lower())
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def _plural(word: str) -> str:
    if word.endswith("s"):
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _module_folder(version: str, cache: Path) -> Path:
    return _module(MODULE, version, cache)


def _module(module: str, version: str, cache: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        msg = (
            f"The CRDs of {_NAMES[module]} come from its Go module, but `go` is not on PATH; "
            "install Go 1.26."
        )
        raise ProviderError(msg)
    with locked(cache / "kuberay" / ".lock"), tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [go, "mod", "download", "-json", f"{module}@{version}"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_GO_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"the Go module proxy did not answer for {_NAMES[module]} {version} in 5 minutes."
            raise ProviderError(msg) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"Error": done.stderr.strip() or "no answer"}
    if "Dir" not in answer:
        reason = str(answer.get("Error", "no answer")).splitlines()[0]
        msg = (
            f"the Go module proxy does not serve {_NAMES[module]} {version} ({reason}); "
            f"preview it with {DEFAULT_VERSION}, which it serves."
        )
        raise ProviderError(msg)
    return Path(answer["Dir"])
