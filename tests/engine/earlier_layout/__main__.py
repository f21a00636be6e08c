"""The program as it was until November 2026: KubeRay's CRDs are resources of their own.

Everything else is the program of today. Tests deploy this one first and then today's, which has to
take the CRDs over from the state.
"""

import runpy
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

import components
from components.kubernetes_object import KubernetesObject

_BASE = "https://raw.githubusercontent.com/ray-project/kuberay/v{version}/ray-operator/config/crd"


class KubeRayOperator(pulumi.ComponentResource):
    """The earlier component, with the names that its resources had."""

    def __init__(
        self,
        name: str,
        args: components.KubeRayOperatorArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ray-llm:index:KubeRayOperator", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = KubernetesObject(
            f"{name}-namespace",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": args.namespace}},
            child,
        )
        minor = int(args.version.split(".")[1])
        kinds = ["rayclusters", "rayjobs", "rayservices", *(["raycronjobs"] if minor >= 6 else [])]
        base = _BASE.format(version=args.version)
        crds = kubernetes.yaml.v2.ConfigGroup(
            f"{name}-crds",
            files=[f"{base}/bases/ray.io_{kind}.yaml" for kind in sorted(kinds)],
            opts=child,
        )
        release = kubernetes.helm.v3.Release(
            f"{name}-operator",
            name="kuberay-operator",
            chart="kuberay-operator",
            version=args.version,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(
                repo="https://ray-project.github.io/kuberay-helm/"
            ),
            namespace=args.namespace,
            skip_crds=True,
            atomic=True,
            cleanup_on_fail=True,
            timeout=900,
            values={
                "resources": {
                    "requests": {"cpu": "200m", "memory": "1Gi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                }
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace, crds]),
        )
        self.version = release.version
        self.register_outputs({"version": self.version})


components.KubeRayOperator = KubeRayOperator  # type: ignore[misc, assignment]
runpy.run_path(str(Path(__file__).parents[3] / "__main__.py"), run_name="__main__")
