"""`RayLlmService`: models that serve, in a namespace of any cluster with KubeRay.

Creation and every update end when the smoke test has asked every model. KubeRay's Ready condition
cannot be used instead: after an edit it keeps its old value, and if one model of a new service
fails it never becomes true and does not name the model.

The smoke test also repairs what interrupted updates and KubeRay's rewriting of a cluster leave:
manifests/smoke_test/script/repairs.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi

from components.cluster_access import AccessOfProvider
from components.explained_record import explained_record
from components.kubernetes_object import COPIED_ANNOTATIONS, KubernetesObject, with_annotations
from components.rollout_hook import RolloutHooks
from components.weights_bucket import WeightsBucket, WeightsBucketArgs
from manifests import (
    SMOKE_TEST_DEADLINE_SECONDS,
    Manifest,
    ServiceManifests,
    SmokeTestManifests,
    WeightsManifests,
)
from rollouts import access_sentences, canary_problem, joined

SEEN_TIMEOUT_SECONDS: Final = 600
"""How long KubeRay may take to look at a new RayService, even if its operator is restarting."""

ANSWER_TIMEOUT_SECONDS: Final = SMOKE_TEST_DEADLINE_SECONDS + 300
"""How long the models may take to answer: nodes, an image of some 10 GB, weights, CUDA graphs.

It is longer than the Job's own limit, so that the Job ends the wait and says what is wrong.
"""

FILL_MARGIN_SECONDS: Final = 300
"""How much longer than the Job that fills a bucket the wait for it is, so that the Job ends it."""

_RAY_SERVICE_ANNOTATIONS: Final = {
    # Only that KubeRay has seen the object and works on it. condition=Ready would keep the smoke
    # test, which says what is wrong, from starting.
    "pulumi.com/waitFor": "jsonpath={.status.conditions[0].type}",
    "pulumi.com/timeoutSeconds": str(SEEN_TIMEOUT_SECONDS),
    # A schedule that scales models to zero patches serveConfigV2 as another field manager; without
    # force the next `up` would stop at the conflict.
    "pulumi.com/patchForce": "true",
}


@dataclass(frozen=True, kw_only=True)
class RayLlmServiceArgs:
    """What to serve, and the token that it needs.

    manifests: the objects of the service, from `manifests.service_manifests(plan)` or, without a
        plan of a whole stack, from `components.service_or_stop`.
    hugging_face_token: required if `manifests.needs_hugging_face_token`; it is stored in a Secret
        and nowhere else.
    create_namespace: False if the namespace exists and somebody else owns it.
    """

    manifests: ServiceManifests
    hugging_face_token: pulumi.Input[str] | None = None
    create_namespace: bool = True


class RayLlmService(pulumi.ComponentResource):
    """A RayService with its token, its readable LLM configs and its smoke test.

    The Kubernetes provider comes through `opts`; Google's is needed for a bucket of weights alone.
    Give the former `enable_secret_mutable` and `enable_config_map_mutable`, which are off by
    default: without them a changed token or LLM config deletes its object and makes another one,
    and a worker that starts in between has none. `GkeCluster.provider` has them. Two services of
    one cluster need two namespaces, because GPU workers find the token by the Secret's name.

    endpoints: the OpenAI base URL of each served name: inside the cluster, or at the gateway.
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
        manifests = args.manifests
        if manifests.needs_hugging_face_token and args.hugging_face_token is None:
            raise ValueError(
                f"RayLlmService {name}: the plan counts on a Hugging Face token and none is given. "
                "Pass hugging_face_token, as a secret."
            )
        namespace: list[pulumi.Resource] = []
        if args.create_namespace:
            only_parent = pulumi.ResourceOptions(parent=self)
            namespace.append(
                KubernetesObject(f"{name}-namespace", manifests.namespace, only_parent)
            )
        in_namespace = pulumi.ResourceOptions(parent=self, depends_on=namespace)
        configs: list[pulumi.Resource] = [
            KubernetesObject(f"{name}-{item['metadata']['name']}", item, in_namespace)
            for item in manifests.config_maps
        ]
        if args.hugging_face_token is not None:
            configs.append(self._secret(name, manifests, args.hugging_face_token, namespace))
        configs += self._external_secrets(name, manifests, namespace)
        if manifests.weights is not None:
            configs += self._weights(name, manifests.weights, [*namespace, *configs])
        KubernetesObject(f"{name}-head-budget", manifests.head_disruption_budget, in_namespace)
        # Before the pods that choose them: GKE finds no node for a class that it does not know.
        configs += [
            KubernetesObject(
                f"{name}-{item['metadata']['name']}-compute-class",
                item,
                pulumi.ResourceOptions(parent=self),
            )
            for item in manifests.compute_classes
        ]
        hooks = self._hooks(manifests)
        # A stack without a gateway has this record too: otherwise nothing would be said of one that
        # goes, because a record that is deleted with it is not told what comes.
        way_in = explained_record(
            f"{name}-access",
            manifests.access_fields,
            self,
            lambda old, new: joined(access_sentences(old, new)),
            canary_problem,
        )
        before = [*namespace, *configs, way_in]
        service = self._ray_service(name, manifests.ray_service, hooks, before)
        self._smoke_test(name, manifests.smoke_test, hooks, namespace, service)

        access = manifests.access
        self.endpoints = pulumi.Output.from_input(access.endpoints)
        self.port_forward = pulumi.Output.from_input(access.port_forward)
        self.first_curl = pulumi.Output.from_input(access.first_curl)
        self.dashboard = pulumi.Output.from_input(access.dashboard)
        self.register_outputs(
            {
                "endpoints": self.endpoints,
                "portForward": self.port_forward,
                "firstCurl": self.first_curl,
                "dashboard": self.dashboard,
            }
        )

    def _secret(
        self,
        name: str,
        manifests: ServiceManifests,
        token: pulumi.Input[str],
        after: Sequence[pulumi.Resource],
    ) -> pulumi.Resource:
        return KubernetesObject(
            f"{name}-hugging-face-token",
            manifests.hugging_face_secret,
            pulumi.ResourceOptions(parent=self, depends_on=after),
            values={"stringData": {manifests.token_key: pulumi.Output.secret(token)}},
            # The API server answers with the token in `data`, whatever was sent.
            secret_outputs=("data", "stringData"),
        )

    def _external_secrets(
        self, name: str, manifests: ServiceManifests, after: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        """What copies secrets from elsewhere; `up` waits until each has been copied once."""
        made: list[pulumi.Resource] = []
        for manifest in manifests.external_secrets:
            kind = manifest["kind"]
            copies = kind == "ExternalSecret"
            made.append(
                KubernetesObject(
                    f"{name}-{manifest['metadata']['name']}-{kind.lower()}",
                    manifest,
                    pulumi.ResourceOptions(parent=self, depends_on=[*after, *made]),
                    annotations=COPIED_ANNOTATIONS if copies else None,
                )
            )
        return made

    def _weights(
        self, name: str, manifests: WeightsManifests, after: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        """The bucket, who reads and fills it, and the Job that fills it before anybody reads.

        after: the token with which gated weights are fetched, among others.
        """
        bucket = WeightsBucket(
            f"{name}-weights",
            WeightsBucketArgs(manifests=manifests),
            pulumi.ResourceOptions(parent=self),
        )
        opts = pulumi.ResourceOptions(parent=self, depends_on=[bucket, *after])
        made: list[pulumi.Resource] = [
            KubernetesObject(f"{name}-{manifest['metadata']['name']}", manifest, opts)
            for manifest in manifests.service_accounts
        ]
        if manifests.job is None:
            return made
        script = KubernetesObject(f"{name}-fill-weights-script", manifests.script, opts)
        seconds = manifests.deadline_seconds + FILL_MARGIN_SECONDS
        job = KubernetesObject(
            f"{name}-fill-weights",
            manifests.job,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[bucket, *after, *made, script],
                delete_before_replace=True,
                custom_timeouts=_timeouts(seconds),
            ),
            annotations=_job_annotations(seconds),
        )
        return [*made, job]

    def _hooks(self, manifests: ServiceManifests) -> RolloutHooks:
        return RolloutHooks(
            owner=self,
            access=AccessOfProvider.of(self.get_provider("kubernetes:core/v1:Namespace")),
            manifest=manifests.rollout,
            ray_service=with_annotations(manifests.ray_service, _RAY_SERVICE_ANNOTATIONS),
            kuberay=manifests.kuberay,
            names_release=manifests.names_ray_release,
            room=manifests.room,
        )

    def _ray_service(
        self,
        name: str,
        manifest: Manifest,
        hooks: RolloutHooks,
        after: Sequence[pulumi.Resource],
    ) -> pulumi.Resource:
        record = hooks.record(name, self)
        return KubernetesObject(
            f"{name}-ray-service",
            manifest,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[*after, record],
                hooks=hooks.of_ray_service(f"{name}-ray-service"),
                custom_timeouts=_timeouts(SEEN_TIMEOUT_SECONDS),
            ),
            annotations=_RAY_SERVICE_ANNOTATIONS,
        )

    def _smoke_test(
        self,
        name: str,
        manifests: SmokeTestManifests,
        hooks: RolloutHooks,
        namespace: Sequence[pulumi.Resource],
        service: pulumi.Resource,
    ) -> None:
        in_namespace = pulumi.ResourceOptions(parent=self, depends_on=namespace)
        script = KubernetesObject(f"{name}-smoke-test-script", manifests.script, in_namespace)
        access = [
            KubernetesObject(f"{name}-smoke-test", manifest, _formerly(name, in_namespace))
            for manifest in (manifests.service_account, manifests.role, manifests.role_binding)
        ]
        # The Job's name is a hash of what it tests, so a changed configuration is a new Job. The
        # old one is deleted first, because its result no longer matters.
        opts = pulumi.ResourceOptions(
            parent=self,
            depends_on=[service, script, *access],
            delete_before_replace=True,
            hooks=hooks.of_smoke_test(f"{name}-smoke-test"),
            custom_timeouts=_timeouts(ANSWER_TIMEOUT_SECONDS),
        )
        KubernetesObject(
            f"{name}-smoke-test",
            manifests.job,
            _formerly(name, opts),
            annotations=_job_annotations(ANSWER_TIMEOUT_SECONDS),
        )


def _job_annotations(seconds: int) -> dict[str, str]:
    """How Pulumi waits for a Job, for so long, and replaces it."""
    return {
        "pulumi.com/timeoutSeconds": str(seconds),
        # A failed Job stays failed; the next `up` replaces it.
        "pulumi.com/replaceUnready": "true",
        # An `up` that is killed while it waits leaves the Job in the cluster, but not in the state.
        # The next `up` applies it as another field manager, and by then the API server has added
        # defaults to podFailurePolicy.rules: without force our value would conflict in every `up`
        # from then on.
        "pulumi.com/patchForce": "true",
        # The Job is deleted at once, its pod after it. Otherwise the provider waits for an event,
        # and an outage of the API server can swallow that.
        "pulumi.com/deletionPropagationPolicy": "background",
    }


def _formerly(name: str, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """`opts` for a resource that stacks have in their state under the smoke test's former name.

    With the alias Pulumi deletes the old Job before the new one starts.
    """
    alias = pulumi.Alias(name=f"{name}-ask-models")
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[alias]))


def _timeouts(seconds: int) -> pulumi.CustomTimeouts:
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s", delete="20m")
