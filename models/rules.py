"""The rules: every kind of problem that the program finds, one row each.

A row says what the rule is about, how grave its problems are, whether `ray-llm:accept` may list
it, and which files make its problems. `Problem` takes no other ids; docs/rules has a page a rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """What a problem does to a preview."""

    STOP = "stop"
    WARN = "warn"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of problem.

    title: what the rule is about, one sentence in Markdown.
    severities: what its problems may be; the first is theirs unless they say otherwise.
    acceptable: whether `ray-llm:accept` may list it, so that its warnings are not shown.
    made_in: the files that make its problems, relative to the repository's root.
    unreadable: whether the value has a form that the other checks of its entry cannot read.
    unusable: whether a model must not be sized with the value.
    guards: whether it judges a change, of which `ray-llm:rollout.allow` lets a single one pass.
    """

    id: str
    title: str
    severities: tuple[Severity, ...]
    acceptable: bool
    made_in: tuple[str, ...]
    unreadable: bool = False
    unusable: bool = False
    guards: bool = False


def _stop(
    id_: str, title: str, *made_in: str, unreadable: bool = False, unusable: bool = False
) -> Rule:
    return Rule(
        id=id_,
        title=title,
        severities=(Severity.STOP,),
        acceptable=False,
        made_in=made_in,
        unreadable=unreadable,
        unusable=unusable,
    )


def _warning(id_: str, title: str, *made_in: str, acceptable: bool = True) -> Rule:
    return Rule(
        id=id_, title=title, severities=(Severity.WARN,), acceptable=acceptable, made_in=made_in
    )


def _stop_or_warning(id_: str, title: str, *made_in: str) -> Rule:
    return Rule(
        id=id_,
        title=title,
        severities=(Severity.STOP, Severity.WARN),
        acceptable=True,
        made_in=made_in,
    )


def _guard(id_: str, title: str, *made_in: str) -> Rule:
    return replace(_stop_or_warning(id_, title, *made_in), acceptable=False, guards=True)


_ROWS: Final[tuple[Rule, ...]] = (
    _stop(
        "accept-stop",
        "A rule in `ray-llm:accept` whose problems cannot be accepted.",
        "models/reading.py",
    ),
    _stop("accept-unknown", "An id in `ray-llm:accept` that is no rule.", "models/reading.py"),
    _warning(
        "accept-unused",
        "An id in `ray-llm:accept` that accepts no warning of the stack.",
        "planning/checks/accepted_warnings.py",
        acceptable=False,
    ),
    _stop(
        "access-certificate",
        "A gateway for the internet without a certificate, or with one that is no TLS Secret.",
        "planning/checks/access_exposure.py",
        "rollouts/certificate_secret.py",
    ),
    _warning(
        "access-gateway-api",
        "A gateway for the internet on an adopted cluster, which may lack GKE's Gateway API.",
        "planning/checks/access_exposure.py",
    ),
    _stop(
        "access-host",
        "A gateway for the internet without a host, or with what is no host's name.",
        "planning/checks/access_exposure.py",
    ),
    _stop(
        "access-key-twice",
        "Two keys of the gateway with one value.",
        "models/access_keys.py",
    ),
    _stop(
        "access-key-value",
        "A key of the gateway that is short, or that no header carries.",
        "models/access_keys.py",
    ),
    _stop(
        "access-limit",
        "A limit of keys in a stack without keys.",
        "planning/checks/access_keys.py",
    ),
    _stop(
        "access-model-unknown",
        "A key for a model that the stack does not serve.",
        "planning/checks/access_keys.py",
    ),
    _warning(
        "access-network-policy",
        "A gateway on an adopted cluster, which may not enforce NetworkPolicies.",
        "planning/checks/access_exposure.py",
    ),
    _stop(
        "access-unused",
        "A host, a certificate or a security policy that the gateway's exposure cannot use.",
        "planning/checks/access_exposure.py",
    ),
    _stop_or_warning(
        "access-without-keys",
        "A gateway without keys: for the internet (stop), or for the VPC network (warning).",
        "planning/checks/access_keys.py",
    ),
    _warning(
        "adopted-cpu-pool",
        "An adopted cluster without the name of its CPU pool.",
        "planning/checks/adopted_cluster.py",
    ),
    _stop(
        "alerts-channel",
        "A channel of alerts that the monitoring system cannot take.",
        "planning/checks/monitoring.py",
    ),
    _stop(
        "alerts-without-monitoring",
        "A promise or a channel for alerts in a stack whose metrics nobody collects.",
        "planning/checks/monitoring.py",
    ),
    _warning(
        "architecture-transformers",
        "The model's class is not in the registry of the vLLM inside the chosen Ray image, and "
        "its Transformers backend takes it.",
        "planning/sizing/precision.py",
    ),
    _stop(
        "architecture-unsupported",
        "The model's class (`architectures` in its config.json) is not in the registry of "
        "the vLLM inside the chosen Ray image.",
        "planning/sizing/precision.py",
    ),
    _warning(
        "argument-v0",
        "An engine argument that moves a vLLM with both engines to the older V0.",
        "planning/sizing/precision.py",
    ),
    _warning("batch-of-one", "`max_num_seqs: 1`.", "planning/checks/engine_performance.py"),
    _stop(
        "batched-tokens-context",
        "`max_num_batched_tokens` below the context length where prompts are not split: on the "
        "V0 engine, or with `enable_chunked_prefill: false`.",
        "planning/sizing/batching.py",
    ),
    _stop(
        "batched-tokens-sequences",
        "`max_num_batched_tokens` below `max_num_seqs`.",
        "planning/sizing/batching.py",
    ),
    _stop(
        "bfloat16-capability",
        "bfloat16 on a GPU without it (below compute capability 8.0: T4).",
        "planning/sizing/precision.py",
    ),
    _stop(
        "boot-disk",
        "Weights and image that are together larger than the node's boot disk.",
        "planning/checks/boot_disk.py",
    ),
    _warning(
        "budget-at-maximum",
        "A stack that costs more than `monthlyBudget` with all models at their maximum all month.",
        "planning/checks/budget.py",
    ),
    _stop(
        "budget-exceeded",
        "A stack that costs more than `monthlyBudget` with all models at their minimum.",
        "planning/checks/budget.py",
    ),
    _warning(
        "budget-unknown-price",
        "A pool without a known price in this region, so that the budget does not count it.",
        "planning/checks/budget.py",
    ),
    _stop(
        "canary-of",
        "A canary of no model, of itself, of another canary, or of a model for another task.",
        "planning/checks/canaries.py",
    ),
    _stop(
        "canary-percent",
        "A canary without its share of the requests, a share without a canary, or shares above "
        "100 %.",
        "planning/checks/canaries.py",
    ),
    _stop(
        "canary-removed",
        "A model that is taken away while it gets a share of another model's requests.",
        "rollouts/access_change.py",
    ),
    _stop(
        "canary-without-access",
        "A canary in a stack without a gateway, which would share out the requests.",
        "planning/checks/canaries.py",
    ),
    _stop(
        "capacity-and-spot",
        "A pool with `spot: true` and `capacity`.",
        "models/validation.py",
    ),
    _stop(
        "capacity-twice",
        "A way to pay that a pool's `capacity` lists twice.",
        "models/validation.py",
    ),
    _stop(
        "capacity-way",
        "An entry of `capacity` that is no way to pay for a node, or more than one.",
        "models/validation.py",
    ),
    _guard(
        "change-ignored",
        "A change that KubeRay ignores: nothing that runs hears of it.",
        "rollouts/guards.py",
    ),
    _warning(
        "chunked-prefill-off",
        "`enable_chunked_prefill: false` on the V1 engine.",
        "planning/checks/engine_performance.py",
    ),
    _stop(
        "cluster-replaced",
        "A change that deletes the GKE cluster of a stack with `deletionProtection`.",
        "rollouts/replacement.py",
    ),
    _warning(
        "cold-start-timeout",
        "A model that sleeps and of which even the fastest start takes longer than clients wait.",
        "planning/checks/cold_start.py",
    ),
    _stop(
        "config-json",
        "A `configFile` that cannot be read, is not JSON, or does not describe a decoder LLM.",
        "planning/sizing/checkpoint.py",
    ),
    _stop(
        "config-map-size",
        "Models of one family, or keys with many models each, that make a ConfigMap above 1 MiB.",
        "planning/checks/gateway_size.py",
        "planning/checks/kubernetes_object_size.py",
    ),
    _stop(
        "context-beyond-model",
        "A context length above what vLLM derives from the model's config.json and the RoPE "
        "scaling asked for.",
        "planning/sizing/context_length.py",
    ),
    _stop(
        "context-missing",
        "A model that is not described and gives no `contextLength`.",
        "planning/sizing/context_length.py",
    ),
    _stop(
        "contradiction",
        "Two keys that mean the same and say different things, or that exclude each other.",
        "planning/checks/engine_argument_values.py",
        "planning/checks/lora.py",
        "planning/checks/model_tasks.py",
        "planning/sizing/checkpoint.py",
        "planning/sizing/stated_arguments.py",
        unusable=True,
    ),
    _stop(
        "cpu-offload",
        "`cpu_offload_gb`, which counts for each GPU, above what the pod of a node may hold.",
        "planning/checks/host_resources.py",
    ),
    _warning(
        "cpu-offload-slow", "Weights kept in host memory.", "planning/checks/host_resources.py"
    ),
    _warning(
        "cpu-pool-below-maximum",
        "The CPU pool's `maxNodes` is below what head and routers need with all models at "
        "their maximum.",
        "planning/checks/cpu_pool.py",
    ),
    _stop(
        "cpu-pool-below-minimum",
        "The CPU pool's `maxNodes` is below what head and routers need at the minimum.",
        "planning/checks/cpu_pool.py",
    ),
    _stop(
        "cpu-pool-machine",
        "A CPU pool of machines that come with GPUs attached (A2, A3, A4, G2, G4).",
        "planning/checks/cpu_pool.py",
    ),
    _warning(
        "cpu-pool-zone",
        "A cluster in one zone, to which a pool with `capacity` ties the Ray head as well.",
        "planning/checks/capacity.py",
    ),
    _stop_or_warning(
        "cuda-graph-headroom",
        "`gpu_memory_utilization` leaves too little for the CUDA graphs, which vLLM before "
        "0.21 captures outside of its budget.",
        "planning/sizing/memory/headroom.py",
    ),
    _stop(
        "decode-context-parallel",
        "A `decode_context_parallel_size` that does not suit the GPUs or the heads.",
        "planning/checks/parallel_arguments.py",
    ),
    _warning(
        "downscale-short",
        "A `downscaleDelaySeconds` below a minute.",
        "planning/checks/autoscaling.py",
    ),
    _warning("eager-mode", "`enforce_eager: true`.", "planning/checks/engine_performance.py"),
    _stop(
        "empty-list",
        "A list of pools, models or keys with nothing in it.",
        "models/access_section.py",
        "models/reading.py",
    ),
    _stop(
        "engine-argument-choice",
        "A value, or a field, that vLLM does not accept for this engine argument.",
        "planning/checks/engine_argument_values.py",
        "planning/checks/engine_arguments.py",
        "planning/checks/nested_configurations.py",
    ),
    _stop(
        "engine-argument-front-end",
        "An argument of vLLM's own HTTP server (`api_key`, `host`, `ssl_*` ...).",
        "planning/checks/engine_arguments.py",
    ),
    _warning(
        "engine-argument-idle",
        "An engine argument, or a field of one, that changes nothing here.",
        "planning/checks/engine_argument_values.py",
        "planning/checks/engine_performance.py",
        "planning/checks/speculative_decoding.py",
    ),
    _stop(
        "engine-argument-needs",
        "An engine argument that vLLM refuses unless another one says something.",
        "planning/checks/engine_argument_values.py",
    ),
    _stop(
        "engine-argument-owned",
        "An engine argument that this program sets.",
        "planning/checks/engine_arguments.py",
    ),
    _stop(
        "engine-argument-range",
        "A count or a size that vLLM cannot take, or a share outside 0 to 1.",
        "planning/checks/engine_argument_values.py",
        unusable=True,
    ),
    _stop(
        "engine-argument-type",
        "A value of the wrong type for an engine argument.",
        "planning/checks/engine_arguments.py",
        "planning/checks/nested_configurations.py",
        unreadable=True,
        unusable=True,
    ),
    _stop(
        "engine-argument-unknown",
        "An engine argument that this vLLM does not have.",
        "planning/checks/engine_arguments.py",
    ),
    _warning(
        "engine-metrics-off",
        "`disable_log_stats: true` on a release that shows the engine's metrics.",
        "planning/checks/engine_metrics.py",
    ),
    _stop(
        "expert-balancing",
        "`enable_eplb` without `enable_expert_parallel`, or on one GPU.",
        "planning/checks/parallel_arguments.py",
    ),
    _stop(
        "expert-parallel-dense",
        "`enable_expert_parallel` for a model without experts.",
        "planning/checks/model_capabilities.py",
    ),
    _stop(
        "flex-start-length",
        "A flex-start node that would run longer or shorter than Google sells.",
        "models/validation.py",
    ),
    _stop_or_warning(
        "flex-start-single-replica",
        "A model whose only replica is on flex-start nodes, without another way to pay (stop); one "
        "that keeps a single replica there (warning).",
        "planning/checks/capacity.py",
    ),
    _stop(
        "float16-refused",
        "float16 for a model family that vLLM refuses to run in it (Gemma 2 and 3, GLM-4, "
        "Plamo 2).",
        "planning/sizing/precision.py",
    ),
    _stop(
        "foreign-autoscaling",
        "Keys of Ray Serve's `autoscaling_config`.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-cluster",
        "Keys of a cluster as gcloud or the Google API have them: private nodes, default "
        "node pool, Autopilot.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-engine-argument",
        "A vLLM engine argument among the model's keys instead of under `engine`.",
        "models/unknown_keys.py",
    ),
    _stop(
        "foreign-environment",
        "Environment variables, `runtime_env` and variables of vLLM or Ray.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-exposure",
        "Keys that would expose the service or the head: Service types, ingress, API keys, TLS.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop("foreign-lora", "LoRA adapters.", "models/keys_of_other_tools.yaml"),
    _stop(
        "foreign-node-pool",
        "Keys of a node pool as gcloud or the Google API have them: accelerator, count, "
        "driver, initial node count, disk type.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-replica-resources",
        "Keys that set a replica's resources in Ray: `ray_actor_options`, `num_gpus`, "
        "`num_cpus`, `accelerator_type`, placement groups.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-schedule",
        "Schedules: cron jobs, off-hours, suspend.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-secret",
        "Tokens under other names than `ray-llm:huggingFaceToken`.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-serve-config",
        "Parts of a Ray Serve config: applications, routes, http_options.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-storage",
        "Buckets, volumes and service accounts for weights.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-taint-label",
        "Taints, tolerations, labels, selectors and annotations.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-versions",
        "A version or an image outside of `ray-llm:versions`.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop(
        "foreign-worker-group",
        "Keys of KubeRay's RayCluster: head and worker groups, rayStartParams, object "
        "store, thresholds.",
        "models/keys_of_other_tools.yaml",
    ),
    _stop_or_warning(
        "fp8-kv-capability",
        "An fp8 KV cache on a GPU below capability 8.9, with a vLLM that has the V1 engine only.",
        "planning/sizing/precision.py",
    ),
    _warning(
        "fp8-kv-v0",
        "An fp8 KV cache on vLLM 0.10 and a GPU before Hopper.",
        "planning/sizing/precision.py",
    ),
    _warning(
        "gpu-driver",
        "An image whose CUDA needs a newer driver than the nodes may have.",
        "planning/checks/gpu_driver.py",
    ),
    _warning(
        "gpu-driver-own",
        "A pool on which GKE installs no driver.",
        "planning/checks/gpu_driver.py",
    ),
    _warning(
        "gpu-oversized",
        "A model on a stated pool, at three times the price of another listed pool on which "
        "it runs with the same context.",
        "planning/checks/placement.py",
    ),
    _warning(
        "host-memory",
        "Several GPUs for each replica on a machine whose memory their processes may exceed.",
        "planning/checks/host_resources.py",
    ),
    _warning(
        "image-cuda",
        "An image of the user's own whose CUDA is older than a pool's GPU.",
        "planning/checks/image_cuda.py",
    ),
    _warning(
        "image-fastapi",
        "An image of one's own, which may hold a FastAPI that Ray Serve LLM does not work with.",
        "planning/checks/image_packages.py",
    ),
    _stop(
        "image-processor",
        "An image whose tag says ARM.",
        "planning/infrastructure/container_image.py",
    ),
    _stop(
        "image-reference",
        "An image whose name no node can read: an address in front, upper case, a blank, an empty "
        "tag, a digest of the wrong length.",
        "planning/infrastructure/image_reference.py",
    ),
    _warning(
        "image-unpinned",
        "An image without a version in its tag (`latest`, `nightly`, none).",
        "planning/infrastructure/container_image.py",
    ),
    _stop_or_warning(
        "image-version",
        "An image whose tag names another Ray than `versions.ray`: the official one or a copy of "
        "it (stop), or one of the user's own (warning).",
        "planning/infrastructure/container_image.py",
    ),
    _stop(
        "image-without-vllm",
        "An image that holds Ray without vLLM, or vLLM without Ray Serve.",
        "planning/infrastructure/container_image.py",
    ),
    _stop(
        "invalid-value",
        "A value of the right type that cannot be meant: a name that is too long or not "
        "DNS-safe, a maximum below its minimum, a number out of range.",
        "models/quotas_and_prices.py",
        "models/validation.py",
        "planning/checks/served_names.py",
        "planning/infrastructure/capacity_problems.py",
        "planning/infrastructure/node_pools.py",
    ),
    _stop_or_warning(
        "kv-cache-size",
        "A KV cache of stated size (`kv_cache_memory_bytes`, `num_gpu_blocks_override`) that "
        "does not hold one sequence, or that the GPU cannot hold.",
        "planning/sizing/memory/stated_cache.py",
    ),
    _stop_or_warning(
        "local-path",
        "A path in the container, which the image must hold.",
        "planning/checks/local_paths.py",
    ),
    _stop("lora-count", "`max_cpu_loras` below `max_loras`.", "planning/checks/lora.py"),
    _stop(
        "lora-rank", "A `max_lora_rank` that vLLM does not allocate for.", "planning/checks/lora.py"
    ),
    _warning(
        "lora-unreachable",
        "LoRA arguments of a model that names no folder of adapters.",
        "planning/checks/lora.py",
    ),
    _stop(
        "lora-unsupported",
        "LoRA adapters of a model whose class takes none in this vLLM.",
        "planning/checks/lora.py",
    ),
    _stop(
        "machine-type",
        "A machine type that the catalogue does not know, or that does not carry the tier's GPUs.",
        "planning/infrastructure/cluster.py",
        "planning/infrastructure/node_pools.py",
    ),
    _warning(
        "measurement-unreadable",
        "A file of measured speed that cannot be read, so that the plan says nothing of speed.",
        "planning/sizing/measured_speed.py",
    ),
    _warning(
        "memory-doubt",
        "A model that may not fit: the result lies within the error of the estimate, or "
        "something that takes memory is not counted.",
        "planning/sizing/memory/headroom.py",
        "planning/sizing/memory/uncounted.py",
    ),
    _stop(
        "memory-fit",
        "A model that does not fit on the GPUs of its pool, or whose context does not.",
        "planning/checks/unchecked_weights.py",
        "planning/placement/ways_to_fit.py",
    ),
    _stop(
        "misplaced-secret",
        "An encrypted value in a section that the plan shows in plain text.",
        "models/access_keys.py",
        "models/reading.py",
    ),
    _stop(
        "missing-key",
        "A key that must be there.",
        "models/access_keys.py",
        "models/reading.py",
        "models/validation.py",
    ),
    _stop(
        "model-unknown", "A `model` that is not in the catalogue.", "planning/sizing/checkpoint.py"
    ),
    _guard(
        "model-without-room",
        "An edited model whose pool has no room for a second version, with `withoutRoom: wait` or "
        "`withoutRoom: stop`.",
        "rollouts/guards.py",
    ),
    _stop(
        "monitoring-kinds",
        "`monitoring` in a cluster that lacks the kinds of what collects.",
        "rollouts/collector_kinds.py",
    ),
    _stop(
        "multimodal-argument",
        "An argument about images or sound for a model that takes text only.",
        "planning/checks/model_capabilities.py",
    ),
    _stop("name-twice", "Two models with the same served name.", "planning/checks/served_names.py"),
    _warning(
        "node-cpus",
        "A machine with fewer CPUs for pods than replicas that its GPUs hold.",
        "planning/checks/host_resources.py",
    ),
    _stop(
        "object-size",
        "A RayService, or the rules of its alerts, larger than what the Kubernetes API stores.",
        "planning/checks/kubernetes_object_size.py",
    ),
    _warning(
        "object-size-near",
        "A RayService whose size with its status is near the limit of the Kubernetes API.",
        "planning/checks/kubernetes_object_size.py",
    ),
    _warning(
        "off-hours-asleep",
        "A window of `offHours` for models that have no minimum, so that it changes nothing.",
        "planning/checks/off_hours.py",
    ),
    _stop(
        "off-hours-cron",
        "A `sleep` or `wake` that is no cron text of five fields, is never due, or may be read in "
        "two ways.",
        "models/off_hours.py",
        "models/validation.py",
    ),
    _warning(
        "off-hours-kept",
        "A window in which all nodes of a pool stay: `minNodes` or other models keep them.",
        "planning/checks/off_hours.py",
    ),
    _stop(
        "off-hours-model",
        "A window of `offHours` for a model that is not served.",
        "planning/checks/off_hours.py",
    ),
    _stop(
        "off-hours-overlap",
        "Two windows of `offHours` in which a model sleeps, and of which one ends while the other "
        "is open or begins.",
        "planning/checks/off_hours.py",
    ),
    _stop(
        "off-hours-same-minute",
        "A window of `offHours` whose `sleep` and `wake` are due at the same minute.",
        "planning/checks/off_hours.py",
    ),
    _warning(
        "off-hours-short",
        "A window of `offHours`, or a day between two, that is shorter than what a model takes to "
        "leave its GPUs or to start again.",
        "planning/checks/off_hours.py",
    ),
    _warning(
        "old-gpu-new-vllm",
        "A GPU below capability 8.0 with a vLLM that has the V1 engine only.",
        "planning/sizing/precision.py",
    ),
    _guard(
        "operator-and-cluster",
        "Another release of KubeRay in the same `up` as a change that starts a second RayCluster.",
        "rollouts/guards.py",
    ),
    _stop_or_warning(
        "operator-version",
        "An operator that others install, without its release.",
        "planning/checks/adopted_cluster.py",
    ),
    _stop(
        "override-place",
        "An override of a model's configuration at a place that vLLM does not read for this model.",
        "planning/checks/hf_overrides.py",
        unreadable=True,
        unusable=True,
    ),
    _stop(
        "override-value",
        "A value in `hf_overrides` that vLLM cannot compute with: a number as text, a factor of 0.",
        "planning/checks/hf_overrides.py",
        unreadable=True,
        unusable=True,
    ),
    _stop(
        "pipeline-parallel-layers",
        "More pipeline stages than the model has layers.",
        "planning/sizing/parallelism.py",
    ),
    _stop(
        "plain-secret",
        "A password, key or token in plain text in the stack file.",
        "models/access_keys.py",
        "models/plain_secrets.py",
    ),
    _stop(
        "plain-token",
        "A Hugging Face token in plain text in the stack file.",
        "models/plain_secrets.py",
        "models/reading.py",
    ),
    _stop(
        "pod-allocatable",
        "A machine that leaves less than a pod needs, after GKE's reserve and DaemonSets.",
        "planning/infrastructure/cluster.py",
        "planning/infrastructure/node_pools.py",
    ),
    _warning(
        "pool-below-maximum",
        "A pool's `maxNodes` below what its models need at their maximum.",
        "planning/checks/gpu_pool.py",
    ),
    _stop(
        "pool-below-minimum",
        "A pool's `maxNodes` below what its models need at their minimum.",
        "planning/checks/gpu_pool.py",
    ),
    _guard(
        "pool-below-upgrade",
        "A change that starts a second RayCluster, and a pool without room for it.",
        "rollouts/room.py",
    ),
    _guard(
        "pool-in-use",
        "A pool that is removed together with the move of a model that runs on it.",
        "rollouts/guards.py",
    ),
    _warning(
        "pool-min-nodes",
        "A pool's `minNodes` above the nodes that its models need at their minimum.",
        "planning/checks/gpu_pool.py",
    ),
    _guard(
        "pool-replaced",
        "A change for which GKE replaces a node pool of a stack with `deletionProtection`.",
        "rollouts/node_pools.py",
    ),
    _stop(
        "pool-twice",
        "Two pools with one name, or a pool with the name of something else in the cluster.",
        "planning/infrastructure/capacity_problems.py",
        "planning/infrastructure/node_pools.py",
    ),
    _stop(
        "pool-unknown",
        "`gpu` names a pool that the stack does not list.",
        "planning/placement/cheapest_pool.py",
    ),
    _stop_or_warning(
        "prefix-caching-hash",
        "`prefix_caching_hash_algo: sha256` on the V0 engine.",
        "planning/sizing/precision.py",
    ),
    _stop_or_warning(
        "prefix-caching-window",
        "`enable_prefix_caching` on the V0 engine for a model with a sliding window.",
        "planning/sizing/precision.py",
    ),
    _guard(
        "private-nodes-left-out",
        "`privateNodes` of a stack with `deletionProtection` is left out after it was true.",
        "rollouts/node_pools.py",
    ),
    _stop(
        "quantization-capability",
        "A quantization method or scheme that needs a newer GPU.",
        "planning/sizing/quantization.py",
    ),
    _stop(
        "quantization-checkpoint",
        "A method that contradicts the checkpoint, or needs one that was quantized that way.",
        "planning/sizing/quantization.py",
    ),
    _stop(
        "quantization-dtype",
        "A dtype in which the quantization method does not compute.",
        "planning/sizing/quantization.py",
    ),
    _stop(
        "quantization-file",
        "A quantization in a file of its own that this vLLM reads only for a stated method.",
        "planning/sizing/quantization.py",
    ),
    _warning(
        "quantization-marlin",
        "`quantization: awq` or `gptq` on a GPU that has the Marlin kernels.",
        "planning/sizing/quantization.py",
    ),
    _stop(
        "quantization-unknown",
        "A quantization method that this vLLM does not have.",
        "planning/sizing/quantization.py",
    ),
    _warning(
        "quantization-unseen",
        "A checkpoint that its name or size shows to be quantized, and its config.json does not.",
        "planning/checks/unseen_quantization.py",
    ),
    _warning(
        "quota-below-maximum",
        "A quota below what the models need at their maximum.",
        "planning/checks/quota.py",
    ),
    _stop(
        "quota-below-minimum",
        "A quota below what the stack needs at its minimum.",
        "planning/checks/quota.py",
    ),
    _warning(
        "quota-below-peak",
        "A quota below what the pools take at the `maxNodes` that the stack file states.",
        "planning/checks/quota.py",
    ),
    _guard(
        "quota-below-upgrade",
        "A change that starts a second RayCluster, and a quota without room for it.",
        "rollouts/room.py",
    ),
    _stop(
        "quota-by-family",
        "A limit under a metric of its own where Google counts by family.",
        "models/quotas_and_prices.py",
    ),
    _warning(
        "quota-unlisted",
        "`quotas` lists GPUs and leaves out one that the stack uses.",
        "planning/checks/quota.py",
    ),
    _stop(
        "release-image",
        "`versions.vllm` without `versions.image`.",
        "planning/infrastructure/releases.py",
    ),
    _stop(
        "release-unknown",
        "A release that is not in the table.",
        "planning/infrastructure/releases.py",
    ),
    _warning(
        "release-untested",
        "A release of Ray or KubeRay in the table that is not run in a whole cluster.",
        "planning/infrastructure/releases.py",
    ),
    _stop_or_warning(
        "release-vllm",
        "An own image whose vLLM is older (stop) or newer (warning) than what this Ray was "
        "released with.",
        "planning/infrastructure/releases.py",
    ),
    _stop(
        "replica-range",
        "A minimum above a maximum, one of them from `defaults`.",
        "planning/sizing/autoscaling.py",
    ),
    _stop(
        "reservation-machine",
        "A reservation of another machine than the pool's.",
        "planning/infrastructure/capacity_problems.py",
    ),
    _warning(
        "reservation-shared",
        "One reservation in two pools, of which each counts its nodes.",
        "planning/checks/capacity.py",
    ),
    _warning(
        "reservation-unchecked",
        "A reservation of which the stack file does not say the machine or the number of nodes.",
        "planning/infrastructure/capacity_problems.py",
    ),
    _stop(
        "reservation-zone",
        "A reservation without its zone, or in a zone where the pool cannot be.",
        "planning/infrastructure/capacity_problems.py",
    ),
    _stop(
        "reserved-name",
        "A served name that is a path of the gateway's own.",
        "planning/checks/served_names.py",
    ),
    _warning(
        "rollout-cluster-replaced",
        "A change that replaces the whole cluster.",
        "reports/rollout_warnings.py",
        acceptable=False,
    ),
    _warning(
        "rollout-pool-replaced",
        "A change that replaces a node pool.",
        "reports/rollout_warnings.py",
        acceptable=False,
    ),
    _warning(
        "rollout-second-cluster",
        "A change for which KubeRay builds a second RayCluster.",
        "reports/rollout_warnings.py",
        acceptable=False,
    ),
    _warning(
        "rollout-service-replaced",
        "A change that replaces the RayService.",
        "reports/rollout_warnings.py",
        acceptable=False,
    ),
    _stop(
        "rope-scaling",
        "A RoPE scaling without the fields that its type needs.",
        "planning/checks/rope_scaling.py",
    ),
    _guard(
        "second-cluster-refused",
        "A change that starts a second RayCluster, with `strategy: inPlaceOnly`.",
        "rollouts/guards.py",
    ),
    _warning(
        "slo-unseen",
        "A promise that no alert compares with the first tokens of a model.",
        "planning/checks/monitoring.py",
    ),
    _stop(
        "source-undescribed",
        "A `source` outside the catalogue without its config.json and weight size.",
        "planning/sizing/checkpoint.py",
    ),
    _stop(
        "speculative-config",
        "A speculative configuration that vLLM refuses: a method or field that it lacks, or one "
        "that is incomplete or contradicts itself.",
        "planning/checks/speculative_decoding.py",
    ),
    _stop(
        "speculative-draft-model",
        "An ordinary model as a draft, on a vLLM without draft models, or one with another "
        "vocabulary.",
        "planning/checks/speculative_decoding.py",
    ),
    _stop(
        "speculative-v0",
        "Speculative decoding on the V0 engine.",
        "planning/checks/speculative_decoding.py",
    ),
    _warning(
        "spot-only",
        "A model without a pool in a stack that lists spot pools only.",
        "planning/placement/cheapest_pool.py",
    ),
    _warning(
        "spot-single-replica",
        "A model whose only replica is on spot.",
        "planning/checks/placement.py",
    ),
    _stop("stack-empty", "A stack file without any `ray-llm:` key.", "models/reading.py"),
    _stop_or_warning(
        "state-blocks",
        "More sequences than the KV cache has blocks for the states of a model with Mamba or "
        "linear layers.",
        "planning/sizing/memory/state_limits.py",
    ),
    _stop(
        "state-cache-manager",
        "The hybrid KV cache manager turned off for a model whose layers keep a state.",
        "planning/sizing/memory/state_limits.py",
    ),
    _stop(
        "swap-space",
        "`swap_space`, stated or vLLM's own, above 70 % of the machine's memory or what a pod has.",
        "planning/checks/host_resources.py",
    ),
    _warning(
        "target-above-batch",
        "`targetOngoingRequests` above `max_num_seqs`.",
        "planning/sizing/autoscaling.py",
    ),
    _warning(
        "task-argument",
        "An engine argument about generated text, beside a model that embeds or scores.",
        "planning/checks/model_tasks.py",
    ),
    _stop(
        "task-not-of-model",
        "A `task` that the model's class cannot do.",
        "planning/checks/model_tasks.py",
    ),
    _stop(
        "task-without-path",
        "A `task` for which Ray Serve LLM of the release has no path.",
        "planning/checks/model_tasks.py",
    ),
    _stop(
        "tensor-parallel-heads",
        "A degree of tensor parallelism that does not divide the model: heads, KV heads, "
        "intermediate size, or a quantization group or block.",
        "planning/sizing/parallelism.py",
    ),
    _stop(
        "tensor-parallel-node",
        "More GPUs per replica than a node of the pool has.",
        "planning/sizing/parallelism.py",
    ),
    _stop(
        "tier-provisioning",
        "A pool on demand, or on spot, of a tier that Google does not sell that way.",
        "planning/infrastructure/capacity_problems.py",
        "planning/infrastructure/node_pools.py",
    ),
    _stop(
        "tier-unknown",
        "A GPU tier that the catalogue does not know.",
        "planning/infrastructure/node_pools.py",
    ),
    _stop(
        "time-zone-unknown",
        "A time zone that the IANA's database does not have.",
        "models/off_hours.py",
        "models/validation.py",
    ),
    _stop(
        "token-missing",
        "A gated model in a stack without a Hugging Face token.",
        "planning/checks/gated_weights.py",
    ),
    _warning(
        "token-perhaps-missing",
        "A model of a publisher who gates some, in a stack without a Hugging Face token.",
        "planning/checks/gated_weights.py",
    ),
    _stop_or_warning(
        "tool-parser",
        "`enable_auto_tool_choice` without `tool_call_parser`, or a parser of tool calls or "
        "reasoning that this vLLM does not register (stop); the parser alone (warning).",
        "planning/checks/tool_calls.py",
    ),
    _warning(
        "trust-remote-code", "`trust_remote_code: true`.", "planning/checks/model_capabilities.py"
    ),
    _stop(
        "unknown-key",
        "A key that this program does not have.",
        "models/quotas_and_prices.py",
        "models/reading.py",
        "models/unknown_keys.py",
    ),
    _warning(
        "unseen-use",
        "A model that embeds or scores, with a minimum of 0 and a downscale delay below an hour.",
        "planning/checks/autoscaling.py",
    ),
    _stop(
        "utilization-high",
        "`gpu_memory_utilization` leaves less of the GPU than the CUDA context takes.",
        "planning/sizing/memory/headroom.py",
    ),
    _warning(
        "utilization-low", "`gpu_memory_utilization` below one half.", "planning/sizing/batching.py"
    ),
    _warning(
        "weights-driver",
        "A bucket of weights on an adopted cluster, which may lack the add-on that mounts it.",
        "planning/checks/weights.py",
    ),
    _warning(
        "weights-identity",
        "A bucket of adapters or of a model beside the bucket of weights, whose reader may not "
        "read it.",
        "planning/checks/weights.py",
    ),
    _stop(
        "weights-place",
        "A model whose weights are to come from a bucket or a disk that the stack does not name.",
        "planning/checks/weights.py",
    ),
    _warning(
        "weights-region",
        "A bucket of weights that does not lie where the nodes are.",
        "planning/checks/weights.py",
    ),
    _stop(
        "weights-source",
        "A place of weights for a model whose source is a bucket or a path itself.",
        "planning/checks/weights.py",
    ),
    _stop(
        "window-of-some-layers",
        "A model with a sliding window in some of its layers, of a class for which vLLM refuses "
        "that.",
        "planning/sizing/precision.py",
    ),
    _stop(
        "wrong-type",
        "A value of the wrong type: a text for a number, a list for a mapping.",
        "models/access_section.py",
        "models/quotas_and_prices.py",
        "models/reading.py",
        "models/validation.py",
    ),
    _stop(
        "zone-outside-region",
        "A zone that is not in `gcp:region`.",
        "planning/infrastructure/cluster.py",
        "planning/infrastructure/node_pools.py",
    ),
    _stop(
        "zone-unknown",
        "A zone that the region does not have.",
        "planning/infrastructure/cluster.py",
    ),
    _stop(
        "zone-without-gpu",
        "A zone that does not offer the pool's GPU.",
        "planning/infrastructure/node_pools.py",
    ),
    _warning(
        "zones-unknown",
        "A region whose zones the catalogue does not know.",
        "planning/infrastructure/cluster.py",
        "planning/infrastructure/node_pools.py",
    ),
)
RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _ROWS}
# Warnings that there were: a stack that accepts one is as right as before.
RETIRED: Final = frozenset({"managed-prometheus", "scale-to-zero-broken"})


def acceptable_rules() -> tuple[str, ...]:
    """The ids that `ray-llm:accept` may list."""
    return tuple(rule.id for rule in RULES.values() if rule.acceptable)
