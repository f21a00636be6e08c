"""`Monitoring`: what collects a service's metrics, its alerts and dashboards: docs/monitoring.md.

The cluster needs the CRDs of what collects: GKE has those of Managed Prometheus, and the operator
of Prometheus brings its own. A preview that would write the first of these objects asks for them.
"""

from dataclasses import dataclass

import pulumi

from components.cluster_access import AccessOfProvider
from components.collector_hook import collector_hook
from components.google_resource import GoogleResource
from components.kubernetes_object import KubernetesObject
from manifests import MonitoringManifests
from rollouts import CollectorKinds


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is collected and shown, from `manifests.monitoring_manifests(plan)`.

    look_for_kinds: whether a preview stops if the cluster lacks the CRDs. False is for a program
    that installs the operator of Prometheus itself.
    """

    manifests: MonitoringManifests
    look_for_kinds: bool = True


class Monitoring(pulumi.ComponentResource):
    """What tells a Prometheus which pods to ask, with rules, dashboards and alert policies.

    The Kubernetes provider comes through `opts`. Let it depend on the `RayLlmService`, which makes
    the namespace. A google provider is needed for Managed Prometheus alone.

    dashboards: the names of the ConfigMaps with dashboards for Grafana.
    """

    dashboards: pulumi.Output[list[str]]

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:Monitoring", name, None, opts)
        manifests = args.manifests
        only_parent = pulumi.ResourceOptions(parent=self)
        # One object asks for all.
        first, *others = manifests.pod_monitors
        hooks = self._hook(name, manifests) if args.look_for_kinds else None
        KubernetesObject(
            f"{name}-{first['metadata']['name']}",
            first,
            pulumi.ResourceOptions(parent=self, hooks=hooks),
        )
        for manifest in (
            *others,
            manifests.rules,
            *manifests.dashboards,
            *manifests.token_check,
        ):
            KubernetesObject(f"{name}-{manifest['metadata']['name']}", manifest, only_parent)
        google = manifests.google
        if google is not None:
            for page, text in google.dashboards.items():
                GoogleResource(
                    "gcp:monitoring/dashboard:Dashboard",
                    f"{name}-{page}",
                    {"project": google.project, "dashboardJson": text},
                    only_parent,
                )
            for alert, policy in google.alert_policies.items():
                GoogleResource(
                    "gcp:monitoring/alertPolicy:AlertPolicy", f"{name}-{alert}", policy, only_parent
                )
        names = [manifest["metadata"]["name"] for manifest in manifests.dashboards]
        self.dashboards = pulumi.Output.from_input(names)
        self.register_outputs({"dashboards": self.dashboards})

    def _hook(self, name: str, manifests: MonitoringManifests) -> pulumi.ResourceHookBinding:
        kinds = dict.fromkeys(item["kind"] for item in (*manifests.pod_monitors, manifests.rules))
        return collector_hook(
            name,
            CollectorKinds(system=manifests.system, kinds=tuple(kinds)),
            AccessOfProvider.of(self.get_provider("kubernetes:core/v1:Secret")),
            self,
        )
