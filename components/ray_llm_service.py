"""`RayLlmService`: the models of a plan, serving, in a namespace of any cluster with KubeRay.

Creation and every update end when a Job has asked every model. KubeRay's Ready is no measure of
that: after an edit it is still true from before, and while one model of a new service cannot
start it never comes and says nothing of which one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.service_access import (
    dashboard_command,
    endpoints,
    first_curl_command,
    port_forward_command,
)
from manifests.config_maps import config_maps
from manifests.hugging_face_secret import hugging_face_secret
from manifests.namespace import namespace
from manifests.ray_service import ray_service
from manifests.smoke_test.job import (
    ACTIVE_DEADLINE_SECONDS,
    ask_models_access,
    ask_models_job,
    asked_by,
)
from planning import Plan

SEEN_TIMEOUT_SECONDS: Final = 600
"""For KubeRay to look at a new RayService, also where its operator is just being restarted."""

ANSWER_TIMEOUT_SECONDS: Final = ACTIVE_DEADLINE_SECONDS + 300
"""For every model to answer: nodes, an image of some 10 GB, weights, CUDA graphs.

Longer than the Job gives itself, so that its own words end the wait and not Pulumi's patience.
"""


@dataclass(frozen=True, kw_only=True)
class RayLlmServiceArgs:
    """What to serve and where.

    hugging_face_token: needed where the plan has one; stored in a Secret and nowhere else.
    create_namespace: False where the plan's namespace is already there and somebody else's.
    """

    plan: Plan
    hugging_face_token: pulumi.Input[str] | None = None
    create_namespace: bool = True


class RayLlmService(pulumi.ComponentResource):
    """A RayService with its token, its readable configs and the check that every model answers.

    The Kubernetes provider comes through `opts`. Two services of one cluster need two namespaces,
    because GPU workers find the token by the Secret's name.

    endpoints: the OpenAI base URL of each served name, inside the cluster.
    port_forward, first_curl, dashboard: shell commands for a first look from outside.
    """

    endpoints: pulumi.Output[Mapping[str, str]]
    port_forward: pulumi.Output[str]
    first_curl: pulumi.Output[str]
    dashboard: pulumi.Output[str]

    def __init__(
        self, name: str, args: RayLlmServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:RayLlmService", name, None, opts)
        plan = args.plan
        if plan.has_hugging_face_token and args.hugging_face_token is None:
            raise ValueError(
                f"RayLlmService {name}: the plan counts on a Hugging Face token and none is given. "
                "Pass hugging_face_token, as a secret."
            )
        home = self._namespace(name, args)
        configs: list[pulumi.Resource] = [*self._config_maps(name, plan, home)]
        if args.hugging_face_token is not None:
            configs.append(self._token(name, plan, args.hugging_face_token, home))
        service = self._ray_service(name, plan, [*home, *configs])
        self._every_model_answers(name, plan, home, service)

        self.endpoints = pulumi.Output.from_input(endpoints(plan))
        self.port_forward = pulumi.Output.from_input(port_forward_command(plan))
        self.first_curl = pulumi.Output.from_input(first_curl_command(plan))
        self.dashboard = pulumi.Output.from_input(dashboard_command(plan))
        self.register_outputs(
            {
                "endpoints": self.endpoints,
                "portForward": self.port_forward,
                "firstCurl": self.first_curl,
                "dashboard": self.dashboard,
            }
        )

    def _namespace(self, name: str, args: RayLlmServiceArgs) -> list[pulumi.Resource]:
        if not args.create_namespace:
            return []
        manifest = namespace(args.plan)
        return [
            kubernetes.core.v1.Namespace(
                f"{name}-namespace",
                metadata=manifest["metadata"],
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]

    def _token(
        self,
        name: str,
        plan: Plan,
        token: pulumi.Input[str],
        home: list[pulumi.Resource],
    ) -> kubernetes.core.v1.Secret:
        manifest = hugging_face_secret(plan, pulumi.Output.secret(token))
        return kubernetes.core.v1.Secret(
            f"{name}-hugging-face-token",
            metadata=manifest["metadata"],
            type=manifest["type"],
            string_data=manifest["stringData"],
            opts=pulumi.ResourceOptions(parent=self, depends_on=home),
        )

    def _config_maps(
        self, name: str, plan: Plan, home: list[pulumi.Resource]
    ) -> list[kubernetes.core.v1.ConfigMap]:
        return [
            kubernetes.core.v1.ConfigMap(
                f"{name}-{manifest['metadata']['name']}",
                metadata=manifest["metadata"],
                data=manifest["data"],
                opts=pulumi.ResourceOptions(parent=self, depends_on=home),
            )
            for manifest in config_maps(plan)
        ]

    def _ray_service(
        self, name: str, plan: Plan, after: list[pulumi.Resource]
    ) -> kubernetes.apiextensions.CustomResource:
        manifest = ray_service(plan)
        return kubernetes.apiextensions.CustomResource(
            f"{name}-ray-service",
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=_annotated(
                manifest["metadata"],
                {
                    **asked_by(plan),
                    # Not condition=Ready, which would keep the Job from saying what is wrong: only
                    # that KubeRay has seen the object and is at work on it.
                    "pulumi.com/waitFor": "jsonpath={.status.conditions[0].type}",
                    "pulumi.com/timeoutSeconds": str(SEEN_TIMEOUT_SECONDS),
                    # A schedule that puts models to sleep patches serveConfigV2 under a name of
                    # its own; without force the next `up` would stop at the conflict.
                    "pulumi.com/patchForce": "true",
                },
            ),
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                custom_timeouts=_timeouts(SEEN_TIMEOUT_SECONDS),
            ),
        )

    def _access(self, name: str, plan: Plan, home: list[pulumi.Resource]) -> list[pulumi.Resource]:
        account, role, binding = ask_models_access(plan)
        opts = pulumi.ResourceOptions(parent=self, depends_on=home)
        return [
            kubernetes.core.v1.ServiceAccount(
                f"{name}-ask-models", metadata=account["metadata"], opts=opts
            ),
            kubernetes.rbac.v1.Role(
                f"{name}-ask-models", metadata=role["metadata"], rules=role["rules"], opts=opts
            ),
            kubernetes.rbac.v1.RoleBinding(
                f"{name}-ask-models",
                metadata=binding["metadata"],
                role_ref=binding["roleRef"],
                subjects=binding["subjects"],
                opts=opts,
            ),
        ]

    def _every_model_answers(
        self, name: str, plan: Plan, home: list[pulumi.Resource], service: pulumi.Resource
    ) -> None:
        access = self._access(name, plan, home)
        # The Job is named after what it asks about, so a changed configuration is a new Job. The
        # old one goes first: it has nothing left to say.
        manifest = ask_models_job(plan)
        kubernetes.batch.v1.Job(
            f"{name}-ask-models",
            metadata=_annotated(
                manifest["metadata"],
                {
                    "pulumi.com/timeoutSeconds": str(ANSWER_TIMEOUT_SECONDS),
                    # A Job that has failed stays failed; the next `up` asks again.
                    "pulumi.com/replaceUnready": "true",
                    # An `up` that is killed while it waits leaves the Job in the cluster, not in
                    # the state. The next one applies it again as another field manager, and the
                    # API server has put defaults into podFailurePolicy.rules by then: without
                    # force our value is a conflict there, in every `up` from then on.
                    "pulumi.com/patchForce": "true",
                    # Gone at once, its pod after it. The provider would wait for an event that an
                    # outage of the API server swallows, for as long as the models may take.
                    "pulumi.com/deletionPropagationPolicy": "background",
                },
            ),
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[service, *access],
                delete_before_replace=True,
                custom_timeouts=_timeouts(ANSWER_TIMEOUT_SECONDS),
            ),
        )


def _timeouts(seconds: int) -> pulumi.CustomTimeouts:
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s", delete="20m")


def _annotated(metadata: Mapping[str, Any], annotations: Mapping[str, str]) -> Any:
    """Metadata of a manifest with what Pulumi's provider is told through annotations."""
    return {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}
