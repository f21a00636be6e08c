"""The diagnoses: what each one means and which setting mends it. docs/doctor.md shows this table.

In the order in which findings are shown: what explains others comes first.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Diagnosis:
    """One diagnosis. mends: the setting or the command; is_note: whether it is never an illness."""

    id: str
    symptom: str
    cause: str
    mends: str
    is_note: bool = False


CATALOGUE: Final = (
    Diagnosis(
        "service-missing",
        "nothing answers",
        "the RayService is not in this cluster",
        "`pulumi up`, or `--context`",
    ),
    Diagnosis(
        "definitions-missing",
        "nothing answers",
        "the cluster has no definitions of KubeRay's",
        "`kubeRay`",
    ),
    Diagnosis(
        "service-half-deleted",
        "`destroy` hangs, GPUs are paid for",
        "the finalizer stays while KubeRay's operator is down",
        "start the operator",
    ),
    Diagnosis(
        "operator-missing", "edits do nothing", "KubeRay's operator is not installed", "`kubeRay`"
    ),
    Diagnosis(
        "operator-down", "edits do nothing", "KubeRay's operator has no pod", "`kubectl scale`"
    ),
    Diagnosis(
        "operator-idle",
        "edits do nothing",
        "KubeRay has not seen the last edit for two minutes",
        "the operator's log",
    ),
    Diagnosis(
        "service-refused",
        "edits do nothing",
        "KubeRay refuses the RayService (ValidationFailed)",
        "undo what was changed by hand",
    ),
    Diagnosis(
        "service-timed-out",
        "the service never starts",
        "`ray.io/initializing-timeout` was reached, which is final",
        "make the RayService anew",
    ),
    Diagnosis(
        "config-refused",
        "edits do nothing",
        "Ray Serve answers 400 to the serve config",
        "undo what was changed by hand",
    ),
    Diagnosis(
        "definitions-older",
        "fields are dropped without a word",
        "KubeRay's definitions are older than its operator",
        "`versions.kuberay`",
    ),
    Diagnosis(
        "dns",
        "pods reach nobody by name",
        "the cluster's DNS is down, or port 53 is closed",
        "the DNS's pods, network policies",
    ),
    Diagnosis(
        "clock",
        "signing in fails, ages are wrong",
        "a clock is more than a minute off",
        "NTP, or another node",
    ),
    Diagnosis(
        "node-quota", "a pod is Pending", "a quota of the project is used up", "quota, `gpuPools[]`"
    ),
    Diagnosis(
        "node-stock-out",
        "a pod is Pending",
        "Google has no such machine in the pool's zones",
        "`gpuPools[].zones`, another tier",
    ),
    Diagnosis(
        "node-addresses",
        "a pod is Pending",
        "the subnetwork has no pod addresses left",
        "the subnetwork",
    ),
    Diagnosis(
        "node-pool-maximum",
        "a pod is Pending",
        "its pool has as many nodes as it may",
        "`gpuPools[].maxNodes`",
    ),
    Diagnosis(
        "node-backoff",
        "a pod is Pending",
        "a scale-up failed; the autoscaler waits before the next",
        "events of the last hour",
    ),
    Diagnosis(
        "node-zone",
        "a pod is Pending",
        "a volume is in a zone without nodes of the pool",
        "`gpuPools[].zones`",
    ),
    Diagnosis(
        "volume-claim",
        "a pod is Pending",
        "the claim that it mounts is not there, or has no volume",
        "`gpuPools[].compileCache`, `weights.disk`",
    ),
    Diagnosis(
        "node-taint",
        "a pod is Pending",
        "the pool has a taint that pods do not tolerate",
        "take the taint off",
    ),
    Diagnosis(
        "node-too-large",
        "a pod is Pending",
        "it asks for more than a node of its pool has",
        "`gpuPools[].machineType`",
    ),
    Diagnosis(
        "node-pool-missing",
        "a pod is Pending",
        "no pool has the name that it selects",
        "`pulumi up`",
    ),
    Diagnosis(
        "gpu-driver-absent",
        "a pod is Pending beside a free node",
        "the nodes offer no GPU: no driver",
        "`gpuPools[].gpuDriverVersion`",
    ),
    Diagnosis(
        "node-missing",
        "a pod is Pending for ten minutes",
        "no node came and nobody says why",
        "the cluster autoscaler's log",
    ),
    Diagnosis(
        "image-not-pulled",
        "ImagePullBackOff",
        "no such image, no right to it, or no way to the registry",
        "`versions.image`",
    ),
    Diagnosis(
        "secret-missing",
        "CreateContainerConfigError",
        "a Secret or ConfigMap was deleted",
        "`pulumi up --refresh`, `huggingFaceToken`",
    ),
    Diagnosis(
        "bucket-access",
        "ContainerCreating for ever",
        "the pods may not read a bucket, or there is none of that name",
        "roles/storage.objectViewer, `weights`",
    ),
    Diagnosis(
        "weights-not-filled",
        "`up` fails, and models of the stack are not there",
        "the Job that fills the bucket has failed: token, repository, rights or network",
        "`huggingFaceToken`, `models[].source`, `weights`",
    ),
    Diagnosis(
        "driver-too-old",
        "engines or containers fail at CUDA",
        "the nodes' driver is older than the image's CUDA",
        "`gpuPools[].gpuDriverVersion`, `versions.ray`",
    ),
    Diagnosis(
        "out-of-memory",
        "OOMKilled, at start or in flight",
        "the pod's memory is too small",
        "`gpuPools[].machineType`, `cluster.cpuPool.machineType`",
    ),
    Diagnosis("pod-restarts", "CrashLoopBackOff", "a container ends again and again", "its log"),
    Diagnosis(
        "head-down", "nothing answers", "the Ray head's pod is not ready", "`cluster.cpuPool`"
    ),
    Diagnosis(
        "head-restarted",
        "all models start anew",
        "the head was replaced and lost its actors",
        "`cluster.cpuPool`",
    ),
    Diagnosis(
        "autoscaler-down",
        "nothing scales up",
        "the container `autoscaler` of the head does not run",
        "its log",
    ),
    Diagnosis(
        "second-cluster-waits",
        "an update does not end",
        "a second Ray cluster waits for GPUs that the first one holds",
        "`gpuPools[].maxNodes`, `rollout.strategy`",
    ),
    Diagnosis(
        "serve-silent", "models do not answer", "Ray Serve's API does not answer", "the head's log"
    ),
    Diagnosis(
        "model-gated",
        "a model does not start",
        "the repository's terms are not accepted, or the token may not read it",
        "`huggingFaceToken`",
    ),
    Diagnosis(
        "repository-unknown",
        "a model does not start",
        "the repository is misspelt, or has no weights",
        "`models[].source`",
    ),
    Diagnosis(
        "hub-unreachable",
        "a model does not start",
        "the pods do not reach the hub",
        "Cloud NAT, `models[].source`",
    ),
    Diagnosis(
        "engine-out-of-memory",
        "a model does not start",
        "the GPU's memory is too small",
        "`models[].gpu`",
    ),
    Diagnosis(
        "context-too-long",
        "a model does not start",
        "the context does not fit into the KV cache",
        "`models[].contextLength`",
    ),
    Diagnosis(
        "context-above-model",
        "a model does not start",
        "the context is longer than the model can",
        "`models[].contextLength`",
    ),
    Diagnosis(
        "engine-argument",
        "a model does not start",
        "vLLM refuses an engine argument",
        "`models[].engine`",
    ),
    Diagnosis(
        "architecture-unknown",
        "a model does not start",
        "the release of vLLM does not know it",
        "`versions.ray`",
    ),
    Diagnosis(
        "disk-full",
        "a model does not start",
        "the node's disk is full",
        "`gpuPools[].bootDiskGb`",
    ),
    Diagnosis(
        "engine-failed",
        "a model does not start",
        "another error of its engine, which is quoted",
        "`ray-llm logs MODEL --errors`",
    ),
    Diagnosis(
        "replica-lost",
        "a model that answered does not any more",
        "its last replica is gone, as with a node that left, and the next one waits for a node",
        "what is said of its pool",
    ),
    Diagnosis(
        "application-stuck",
        "DEPLOYING without an end",
        "a start takes longer than the plan's upper estimate",
        "`ray-llm logs MODEL`",
    ),
    Diagnosis("model-missing", "a model answers 404", "Ray Serve does not have it", "`pulumi up`"),
    Diagnosis(
        "replica-flaps",
        "answers break off at times",
        "replicas or workers end again and again",
        "`ray-llm logs MODEL --errors`",
    ),
    Diagnosis(
        "network-policy",
        "the check after `up` times out",
        "a network policy keeps it from the service",
        "the policy",
    ),
    Diagnosis(
        "cache-full",
        "all is well, but slow",
        "requests wait, and the KV cache is full",
        "`models[].replicas.max`, `contextLength`",
    ),
    Diagnosis(
        "queue",
        "all is well, but slow",
        "requests wait in the engines",
        "`models[].replicas.max`, `targetOngoingRequests`",
    ),
    Diagnosis(
        "pod-evicted",
        "a pod was taken off its node",
        "a spot node left, an upgrade, or a full disk",
        "`gpuPools[].spot`, `bootDiskGb`",
        is_note=True,
    ),
    Diagnosis(
        "node-not-needed",
        "a pod is Pending",
        "no model is on its pool any more, and Ray's autoscaler does not give up a pending worker",
        "nothing",
        is_note=True,
    ),
    Diagnosis("node-coming", "a pod is Pending", "its node is on the way", "nothing", is_note=True),
    Diagnosis(
        "model-starts", "a model is DEPLOYING", "its start is not over", "nothing", is_note=True
    ),
    Diagnosis(
        "weights-fill",
        "`up` waits, and nothing changes",
        "the Job that fills the bucket runs",
        "nothing",
        is_note=True,
    ),
    Diagnosis(
        "second-cluster-starts",
        "there are two Ray clusters",
        "an update needs a second one for a while",
        "nothing",
        is_note=True,
    ),
    Diagnosis(
        "stale-ready",
        "`kubectl get rayservices` says Ready",
        "KubeRay counts endpoints, not models",
        "believe the models",
        is_note=True,
    ),
    Diagnosis(
        "operator-version",
        "the operator is of another release",
        "somebody else updates it",
        "`versions.kuberay`",
        is_note=True,
    ),
    Diagnosis(
        "check-failed",
        "the last `up` failed",
        "the check found a model that did not answer",
        "`pulumi up`",
        is_note=True,
    ),
    Diagnosis(
        "earlier-layout",
        "the RayService looks unusual",
        "another version of this program wrote it",
        "`pulumi preview --diff`",
        is_note=True,
    ),
    Diagnosis(
        "live-differs",
        "live objects are not what the stack writes",
        "changed by hand, or not deployed yet",
        "`pulumi up --refresh`",
        is_note=True,
    ),
    Diagnosis(
        "odd-object",
        "a rule gives up",
        "an object has a form that no API writes",
        "look at it",
        is_note=True,
    ),
)
RANKS: Final = {entry.id: rank for rank, entry in enumerate(CATALOGUE)}
"""The place of each diagnosis in the catalogue, by its id."""
