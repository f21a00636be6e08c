"""`OffHours`: the schedule that lets the models of a service sleep, in the cluster itself.

Every few minutes a pod of a CronJob compares the RayService with what the hour wants, and changes
the least numbers of replicas in it: docs/off-hours.md.
"""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from manifests import OffHoursManifests


@dataclass(frozen=True, kw_only=True)
class OffHoursArgs:
    """What the schedule consists of, from `manifests.service_manifests(plan).off_hours`."""

    manifests: OffHoursManifests


class OffHours(pulumi.ComponentResource):
    """The CronJob with its script and its rights.

    The Kubernetes provider comes through `opts`. Let it depend on the `RayLlmService`, which makes
    the namespace and says in the RayService which models sleep when.

    cron_job: the CronJob's name; `kubectl patch` with `spec.suspend` keeps models as they are.
    """

    cron_job: pulumi.Output[str]

    def __init__(
        self, name: str, args: OffHoursArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:OffHours", name, None, opts)
        manifests = args.manifests
        only_parent = pulumi.ResourceOptions(parent=self)
        before: list[pulumi.Resource] = [
            KubernetesObject(f"{name}-{part}", manifest, only_parent)
            for part, manifest in (
                ("script", manifests.script),
                ("account", manifests.service_account),
                ("role", manifests.role),
                ("role-binding", manifests.role_binding),
            )
        ]
        KubernetesObject(
            f"{name}-cron-job",
            manifests.cron_job,
            pulumi.ResourceOptions(parent=self, depends_on=before),
        )
        self.cron_job = pulumi.Output.from_input(str(manifests.cron_job["metadata"]["name"]))
        self.register_outputs({"cronJob": self.cron_job})
