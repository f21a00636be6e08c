"""Each diagnosis on a constructed snapshot, with the words of those who report such a failure.

A near miss beside each kind shows that the rule is quiet where nothing is wrong.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from diagnosis import CATALOGUE, EngineLoad, Finding, Gravity, Part, Snapshot, Unseen, diagnose
from manifests import schedule_of
from manifests.off_hours.script.minima import with_minima
from models.capacity import Buying
from models.stack import KubeRayInstall
from planning import BucketPlan, OffHoursPlan, Plan, WayPlan, WeightsPlan
from tests.diagnosis.snapshots import (
    ACTOR,
    CLUSTER,
    HEAD,
    NOW,
    WORKER,
    ago,
    changed,
    container,
    definition,
    event,
    failing,
    node,
    operator,
    pending,
    pod,
    replica,
    small_plan,
    well,
    with_pod,
)
from tests.manifests.plans import pool as pool_plan
from tests.manifests.test_off_hours import window

SECOND = "llm-serving-fghij"
# kube-scheduler's words (FailedScheduling).
NO_NODE = (
    "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) didn't match Pod's node "
    "affinity/selector. preemption: 0/2 nodes are available: 2 Preemption is not helpful for "
    "scheduling."
)
# https://github.com/huggingface/Google-Cloud-Containers/issues/126
QUOTA = (
    "Node scale up in zones us-central1-c associated with this pod failed: GCE quota exceeded. Pod "
    "is at risk of not being scheduled."
)
# As above, of the other cause that GKE's documentation names:
# https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-autoscaler-visibility
STOCK_OUT = (
    "Node scale up in zones us-central1-a associated with this pod failed: GCE out of resources. "
    "Pod is at risk of not being scheduled."
)
NO_ADDRESSES = (
    "Node scale up in zones us-central1-a associated with this pod failed: IP space exhausted. Pod "
    "is at risk of not being scheduled."
)
# https://github.com/kubernetes/autoscaler/issues/5692
MAXIMUM = (
    "pod didn't trigger scale-up: 12 node(s) didn't match Pod's node affinity/selector, 3 max node "
    "group size reached"
)
# https://github.com/2i2c-org/infrastructure/issues/2185
BACKOFF = (
    "pod didn't trigger scale-up: 1 node(s) didn't match Pod's node affinity/selector, 1 in "
    "backoff after failed scale-up"
)
TAINT = (
    "pod didn't trigger scale-up: 2 node(s) didn't match Pod's node affinity/selector, 1 node(s) "
    "had untolerated taint {team: search}"
)
TOO_LARGE = (
    "pod didn't trigger scale-up: 2 node(s) didn't match Pod's node affinity/selector, 1 "
    "Insufficient cpu"
)
NO_CLAIM = 'persistentvolumeclaim "vllm-cache" not found'
NO_VOLUME = "pod has unbound immediate PersistentVolumeClaims"
ZONE = "pod didn't trigger scale-up: 3 node(s) had volume node affinity conflict"
NO_POOL = "pod didn't trigger scale-up: 4 node(s) didn't match Pod's node affinity/selector"
# https://github.com/modelscope/FunASR/issues/2973 and torch's source.
DRIVER = (
    "RuntimeError: The NVIDIA driver on your system is too old (found version 12080). Please "
    "update your GPU driver by downloading and installing a new version"
)
# https://github.com/NVIDIA/nvidia-container-toolkit/issues/152 and nvidia-docker#1442
CONTAINER_DRIVER = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "
    "create failed: nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, "
    "please update your driver to a newer version, or use an earlier cuda container: unknown"
)
# kubelet 1.36 (pkg/kubelet/images/image_manager.go) with containerd's words.
IMAGE = (
    'Back-off pulling image "acme/ray:9": ErrImagePull: rpc error: code = NotFound desc = failed '
    'to pull and unpack image "docker.io/acme/ray:9": failed to resolve reference '
    '"docker.io/acme/ray:9": docker.io/acme/ray:9: not found'
)
# The following are of a real vLLM 0.29.0 behind Ray 2.60.0 (tests/real_engine/refusals.yaml).
ELSEWHERE = (
    "The deployment failed to start 3 times in a row. Error:\n"
    f"ray::ServeReplica:chat:LLMServer:chat.initialize_and_get_metadata() (pid=7, ip=10.0.0.9, "
    f"actor_id={ACTOR}, repr=<ray.serve._private.replica.ServeReplica object>)\n"
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): "
    "{'EngineCore': 1}"
)
SMALL_CACHE = (
    "(EngineCore pid=7) ERROR 11-29 11:50:11 [core.py:1350] ValueError: To serve at least one "
    "request with the model's max seq len (8192), (0.0 GiB KV cache is needed, which is larger "
    "than the available KV cache memory (0.0 GiB). Based on the available memory, the estimated "
    "maximum model length is 128. Try increasing `gpu_memory_utilization`"
)
LONG_CONTEXT = (
    "RuntimeError: Failed to create vLLM engine config: 1 validation error for ModelConfig\n"
    "  Value error, User-specified max_model_len (9999999) is greater than the derived "
    "max_model_len (max_position_embeddings=262144.0 or model_max_length=None in model's "
    "config.json). [type=value_error, input_value=ArgsKwargs((), {}), input_type=ArgsKwargs]\n"
    "    For further information visit https://errors.pydantic.dev/2.14/v/value_error"
)
DTYPE = (
    "RuntimeError: Failed to create vLLM engine config: 1 validation error for ModelConfig\n"
    "dtype.literal['auto','half']\n"
    "  Input should be 'auto' or 'half' [type=literal_error, input_value='float8', input_type=str]"
)
UNKNOWN_ARGUMENT = "ValueError: Unknown engine argument: no_such_argument"
NOT_QUANTIZED = (
    "RuntimeError: Failed to create vLLM engine config: 1 validation error for VllmConfig\n"
    "  Value error, Cannot find the config file for awq [type=value_error, input_value=ArgsKwargs("
    "(), {}), input_type=ArgsKwargs]"
)
GATED = (
    "RuntimeError: Failed to create vLLM engine config: You are trying to access a gated repo.\n"
    "Make sure to have access to it at https://huggingface.co/acme/gated.\n403 Client Error.\n\n"
    "Access to model acme/gated is restricted and you are not in the list."
)
# Ray Serve 2.60.0, of a replica whose node was taken away.
UNHEALTHY = (
    "A replica's health check failed. This deployment will be UNHEALTHY until the replica recovers "
    "or a new deploy happens."
)
NO_REPOSITORY = (
    "RuntimeError: Failed to create vLLM engine config: acme/missing is not a local folder and is "
    "not a valid model identifier listed on 'https://huggingface.co/models'"
)
NO_WEIGHTS = "RuntimeError: Cannot find any model weights with `acme/MODEL`"
NO_HUB = (
    "RuntimeError: Failed to create vLLM engine config: We couldn't connect to "
    "'https://huggingface.co' to load the files, and couldn't find them in the cached files."
)
# Quoted in vllm-project/vllm#22231 and #23050, and of vLLM's v1/worker/utils.
ARCHITECTURE = (
    "ValueError: Model architectures ['Qwen3ForCausalLM'] are not supported for now. Supported "
    "architectures: ['LlamaForCausalLM']"
)
NO_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
NO_CACHE = (
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` "
    "when initializing the engine."
)
DISK = "OSError: [Errno 28] No space left on device"
NAME = (
    "requests.exceptions.ConnectionError: HTTPSConnectionPool: Max retries exceeded "
    "(Caused by NameResolutionError: Temporary failure in name resolution)"
)
# ray-operator 1.6.2: controllers/ray/rayservice_controller.go and dashboard_httpclient.go.
REFUSED = (
    f"Fail to create / update Serve applications for RayCluster ai/{CLUSTER}: UpdateDeployments "
    "fail: 400 Bad Request ValidationError: Found duplicate applications for route prefix"
)


class Example(NamedTuple):
    """What is wrong, and what is found: rule, subject, and the setting or the command."""

    snapshot: Snapshot
    rule: str
    subject: str
    mend: str
    plan: Plan = small_plan()


def waiting(message: str, reason: str = "", text: str = "", **spans: float) -> Snapshot:
    """The worker without a node, perhaps with an event of the autoscaler."""
    snapshot = well()
    stays = pending(snapshot.pods[1], message, **(spans or {"minutes": 20}))
    events = (event(reason, text, "Pod", WORKER),) if reason else ()
    return replace(with_pod(snapshot, WORKER, stays), events=events, nodes=())


def two_pools(*placed: str) -> Plan:
    """Two pools of L4s; placed: where `chat` and `rare` are."""
    plan = small_plan()
    more = pool_plan("l4-x2")
    models = tuple(
        replace(model, pool=pool) for model, pool in zip(plan.models, placed, strict=True)
    )
    return replace(plan, models=models, pools=(*plan.pools, more))


def cached(claim: str) -> Plan:
    """The small plan, whose pool keeps in this claim what its engines compile."""
    plan = small_plan()
    return replace(plan, pools=(replace(plan.pools[0], compile_cache=claim),))


def lost(**replicas: Any) -> Snapshot:
    """The model `chat` after its node was taken away, with the next worker's pod waiting."""
    snapshot = failing(UNHEALTHY, "UNHEALTHY")

    def change(serve: Any) -> None:
        for item in serve["applications"].values():
            if item["route_prefix"] == "/chat":
                item["deployments"]["LLMServer:chat"]["replicas"] = [replica(**replicas)]

    stays = pending(snapshot.pods[1], NO_NODE, minutes=2)
    return with_pod(changed(snapshot, "serve", change), WORKER, stays)


def worker(*containers: dict[str, Any], ready: bool = False) -> Snapshot:
    new = pod(WORKER, "l4", "worker", *containers)
    if not ready:
        for item in new["status"]["conditions"]:
            if item["type"] != "PodScheduled":
                item["status"] = "False"
    return with_pod(well(), WORKER, new)


def service(change: Callable[[Any], None]) -> Snapshot:
    return changed(well(), "ray_service", change)


def condition(**fields: Any) -> Callable[[Any], None]:
    def change(service: Any) -> None:
        service["status"]["conditions"] = [{"type": "Ready", **fields}]

    return change


def head(change: Callable[[Any], None]) -> Snapshot:
    new = copy.deepcopy(well().pods[0])
    change(new)
    return with_pod(well(), HEAD, new)


def replaced_head(pod: Any) -> None:
    pod["metadata"]["creationTimestamp"] = ago(minutes=10)


def not_ready(pod: Any) -> None:
    pod["status"]["conditions"][2]["status"] = "False"
    pod["status"]["containerStatuses"][0]["state"] = {
        "waiting": {"reason": "ContainerCreating", "message": "no network"}
    }


def no_autoscaler(pod: Any) -> None:
    pod["status"]["containerStatuses"][1] |= {
        "ready": False,
        "restartCount": 6,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
    }


def second_cluster(waits: bool) -> Snapshot:
    def change(service: Any) -> None:
        service["status"]["pendingServiceStatus"] = {"rayClusterName": SECOND}

    snapshot = service(change)
    new = pod("second-l4", "l4", "worker", container("ray-worker"), cluster=SECOND)
    new = pending(new, NO_NODE, minutes=3) if waits else new
    return replace(snapshot, pods=(*snapshot.pods, new), nodes=(node(),))


def deleted(service: Any) -> None:
    service["metadata"]["deletionTimestamp"] = ago(minutes=5)


def unseen(part: Part, snapshot: Snapshot, why: str = "it does not answer in time") -> Snapshot:
    return replace(snapshot, unseen=(Unseen(part=part, why=why),))


def starting(minutes: float) -> Snapshot:
    def change(serve: Any) -> None:
        found = next(a for a in serve["applications"].values() if a["route_prefix"] == "/chat")
        found |= {
            "status": "DEPLOYING",
            "last_deployed_time_s": (NOW - timedelta(minutes=minutes)).timestamp(),
        }

    return changed(well(), "serve", change)


def without_chat(serve: Any) -> None:
    for key in [k for k, a in serve["applications"].items() if a["route_prefix"] == "/chat"]:
        del serve["applications"][key]


def dead_replicas(count: int) -> Snapshot:
    def change(serve: Any) -> None:
        found = next(a for a in serve["applications"].values() if a["route_prefix"] == "/chat")
        recent = (NOW - timedelta(minutes=9)).timestamp()
        found["deployments"]["LLMServer:chat"]["recent_dead_replicas"] = [
            replica(start_time_s=recent + index) for index in range(count)
        ]

    return changed(well(), "serve", change)


def killed(reason: str, minutes: float, code: int = 137) -> dict[str, Any]:
    return {
        "terminated": {
            "reason": reason,
            "exitCode": code,
            "startedAt": ago(minutes=minutes + 5),
            "finishedAt": ago(minutes=5),
        }
    }


NO_ANSWER = "does not answer: timed out"


def check(policy: bool, reason: str = NO_ANSWER, code: int = 1) -> Snapshot:
    """The check after `up` that failed, perhaps beside a policy that lets nobody in.

    reason: why a model does not run, as the check quotes Ray Serve.
    """
    snapshot = well()
    assert snapshot.ray_service is not None
    job = snapshot.ray_service["metadata"]["annotations"]["ray-llm/smoke-test-job"]
    words = f"chat: not ready after 3600 s: {reason}\n1 of 2 models do not answer"
    ended = {"terminated": {"exitCode": code, "reason": "Error", "message": words}}
    asker = {
        "metadata": {"name": f"{job}-x", "labels": {"batch.kubernetes.io/job-name": job}},
        "status": {"containerStatuses": [container("smoke-test", state=ended)]},
    }
    failed = {"type": "Failed", "status": "True", "lastTransitionTime": ago(minutes=7)}
    return replace(
        snapshot,
        jobs=({"metadata": {"name": job}, "status": {"conditions": [failed]}},),
        pods=(*snapshot.pods, asker),
        policies=({"metadata": {"name": "deny-all"}, "spec": {"podSelector": {}}},)
        if policy
        else (),
    )


def idle(service: Any) -> None:
    service["metadata"]["generation"] = 4
    service["metadata"]["managedFields"] = [
        {"manager": "pulumi", "time": ago(minutes=6), "fieldsV1": {"f:spec": {}}},
        {
            "manager": "kuberay",
            "subresource": "status",
            "time": ago(minutes=40),
            "fieldsV1": {"f:status": {}},
        },
    ]


def by_hand(service: Any) -> None:
    service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"][0][
        "image"
    ] = "acme/ray:9"


def odd(service: Any) -> None:
    service["metadata"]["managedFields"] = [7]
    service["metadata"]["finalizers"] = 7
    service["metadata"]["deletionTimestamp"] = ago(minutes=5)


BUCKET = BucketPlan(name="acme-weights", folder="", location="us-central1", existing=False)
STORED = small_plan(weights=WeightsPlan(bucket=BUCKET))
FILLER = "weights-filler-0123456789"
# The words of manifests/weights/script.
NOT_GATED_FOR_US = (
    "acme/rare: is gated, and the stack's Hugging Face token may not read it. Accept its terms on "
    "its page with the account of the token."
)
# Those of huggingface_hub 2.4.0 and of Python, after which the program ends.
NO_WAY_OUT = "ConnectError: [Errno 111] Connection refused"
FULL = "OSError: [Errno 28] No space left on device: '/staging/model.safetensors'"
NOT_OURS = "PermissionError: [Errno 13] Permission denied: '/weights/acme/rare/main/config.json'"
# kube-controller-manager 1.36 (pkg/controller/job).
LIMIT = "Job has reached the specified backoff limit"
LATE = "Job was active longer than specified deadline"


def filler(*words: str, reason: str = "", message: str = LIMIT, **state: Any) -> Snapshot:
    """The Job that fills the bucket, with a pod whose program ended with these words.

    reason: of its failure; empty if it goes on. state: of its container, if it has not ended.
    """
    labels = {"app.kubernetes.io/component": "weights-filler"}
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(minutes=7),
    }
    job = {
        "metadata": {"name": FILLER, "labels": labels, "creationTimestamp": ago(minutes=9)},
        "status": {"startTime": ago(minutes=9), "conditions": [failed] if reason else []},
    }
    ended = {"terminated": {"exitCode": 42, "reason": "Error", "message": "\n".join(words)}}
    pod = {
        "metadata": {
            "name": f"{FILLER}-x",
            "creationTimestamp": ago(minutes=9),
            "labels": {**labels, "batch.kubernetes.io/job-name": FILLER},
        },
        "status": {
            "phase": "Failed" if words else "Running",
            "containerStatuses": [
                container("gke-gcsfuse-sidecar"),
                container("weights-filler", state=ended if words else state),
            ],
        },
    }
    snapshot = well(STORED)
    pods = (*snapshot.pods, pod) if words or state else snapshot.pods
    return replace(snapshot, jobs=(job,), pods=pods)


def not_filled(*words: str) -> Snapshot:
    return filler(*words, reason="BackoffLimitExceeded")


DOWN = operator(status={"conditions": [{"type": "Available", "lastTransitionTime": ago(hours=1)}]})
DNS = {
    "metadata": {"name": "kube-dns", "labels": {"k8s-app": "kube-dns"}},
    "spec": {"replicas": 2},
    "status": {},
}
MODEL, POOL = "ray-llm:models[0]", "ray-llm:gpuPools[0]"
L4, CHAT = "pool l4 (chat, rare)", "model chat"
SERVICE = "RayService ai/llm-serving"
FILLS = "the Job that fills gs://acme-weights"
EXAMPLES = {
    "quota": Example(waiting(NO_NODE, "FailedScaleUp", QUOTA), "node-quota", L4, POOL),
    "stock-out": Example(
        waiting(NO_NODE, "FailedScaleUp", STOCK_OUT), "node-stock-out", L4, f"{POOL}.zones"
    ),
    "stock-out with another pool": Example(
        waiting(NO_NODE, "FailedScaleUp", STOCK_OUT),
        "node-stock-out",
        L4,
        f"{MODEL}.gpu",
        two_pools("l4", "l4"),
    ),
    "a pod that its models have left": Example(
        changed(
            waiting(NO_NODE, "FailedScaleUp", STOCK_OUT),
            "ray_service",
            lambda item: item["spec"].update(
                serveConfigV2=item["spec"]["serveConfigV2"].replace(" l4: 1", " l4-x2: 1")
            ),
        ),
        "node-not-needed",
        "worker group l4",
        POOL,
        two_pools("l4-x2", "l4-x2"),
    ),
    "a pod that its models leave only in the file": Example(
        waiting(NO_NODE, "FailedScaleUp", STOCK_OUT),
        "node-stock-out",
        "worker group l4",
        f"{POOL}.zones",
        two_pools("l4-x2", "l4-x2"),
    ),
    "addresses": Example(waiting(NO_NODE, "FailedScaleUp", NO_ADDRESSES), "node-addresses", L4, ""),
    "maximum": Example(
        waiting(NO_NODE, "NotTriggerScaleUp", MAXIMUM), "node-pool-maximum", L4, f"{POOL}.maxNodes"
    ),
    "maximum by the nodes": Example(
        replace(waiting(NO_NODE), nodes=(node("a"), node("b"))),
        "node-pool-maximum",
        L4,
        f"{POOL}.maxNodes",
    ),
    "backoff": Example(waiting(NO_NODE, "NotTriggerScaleUp", BACKOFF), "node-backoff", L4, POOL),
    "taint": Example(waiting(NO_NODE, "NotTriggerScaleUp", TAINT), "node-taint", L4, POOL),
    "taint by the nodes": Example(
        replace(
            waiting(NO_NODE),
            nodes=(node(spec={"taints": [{"key": "team", "effect": "NoSchedule"}]}),),
        ),
        "node-taint",
        L4,
        POOL,
    ),
    "too large": Example(
        waiting(NO_NODE, "NotTriggerScaleUp", TOO_LARGE), "node-too-large", L4, POOL
    ),
    "zone": Example(waiting(NO_NODE, "NotTriggerScaleUp", ZONE), "node-zone", L4, POOL),
    "no claim": Example(
        waiting(f"0/3 nodes are available: {NO_CLAIM}.", minutes=1),
        "volume-claim",
        L4,
        f"{POOL}.compileCache",
        cached("vllm-cache"),
    ),
    "the claim of the weights beside that of a cache": Example(
        waiting('persistentvolumeclaim "llm-weights" not found'),
        "volume-claim",
        L4,
        "ray-llm:weights.disk",
        replace(cached("vllm-cache"), weights=WeightsPlan(claim="llm-weights", models=())),
    ),
    "a claim whose volume is made": Example(waiting(NO_VOLUME, minutes=2), "node-coming", L4, ""),
    "a claim that nobody gives a volume": Example(
        waiting('running PreBind plugin "VolumeBinding": binding volumes: timed out'),
        "volume-claim",
        L4,
        f"{POOL}.compileCache",
        cached("vllm-cache"),
    ),
    "a claim without a volume": Example(
        waiting(f"0/3 nodes are available: {NO_VOLUME}.", "NotTriggerScaleUp", NO_VOLUME),
        "volume-claim",
        L4,
        "ray-llm:weights.disk",
        replace(small_plan(), weights=WeightsPlan(claim="llm-weights", models=())),
    ),
    "no pool": Example(
        waiting(NO_NODE, "NotTriggerScaleUp", NO_POOL), "node-pool-missing", L4, "pulumi up"
    ),
    "no driver": Example(
        replace(
            waiting(NO_NODE),
            nodes=(node(status={"allocatable": {"cpu": "8"}}),),
        ),
        "gpu-driver-absent",
        L4,
        POOL,
    ),
    "nobody says why": Example(waiting(NO_NODE), "node-missing", L4, "gcloud logging"),
    "a node comes": Example(waiting(NO_NODE, minutes=2), "node-coming", L4, ""),
    "image": Example(
        worker(
            container(
                "ray-worker",
                ready=False,
                image="acme/ray:9",
                state={"waiting": {"reason": "ImagePullBackOff", "message": IMAGE}},
            )
        ),
        "image-not-pulled",
        L4,
        "ray-llm:versions",
    ),
    "secret": Example(
        worker(
            container(
                "ray-worker",
                ready=False,
                state={
                    "waiting": {
                        "reason": "CreateContainerConfigError",
                        "message": 'secret "huggingface-secret" not found',
                    }
                },
            )
        ),
        "secret-missing",
        L4,
        "ray-llm:huggingFaceToken",
    ),
    "token": Example(
        replace(well(), secrets=frozenset()),
        "secret-missing",
        "Secret ai/huggingface-secret",
        "ray-llm:huggingFaceToken",
    ),
    "bucket": Example(
        replace(
            worker(container("ray-worker", ready=False)),
            events=(
                event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "w": code = PermissionDenied: '
                    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource",
                    "Pod",
                    WORKER,
                ),
            ),
        ),
        "bucket-access",
        L4,
        "roles/storage.objectViewer",
    ),
    "no bucket": Example(
        replace(
            worker(container("ray-worker", ready=False)),
            events=(
                event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "weights" : rpc error: code = NotFound '
                    "desc = storage: bucket doesn't exist",
                    "Pod",
                    WORKER,
                ),
            ),
        ),
        "bucket-access",
        L4,
        "ray-llm:weights",
    ),
    "weights of a gated repository": Example(
        not_filled("acme/chat: complete, nothing to fetch", NOT_GATED_FOR_US),
        "weights-not-filled",
        FILLS,
        "ray-llm:huggingFaceToken",
        STORED,
    ),
    "weights of a revision that is not there": Example(
        not_filled("acme/rare: has no revision v9"),
        "weights-not-filled",
        FILLS,
        "ray-llm:models[1].engine.revision",
        STORED,
    ),
    "weights of no repository": Example(
        not_filled("acme/rare: there is no such repository, or the stack's token may not read it"),
        "weights-not-filled",
        FILLS,
        "ray-llm:models[1].source",
        STORED,
    ),
    "weights without a way to the hub": Example(
        not_filled(f"acme/rare: {NO_WAY_OUT}; again", NO_WAY_OUT),
        "weights-not-filled",
        FILLS,
        "Cloud NAT",
        STORED,
    ),
    "weights on a full disk": Example(
        not_filled(FULL), "weights-not-filled", FILLS, "ray-llm:cluster.cpuPool", STORED
    ),
    "weights in a bucket of others": Example(
        not_filled(NOT_OURS), "weights-not-filled", FILLS, "roles/storage.objectUser", STORED
    ),
    "weights that took too long": Example(
        filler(reason="DeadlineExceeded", message=LATE),
        "weights-not-filled",
        FILLS,
        "pulumi up",
        STORED,
    ),
    "weights and another error": Example(
        not_filled("ValueError: something new"),
        "weights-not-filled",
        FILLS,
        f"kubectl --namespace ai logs job/{FILLER}",
        STORED,
    ),
    "weights on their way": Example(
        filler(running={"startedAt": ago(minutes=8)}), "weights-fill", FILLS, "logs job/", STORED
    ),
    "memory at start": Example(
        worker(container("ray-worker", ready=False, state=killed("OOMKilled", 3))),
        "out-of-memory",
        L4,
        f"{POOL}.machineType",
    ),
    "memory in flight": Example(
        worker(container("ray-worker", ready=False, lastState=killed("OOMKilled", 90))),
        "out-of-memory",
        L4,
        f"{POOL}.machineType",
    ),
    "container and driver": Example(
        worker(
            container(
                "ray-worker",
                ready=False,
                state={"waiting": {"reason": "RunContainerError", "message": CONTAINER_DRIVER}},
            )
        ),
        "driver-too-old",
        L4,
        f"{POOL}.gpuDriverVersion",
    ),
    "restarts": Example(
        worker(
            container(
                "ray-worker",
                ready=False,
                restartCount=7,
                lastState=killed("Error", 1, code=1),
                state={"waiting": {"reason": "CrashLoopBackOff"}},
            )
        ),
        "pod-restarts",
        L4,
        "--previous",
    ),
    "engine and driver": Example(
        failing(DRIVER), "driver-too-old", "pool l4 (chat)", f"{POOL}.gpuDriverVersion"
    ),
    "cache": Example(
        failing(ELSEWHERE, log=SMALL_CACHE), "context-too-long", CHAT, f"{MODEL}.contextLength"
    ),
    "context": Example(
        failing(LONG_CONTEXT), "context-above-model", CHAT, f"{MODEL}.contextLength"
    ),
    "dtype": Example(failing(DTYPE), "engine-argument", CHAT, f"{MODEL}.engine"),
    "argument": Example(failing(UNKNOWN_ARGUMENT), "engine-argument", CHAT, f"{MODEL}.engine"),
    "quantization": Example(failing(NOT_QUANTIZED), "engine-argument", CHAT, f"{MODEL}.engine"),
    "gated": Example(failing(GATED), "model-gated", CHAT, "ray-llm:huggingFaceToken"),
    "repository": Example(failing(NO_REPOSITORY), "repository-unknown", CHAT, f"{MODEL}.source"),
    "no weights": Example(
        failing(ELSEWHERE, log=NO_WEIGHTS), "repository-unknown", CHAT, f"{MODEL}.source"
    ),
    "hub": Example(failing(NO_HUB), "hub-unreachable", CHAT, f"{MODEL}.source"),
    "architecture": Example(
        failing(ARCHITECTURE), "architecture-unknown", CHAT, "ray-llm:versions.ray"
    ),
    "GPU memory": Example(
        failing(ELSEWHERE, log=NO_MEMORY), "engine-out-of-memory", CHAT, f"{MODEL}.gpu"
    ),
    "no cache": Example(failing(NO_CACHE), "engine-out-of-memory", CHAT, f"{MODEL}.gpu"),
    "an engine that tries again": Example(
        failing(NO_CACHE, "DEPLOYING"), "engine-out-of-memory", CHAT, f"{MODEL}.gpu"
    ),
    "disk": Example(failing(DISK), "disk-full", CHAT, "bootDiskGb"),
    "name of the hub": Example(failing(NAME), "dns", "chat", "kube-dns"),
    "DNS": Example(
        replace(well(), deployments=(operator(), DNS)), "dns", "the cluster's DNS", "kube-dns"
    ),
    "another error": Example(
        failing("ValueError: something new"), "engine-failed", CHAT, "ray-llm logs chat"
    ),
    "a node that was taken away": Example(
        lost(state="STARTING", node_id=None), "replica-lost", CHAT, "ray-llm:gpuPools[0]"
    ),
    "an engine that died": Example(
        failing(UNHEALTHY, "UNHEALTHY"), "engine-failed", CHAT, "ray-llm logs chat"
    ),
    "stuck": Example(starting(180), "application-stuck", CHAT, "ray-llm logs chat"),
    "starts": Example(starting(1), "model-starts", CHAT, ""),
    "not deployed": Example(
        changed(well(), "serve", without_chat), "model-missing", CHAT, "pulumi up"
    ),
    "flaps": Example(dead_replicas(4), "replica-flaps", CHAT, "ray-llm logs chat"),
    "workers flap": Example(
        replace(
            well(),
            events=tuple(
                event(
                    "DeletedWorkerPod",
                    f"Deleted worker Pod ai/{CLUSTER}-l4-worker-{index}; Pod status: Failed; Pod "
                    "restart policy: Never; Ray container terminated status: nil",
                    "RayCluster",
                    CLUSTER,
                    minutes=20 - index,
                )
                for index in range(5)
            ),
        ),
        "replica-flaps",
        L4,
        "ray-llm logs",
    ),
    "refused by KubeRay": Example(
        service(
            condition(
                status="False",
                reason="ValidationFailed",
                message="The RayService spec is invalid",
                lastTransitionTime=ago(minutes=4),
            )
        ),
        "service-refused",
        SERVICE,
        "pulumi up",
    ),
    "given up": Example(
        service(condition(status="False", reason="InitializingTimeout")),
        "service-timed-out",
        SERVICE,
        "--replace",
    ),
    "refused by Ray": Example(
        replace(
            well(),
            events=(
                event("FailedToUpdateServeApplications", REFUSED, "RayService", "llm-serving"),
            ),
        ),
        "config-refused",
        SERVICE,
        "ray-llm:models",
    ),
    "half deleted": Example(service(deleted), "service-half-deleted", SERVICE, "ray-llm:kubeRay"),
    "no service": Example(
        replace(well(), ray_service=None, serve=None, pods=(), ray_clusters=()),
        "service-missing",
        SERVICE,
        "--context",
    ),
    "no definitions": Example(
        replace(well(), ray_service=None, serve=None, pods=(), definitions=()),
        "definitions-missing",
        "KubeRay",
        "ray-llm:kubeRay",
    ),
    "older definitions": Example(
        replace(well(), definitions=(definition("1.4.2"),)),
        "definitions-older",
        "KubeRay",
        "ray-llm:versions.kuberay",
    ),
    "operator down": Example(
        replace(well(), deployments=(DOWN,)), "operator-down", "KubeRay", "kubectl"
    ),
    "no operator": Example(
        replace(well(), deployments=()), "operator-missing", "KubeRay", "ray-llm:kubeRay"
    ),
    "another operator": Example(
        replace(
            well(),
            definitions=(definition("1.7.0"),),
            deployments=(
                operator(
                    spec={
                        "replicas": 1,
                        "template": {
                            "spec": {"containers": [{"image": "quay.io/kuberay/operator:v1.7.0"}]}
                        },
                    }
                ),
            ),
        ),
        "operator-version",
        "KubeRay",
        "ray-llm:versions.kuberay",
    ),
    "nobody acts": Example(service(idle), "operator-idle", "KubeRay", "ray-llm:kubeRay"),
    "head replaced": Example(
        head(replaced_head), "head-restarted", "the Ray head", "ray-llm:cluster.cpuPool"
    ),
    "head down": Example(head(not_ready), "head-down", "the Ray head", "ray-llm:cluster.cpuPool"),
    "no autoscaler": Example(
        head(no_autoscaler), "autoscaler-down", "Ray's autoscaler", "--container autoscaler"
    ),
    "autoscaler's error": Example(
        replace(well(), autoscaler={"data": {"autoscalingError": "KeyError: CPU"}}),
        "autoscaler-down",
        "Ray's autoscaler",
        "--container autoscaler",
    ),
    "second cluster waits": Example(
        second_cluster(waits=True),
        "second-cluster-waits",
        f"Ray cluster {SECOND}",
        f"{POOL}.maxNodes",
    ),
    "second cluster starts": Example(
        second_cluster(waits=False), "second-cluster-starts", f"Ray cluster {SECOND}", ""
    ),
    "Serve is silent": Example(
        unseen(Part.SERVE, replace(well(), serve=None)), "serve-silent", "Ray Serve", "ray-head"
    ),
    "stale Ready": Example(starting(1), "stale-ready", SERVICE, ""),
    "policy": Example(
        check(policy=True), "network-policy", "NetworkPolicy deny-all", "networkpolicy deny-all"
    ),
    "failed check": Example(
        check(policy=False), "check-failed", "the check after the last `up`", "pulumi up"
    ),
    "clock here": Example(
        replace(well(), taken_at=NOW + timedelta(minutes=9)), "clock", "this machine", "NTP"
    ),
    "clock of a node": Example(
        replace(
            well(),
            nodes=(
                node(
                    status={"conditions": [{"type": "Ready", "lastHeartbeatTime": ago(minutes=-5)}]}
                ),
            ),
        ),
        "clock",
        "node gke-l4-1",
        "kubectl drain",
    ),
    "queue": Example(
        replace(well(), loads={"chat": (EngineLoad(waiting=9, running=64, cache=0.5),)}),
        "queue",
        CHAT,
        f"{MODEL}.targetOngoingRequests",
    ),
    "cache is full": Example(
        replace(well(), loads={"chat": (EngineLoad(waiting=9, running=64, cache=0.99),)}),
        "cache-full",
        CHAT,
        f"{MODEL}.replicas.max",
    ),
    "evicted": Example(
        with_pod(
            well(),
            WORKER,
            {
                **well().pods[1],
                "status": {
                    "phase": "Failed",
                    "reason": "Evicted",
                    "message": "The node was low on resource: ephemeral-storage.",
                },
            },
        ),
        "pod-evicted",
        L4,
        f"{POOL}.bootDiskGb",
    ),
    "another layout": Example(
        service(lambda item: item["metadata"].pop("annotations")),
        "earlier-layout",
        SERVICE,
        "pulumi preview",
    ),
    "changed by hand": Example(service(by_hand), "live-differs", SERVICE, "pulumi up"),
    "odd object": Example(service(odd), "odd-object", "the rule presence", "by hand"),
}


def test_a_service_that_is_well_has_no_finding() -> None:
    assert diagnose(well(), small_plan()) == ()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_failure_is_found_with_what_mends_it(name: str) -> None:
    example = EXAMPLES[name]
    found = {item.rule: item for item in diagnose(example.snapshot, example.plan)}
    finding = found[example.rule]
    assert finding.subject == example.subject
    mend = finding.mend
    assert example.mend in f"{mend.path} {mend.text} {mend.command}"
    assert mend.text.endswith((".", ":"))
    is_note = {entry.id for entry in CATALOGUE if entry.is_note}
    if example.rule in is_note:
        assert finding.gravity is Gravity.NOTE


def test_every_diagnosis_has_an_example() -> None:
    assert {example.rule for example in EXAMPLES.values()} == {entry.id for entry in CATALOGUE}


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_else_is_called_wrong(name: str) -> None:
    """A cause is named once, and what follows from it is no illness of its own."""
    example = EXAMPLES[name]
    wrong = {
        item.rule
        for item in diagnose(example.snapshot, example.plan)
        if item.gravity is Gravity.WRONG
    }
    assert wrong <= {example.rule}, wrong


def one(snapshot: Snapshot, rule: str, plan: Plan | None = None) -> Finding | None:
    found = diagnose(snapshot, plan or small_plan())
    return next((item for item in found if item.rule == rule), None)


def test_a_model_that_sleeps_at_night_is_no_difference() -> None:
    off_hours = OffHoursPlan(windows=(window(["chat"]),), hours_a_week={"chat": Decimal(103)})
    nightly = replace(small_plan(), off_hours=off_hours)

    def sleep(service: Any) -> None:
        day = service["spec"]["serveConfigV2"]
        schedule = schedule_of(service)
        assert schedule is not None
        service["spec"]["serveConfigV2"] = with_minima(day, schedule.minima, ("/chat",))
        assert service["spec"]["serveConfigV2"] != day

    def least_is_zero(serve: Any) -> None:
        for item in serve["applications"].values():
            for deployment in item["deployed_app_config"]["deployments"]:
                deployment["autoscaling_config"]["min_replicas"] = 0

    asleep = changed(changed(well(nightly), "ray_service", sleep), "serve", least_is_zero)
    assert one(asleep, "live-differs", nightly) is None
    # Without off-hours somebody has changed it by hand.
    by_hand = changed(well(), "serve", least_is_zero)
    assert one(by_hand, "live-differs") is not None


def test_a_cause_in_the_engine_s_log_is_quoted() -> None:
    finding = one(failing(ELSEWHERE, log=SMALL_CACHE), "context-too-long")
    assert finding is not None
    assert finding.why.startswith("ValueError: To serve at least one request")
    assert "at most 128" in finding.mend.text


@pytest.mark.parametrize("quoted", [DRIVER, NO_MEMORY])
@pytest.mark.parametrize("code", [1, 137])
def test_a_check_that_quotes_an_engine_has_no_fault_of_its_own(quoted: str, code: int) -> None:
    found = diagnose(check(policy=False, reason=quoted, code=code), small_plan())
    assert [finding.rule for finding in found] == ["check-failed"]


def test_what_a_container_says_is_quoted_without_more() -> None:
    finding = one(EXAMPLES["container and driver"].snapshot, "driver-too-old")
    assert finding is not None
    assert CONTAINER_DRIVER.endswith(finding.why[-20:])


def test_a_head_that_was_just_lost_comes_before_the_models_that_went_with_it() -> None:
    empty = replace(head(replaced_head), serve={"applications": {}})
    rules = [finding.rule for finding in diagnose(empty, small_plan())]
    assert rules.index("head-restarted") < rules.index("model-missing")
    assert diagnose(empty, small_plan())[0].gravity is Gravity.WRONG


def test_the_cause_after_pydantic_s_headline_is_quoted() -> None:
    finding = one(failing(LONG_CONTEXT), "context-above-model")
    assert finding is not None
    assert "User-specified max_model_len (9999999)" in finding.why
    assert "at most 262144" in finding.mend.text


def test_a_failed_fill_is_quoted_and_says_whose_terms_are_to_be_accepted() -> None:
    finding = one(not_filled(NOT_GATED_FOR_US), "weights-not-filled", STORED)
    assert finding is not None
    assert finding.why == NOT_GATED_FOR_US
    assert "https://huggingface.co/acme/rare" in finding.mend.text
    late = one(filler(reason="DeadlineExceeded", message=LATE), "weights-not-filled", STORED)
    assert late is not None
    assert late.why == LATE


def test_a_pod_that_fills_a_bucket_waits_for_another_role_than_one_that_reads_it() -> None:
    denied = event(
        "FailedMount",
        'MountVolume.SetUp failed for volume "weights": code = PermissionDenied',
        "Pod",
        f"{FILLER}-x",
    )
    snapshot = filler(waiting={"reason": "ContainerCreating"})
    finding = one(replace(snapshot, events=(denied,)), "bucket-access", STORED)
    assert finding is not None
    assert finding.subject == "the Job that fills the bucket"
    assert "roles/storage.objectUser" in finding.mend.text


def test_no_token_is_in_a_finding() -> None:
    token = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    finding = one(failing(f"ValueError: cannot use {token}"), "engine-failed")
    assert finding is not None
    assert token not in f"{finding}"
    assert "[secret]" in finding.why


def test_a_failed_scale_up_outweighs_the_next_attempt() -> None:
    snapshot = waiting(NO_NODE, "FailedScaleUp", STOCK_OUT)
    again = event("TriggeredScaleUp", "pod triggered scale-up: [l4 0->1]", "Pod", WORKER, seconds=5)
    found = diagnose(replace(snapshot, events=(*snapshot.events, again)), small_plan())
    assert [item.rule for item in found] == ["node-stock-out"]


def test_an_operator_of_somebody_else_is_not_missed() -> None:
    plan = small_plan()
    plan = replace(plan, release=replace(plan.release, install=KubeRayInstall.EXISTING))
    assert one(replace(well(), deployments=()), "operator-missing", plan) is None


def test_what_may_not_be_seen_is_not_called_missing() -> None:
    blind = replace(
        well(),
        ray_service=None,
        serve=None,
        pods=(),
        deployments=(),
        definitions=(),
        config_maps=(),
        unseen=tuple(Unseen(part=part, why="you have no right to it") for part in Part),
    )
    assert diagnose(blind, small_plan()) == ()


def test_memory_that_ran_out_before_is_a_note_once_all_is_well() -> None:
    snapshot = worker(
        container("ray-worker", restartCount=1, lastState=killed("OOMKilled", 90)), ready=True
    )
    finding = one(snapshot, "out-of-memory")
    assert finding is not None
    assert finding.gravity is Gravity.NOTE


def test_a_refusal_that_was_followed_by_an_update_is_over() -> None:
    refused = event(
        "FailedToUpdateServeApplications", REFUSED, "RayService", "llm-serving", minutes=9
    )
    taken = event("UpdatedServeApplications", "Updated", "RayService", "llm-serving", minutes=2)
    assert one(replace(well(), events=(refused, taken)), "config-refused") is None


def test_workers_that_scaled_down_are_no_flapping() -> None:
    """KubeRay says why it took a pod away, unless the autoscaler asked for it."""
    events = tuple(
        event("DeletedWorkerPod", f"Deleted Pod ai/{CLUSTER}-l4-worker-{index}", "RayCluster", "")
        for index in range(5)
    )
    assert one(replace(well(), events=events), "replica-flaps") is None


def test_a_model_that_was_written_this_minute_is_not_missed() -> None:
    snapshot = changed(well(), "serve", without_chat)

    def writes(service: Any) -> None:
        service["metadata"]["managedFields"] = [
            {"manager": "pulumi", "time": ago(seconds=5), "fieldsV1": {"f:spec": {}}}
        ]

    found = diagnose(changed(snapshot, "ray_service", writes), small_plan())
    assert [item.rule for item in found if item.subject == "model chat"] == ["model-starts"]
    assert one(snapshot, "model-missing") is not None


def written_again(service: Any) -> None:
    """An edit of a minute ago, which KubeRay has not seen yet."""
    idle(service)
    service["metadata"]["managedFields"][0]["time"] = ago(minutes=1)


def acted(service: Any) -> None:
    """KubeRay has written the status after the edit, though not the generation."""
    idle(service)
    service["metadata"]["managedFields"][1]["time"] = ago(minutes=5)


def just_deleted(service: Any) -> None:
    service["metadata"]["deletionTimestamp"] = ago(seconds=20)


def first_head(pod: Any) -> None:
    """It is some seconds younger than its cluster, as every head."""
    pod["metadata"]["creationTimestamp"] = ago(hours=2, seconds=-8)


def one_restart(pod: Any) -> None:
    pod["status"]["containerStatuses"][1]["restartCount"] = 1


def filled() -> Snapshot:
    """The Job that has done it, after a pod that lost its node."""

    def complete(jobs: Any) -> None:
        jobs[0]["status"]["conditions"] = [{"type": "Complete", "status": "True"}]

    return changed(filler("Error"), "jobs", complete)


NEAR_MISSES = {
    "an edit of this minute": (service(written_again), "operator-idle"),
    "an edit that was acted on": (service(acted), "operator-idle"),
    "a deletion that has begun": (service(just_deleted), "service-half-deleted"),
    "a first head": (head(first_head), "head-restarted"),
    "an autoscaler that restarted once": (head(one_restart), "autoscaler-down"),
    "a model that starts for an hour less": (starting(3), "application-stuck"),
    "another replica runs": (lost(), "replica-lost"),
    "another pod waits": (lost(state="STARTING"), "replica-lost"),
    "two replicas that ended": (dead_replicas(2), "replica-flaps"),
    "no request waits": (
        replace(well(), loads={"chat": (EngineLoad(running=64, cache=0.99),)}),
        "cache-full",
    ),
    "a clock that is a second off": (
        replace(well(), taken_at=NOW + timedelta(seconds=2)),
        "clock",
    ),
    "newer definitions": (replace(well(), definitions=(definition("1.7.0"),)), "definitions-older"),
    "a refusal of this morning": (
        replace(
            well(),
            events=(
                event(
                    "FailedToUpdateServeApplications",
                    REFUSED,
                    "RayService",
                    "llm-serving",
                    hours=3,
                ),
            ),
        ),
        "config-refused",
    ),
    "a head that does not answer for a moment": (
        replace(
            well(),
            events=(
                event(
                    "FailedToUpdateServeApplications",
                    "UpdateDeployments fail: 503 Service Unavailable",
                    "RayService",
                    "llm-serving",
                ),
            ),
        ),
        "config-refused",
    ),
    "a policy of other pods": (
        replace(
            check(policy=True),
            policies=(
                {
                    "metadata": {"name": "others"},
                    "spec": {"podSelector": {"matchLabels": {"app": "other"}}},
                },
            ),
        ),
        "network-policy",
    ),
    "a pod that ended by itself": (
        worker(container("ray-worker", lastState=killed("Completed", 9, code=0)), ready=True),
        "out-of-memory",
    ),
    "a name of an hour and more ago": (
        replace(well(), events=(event("Failed", "no such host", "Pod", WORKER, hours=2),)),
        "dns",
    ),
    "numbers of workers that the autoscaler wrote": (
        service(
            lambda item: item["spec"]["rayClusterConfig"]["workerGroupSpecs"][1].update(replicas=7)
        ),
        "live-differs",
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_is_no_finding(name: str) -> None:
    snapshot, rule = NEAR_MISSES[name]
    assert one(snapshot, rule) is None


def test_a_bucket_that_is_filled_given_up_or_beside_a_failed_check_is_no_finding() -> None:
    about = {"weights-not-filled", "weights-fill"}
    for snapshot, of in (
        (filled(), STORED),
        (not_filled("Error"), small_plan()),
        (check(policy=False), STORED),
    ):
        assert about.isdisjoint(item.rule for item in diagnose(snapshot, of))


def way(node_pool: str, buying: Buying) -> WayPlan:
    return WayPlan(
        path="ray-llm:gpuPools[0].capacity[0]",
        node_pool=node_pool,
        buying=buying,
        zones=("us-central1-a",),
        min_nodes=0,
        max_nodes=1,
    )


def with_ways(snapshot: Snapshot) -> dict[str, Finding]:
    plan = small_plan()
    ways = (way("l4-spot", Buying.SPOT), way("l4", Buying.ON_DEMAND))
    pools = (replace(plan.pools[0], ways=ways),)
    return {item.rule: item for item in diagnose(snapshot, replace(plan, pools=pools))}


def test_nodes_of_every_way_to_pay_are_the_pools() -> None:
    one, other = node("gke-l4-spot-1", "l4-spot"), node("gke-l4-1", "l4")
    full = with_ways(replace(waiting(NO_NODE), nodes=(one, other)))
    assert full["node-pool-maximum"].why.startswith("all 2 nodes that the pool may have")
    assert "node-pool-maximum" not in with_ways(replace(waiting(NO_NODE), nodes=(one,)))


def test_a_stock_out_of_all_ways_is_answered_with_a_further_one() -> None:
    found = with_ways(waiting(NO_NODE, "FailedScaleUp", STOCK_OUT))["node-stock-out"]
    assert "list another way to pay in `capacity`" in found.mend.text
    # https://cloud.google.com/kubernetes-engine/docs/troubleshooting/compute-class
    backoff = "pod didn't trigger scale-up: all priority rules in backoff"
    assert "node-backoff" in with_ways(waiting(NO_NODE, "NotTriggerScaleUp", backoff))
