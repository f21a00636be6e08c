"""`KubeRayOperator`: the operator that turns RayServices into pods, and the CRDs it reads.

Helm installs it, GKE runs it as an add-on, or it is already there. Helm installs the CRDs of a
chart once and never upgrades them. So the CRDs are separate resources here: the server applies them
before the operator, and a new version upgrades its CRDs.
"""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes_object import KubernetesObject
from models.stack import KubeRayInstall
from planning import Plan

CHART_REPOSITORY: Final = "https://ray-project.github.io/kuberay-helm/"
CRD_BASE_URL: Final = (
    "https://raw.githubusercontent.com/ray-project/kuberay/v{version}/ray-operator/config/crd/bases"
)
NAMESPACE: Final = "kuberay-system"

_INSTALL_TIMEOUT_SECONDS = 900

# The chart's 100m CPU throttle the operator as soon as it has several clusters to watch. 500 Ray
# pods need about 500 MB according to the chart's own values; requests equal limits for memory.
_RESOURCES = {
    "requests": {"cpu": "200m", "memory": "1Gi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}


@dataclass(frozen=True, kw_only=True)
class KubeRayOperatorArgs:
    """How to install the operator.

    version: of KubeRay, `1.6.2`; plain text, because it decides which CRDs there are.
    crd_base_url: the folder of the CRDs' YAML files, perhaps of a mirror; `{version}` is replaced.
    chart_repository: the Helm repository or its mirror.
    """

    version: str
    install: KubeRayInstall = KubeRayInstall.HELM
    namespace: pulumi.Input[str] = NAMESPACE
    crd_base_url: str = CRD_BASE_URL
    chart_repository: pulumi.Input[str] = CHART_REPOSITORY

    @classmethod
    def of(cls, plan: Plan) -> "KubeRayOperatorArgs":
        """The arguments that a plan asks for."""
        return cls(version=plan.release.kuberay.version, install=plan.release.install)


class KubeRayOperator(pulumi.ComponentResource):
    """KubeRay in a cluster; depend on it before creating a RayService.

    version: what this component installed; empty if it installed nothing (the add-on, or an
        operator that is already there).
    """

    version: pulumi.Output[str]

    def __init__(
        self, name: str, args: KubeRayOperatorArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:KubeRayOperator", name, None, opts)
        if args.install is KubeRayInstall.HELM:
            release = self._helm_release(name, args)
            self.version = release.version.apply(lambda version: version or args.version)
        else:
            self.version = pulumi.Output.from_input("")
        self.register_outputs({"version": self.version})

    def _helm_release(self, name: str, args: KubeRayOperatorArgs) -> kubernetes.helm.v3.Release:
        namespace = KubernetesObject(
            f"{name}-namespace",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": args.namespace}},
            pulumi.ResourceOptions(parent=self),
        )
        crds = kubernetes.yaml.v2.ConfigGroup(
            f"{name}-crds",
            files=crd_urls(args.version, args.crd_base_url),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return kubernetes.helm.v3.Release(
            f"{name}-operator",
            kubernetes.helm.v3.ReleaseArgs(
                name="kuberay-operator",
                chart="kuberay-operator",
                version=args.version,
                repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=args.chart_repository),
                namespace=args.namespace,
                skip_crds=True,
                # A failed upgrade is rolled back and not left half done.
                atomic=True,
                cleanup_on_fail=True,
                timeout=_INSTALL_TIMEOUT_SECONDS,
                values={"resources": _RESOURCES},
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[namespace, crds]),
        )


def crd_urls(version: str, base_url: str = CRD_BASE_URL) -> list[str]:
    """The YAML files of all CRDs of a KubeRay release, one CRD a file."""
    kinds = ["rayclusters", "rayjobs", "rayservices"]
    if _minor(version) >= (1, 6):
        kinds.append("raycronjobs")
    base = base_url.format(version=version).rstrip("/")
    return [f"{base}/ray.io_{kind}.yaml" for kind in sorted(kinds)]


def _minor(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)
