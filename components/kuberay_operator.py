"""`KubeRayOperator`: the operator that turns RayServices into pods, and the CRDs it reads.

Helm installs it, GKE runs it as an add-on, or it is already there. With Helm the CRDs come first
(components/kuberay_crds.py), and a new version upgrades its CRDs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.explained_record import explained_record
from components.kuberay_crds import CRD_SOURCE, KubeRayCrds
from components.kubernetes_object import KubernetesObject, with_plugin
from manifests import OPERATOR_NAMESPACE
from models.mirror import in_mirror
from models.stack import KubeRayInstall
from planning import Plan
from rollouts import operator_fields, operator_sentence

CHART_REPOSITORY: Final = "https://ray-project.github.io/kuberay-helm/"
_CHART: Final = "kuberay-operator"
_IMAGE: Final = "quay.io/kuberay/operator"

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
    keep_crds: whether the CRDs, and so all RayServices of the cluster, outlive the operator.
    crd_source: the folder of the CRDs' YAML files, a URL or a path; `{version}` is replaced.
    chart_source: a Helm repository (`https://`), an OCI registry's folder (`oci://`), or the path
        of the chart's folder or archive.
    image: the operator's, without its tag; None for the chart's own.
    """

    version: str
    install: KubeRayInstall = KubeRayInstall.HELM
    namespace: pulumi.Input[str] = OPERATOR_NAMESPACE
    keep_crds: bool = True
    crd_source: str = CRD_SOURCE
    chart_source: str = CHART_REPOSITORY
    image: str | None = None

    @classmethod
    def of(cls, plan: Plan) -> "KubeRayOperatorArgs":
        """The arguments that a plan asks for."""
        mirror = plan.release.mirror
        chart = CHART_REPOSITORY if mirror is None else f"oci://{mirror}"
        return cls(
            version=plan.release.kuberay.version,
            install=plan.release.install,
            keep_crds=plan.kube_ray.keep_crds,
            crd_source=plan.kube_ray.crd_source or CRD_SOURCE,
            chart_source=plan.kube_ray.chart_source or chart,
            image=None if mirror is None else in_mirror(_IMAGE, mirror),
        )


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
        explained_record(
            f"{name}-record",
            operator_fields(args.install, args.version),
            self,
            operator_sentence,
        )
        if args.install is KubeRayInstall.HELM:
            release = self._helm_release(name, args)
            self.version = release.version.apply(lambda version: version or args.version)
        else:
            KubeRayCrds(version=None, namespace=args.namespace).records(name, self)
            self.version = pulumi.Output.from_input("")
        self.register_outputs({"version": self.version})

    def _helm_release(self, name: str, args: KubeRayOperatorArgs) -> "_Release":
        namespace = KubernetesObject(
            f"{name}-namespace",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": args.namespace}},
            pulumi.ResourceOptions(parent=self),
        )
        crds = KubeRayCrds(
            version=args.version,
            source=args.crd_source,
            namespace=args.namespace,
            keep=args.keep_crds,
        ).records(name, self, namespace)
        return _Release(
            f"{name}-operator",
            {
                **_chart(args.chart_source),
                "name": "kuberay-operator",
                "version": args.version,
                "namespace": args.namespace,
                "skipCrds": True,
                # A failed upgrade is rolled back and not left half done.
                "atomic": True,
                "cleanupOnFail": True,
                "timeout": _INSTALL_TIMEOUT_SECONDS,
                "values": {"resources": _RESOURCES, **_image(args)},
            },
            pulumi.ResourceOptions(parent=self, depends_on=[namespace, *crds]),
        )


class _Release(pulumi.CustomResource):
    """A Helm release, as `kubernetes.helm.v3.Release` of the SDK.

    To import the SDK's class takes two fifths of a second, because its module imports the classes
    of every kind of object that a chart may have.
    """

    version: pulumi.Output[str | None]

    def __init__(
        self, name: str, values: Mapping[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__(
            "kubernetes:helm.sh/v3:Release",
            name,
            {"compat": "true", **values},
            with_plugin(opts),
        )


def _image(args: KubeRayOperatorArgs) -> dict[str, Any]:
    """The chart's values for another image; empty for its own."""
    if args.image is None:
        return {}
    return {"image": {"repository": args.image, "tag": f"v{args.version}"}}


def _chart(source: str) -> dict[str, Any]:
    """The chart as Helm takes it, and the repository if it is a name in one."""
    if source.startswith("oci://"):
        return {"chart": f"{source.rstrip('/')}/{_CHART}"}
    if "://" in source:
        return {"chart": _CHART, "repositoryOpts": {"repo": source}}
    return {"chart": source}
