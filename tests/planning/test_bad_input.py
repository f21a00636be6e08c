"""Every kind of bad input is reported with path, value, reason and remedy in one message."""

from typing import Any

import pytest

from tests.planning.stacks import MODEL, Values, sentences, stack

L4 = ("l4",)
NEWER: Values = {"ray-llm:versions": {"ray": "2.60.0"}}
OLDER: Values = {"ray-llm:versions": {"ray": "2.49.1"}}
MODELS_PLACE = "ray-llm:models[0]"
CLUSTER = {"name": "llm-test", "zones": ["us-central1-a", "us-central1-c"]}


def one(**keys: Any) -> Values:
    """A stack with one L4 pool and one model with these keys."""
    return stack([{"model": MODEL, **keys}], L4, token=True)


def engine(**arguments: Any) -> Values:
    return one(engine=arguments)


def on(pool: str, **keys: Any) -> Values:
    return stack([{"model": MODEL, "gpu": pool, **keys}], (pool,), token=True)


CASES: dict[str, tuple[Values, str]] = {
    # Keys
    "unknown top-level key": (
        stack(defalts={}),
        "ray-llm:defalts: is not a key of this program. Did you mean defaults?",
    ),
    "a key like no other": (
        stack(zzz={}),
        "ray-llm:zzz: is not a key of this program. Known keys: huggingFaceToken, cluster,",
    ),
    "misspelt namespace": (
        {**stack(), "rayllm:defaults": {}},
        "rayllm:defaults: is not a key of this program. Did you mean ray-llm:defaults?",
    ),
    "unknown key of the cluster": (
        stack(cluster={**CLUSTER, "deletionProtect": False}),
        "ray-llm:cluster.deletionProtect: is not a known key. Did you mean deletionProtection?",
    ),
    "unknown key of the CPU pool": (
        stack(cluster={**CLUSTER, "cpuPool": {"maxNode": 3}}),
        "ray-llm:cluster.cpuPool.maxNode: is not a known key. Did you mean maxNodes?",
    ),
    "unknown key of a pool": (
        stack(gpuPools=[{"tier": "l4", "sopt": True}]),
        "ray-llm:gpuPools[0].sopt: is not a known key. Did you mean spot?",
    ),
    "unknown key of a model": (
        one(contxtLength=8192),
        "ray-llm:models[0].contxtLength: is not a known key. Did you mean contextLength?",
    ),
    "unknown key of lora": (
        one(lora={"path": "gs://acme-adapters/sql", "enabled": True}),
        "ray-llm:models[0].lora.enabled: is not a known key. Known keys: path.",
    ),
    "a bucket of lora": (
        one(lora={"path": "gs://acme-adapters/sql", "bucket": "acme"}),
        "ray-llm:models[0].lora.bucket: is not a known key. The one key here is path.",
    ),
    "an engine argument in lora": (
        one(lora={"path": "gs://acme-adapters/sql", "maxLoras": 4}),
        "ray-llm:models[0].lora.maxLoras: is not a known key, because max_loras is an argument of "
        "vLLM's engine. Write it as engine.max_loras.",
    ),
    "lora as a text": (
        one(lora="gs://acme-adapters/sql"),
        'ray-llm:models[0].lora: "gs://acme-adapters/sql" is not a mapping. Use lora: {path: '
        "gs://acme-adapters/sql}.",
    ),
    "lora with a folder on the node": (
        one(lora={"path": "/adapters"}),
        "ray-llm:models[0].lora.path: /adapters does not start with gs:// or s3://, and Ray "
        "Serve LLM loads adapters from a bucket only. Write gs://<bucket>/<folder>.",
    ),
    "lora with a repository of adapters": (
        one(lora={"path": "acme/sql-adapter"}),
        "ray-llm:models[0].lora.path: acme/sql-adapter does not start with gs:// or s3://, and "
        "Ray Serve LLM loads adapters from a bucket only. Write gs://<bucket>/<folder>.",
    ),
    "lora with a scheme in capitals": (
        one(lora={"path": "GS://acme-adapters/sql"}),
        "ray-llm:models[0].lora.path: GS://acme-adapters/sql does not start with gs:// or "
        "s3://, and Ray Serve LLM loads adapters from a bucket only. Write the URL of the "
        "bucket: gs://acme-adapters/sql.",
    ),
    "lora with adapters in Azure": (
        one(lora={"path": "abfss://c@acme.dfs.core.windows.net/x"}),
        "ray-llm:models[0].lora.path: abfss://c@acme.dfs.core.windows.net/x is in Azure's "
        "storage, for which the pods have no credentials. Copy the adapters to a bucket and "
        "write gs://<bucket>/<folder>.",
    ),
    "lora with no bucket": (
        one(lora={"path": "gs://"}),
        "ray-llm:models[0].lora.path: gs:// names no bucket. Write gs://<bucket>/<folder>.",
    ),
    "lora with a bucket of one letter": (
        one(lora={"path": "s3://b/f"}),
        "ray-llm:models[0].lora.path: s3://b/f names the bucket b, and the name of a bucket has"
        " at least 3 characters. Write s3://<bucket>/<folder>.",
    ),
    "lora with a bucket in capitals": (
        one(lora={"path": "gs://Acme/sql"}),
        "ray-llm:models[0].lora.path: gs://Acme/sql names the bucket Acme, and no bucket can "
        "have that name. Use lower case letters, digits, '-', '_' and '.', with a letter or "
        "digit at both ends: gs://acme/sql.",
    ),
    "lora with an empty folder": (
        one(lora={"path": "gs://acme//sql"}),
        "ray-llm:models[0].lora.path: gs://acme//sql has an empty folder in its path, which "
        "Ray's file systems refuse. Write one slash between folders: gs://acme/sql.",
    ),
    "unknown key of replicas": (
        one(replicas={"mni": 1}),
        "ray-llm:models[0].replicas.mni: is not a known key. Did you mean min?",
    ),
    "unknown key of the defaults": (
        stack(defaults={"replica": {}}),
        "ray-llm:defaults.replica: is not a known key. Did you mean replicas?",
    ),
    "unknown key of the versions": (
        stack(versions={"kubeRay": "1.6.2"}),
        "ray-llm:versions.kubeRay: is not a known key. Did you mean kuberay?",
    ),
    "unknown key of the service": (
        stack(service={"nmae": "llm"}),
        "ray-llm:service.nmae: is not a known key. Did you mean name?",
    ),
    "sources of what somebody else installs": (
        stack(kubeRay={"install": "existing", "crdSource": "./crds", "keepCrds": False}),
        "ray-llm:kubeRay: says keepCrds and crdSource, but with install: existing this program "
        "installs neither KubeRay nor its CRDs. Remove keepCrds and crdSource, or write install: "
        "helm.",
    ),
    "source of another scheme": (
        stack(kubeRay={"crdSource": "ftp://mirror.example/crds"}),
        "ray-llm:kubeRay.crdSource: ftp://mirror.example/crds is neither a URL that is read here "
        "nor a path. Write https:// or http://, or a path.",
    ),
    "source with a blank": (
        stack(kubeRay={"chartSource": "https://mirror.example/a b"}),
        "ray-llm:kubeRay.chartSource: https://mirror.example/a b is a URL with a blank in it. "
        "Write https:// or http:// or oci:// without blanks.",
    ),
    "placeholder that nothing fills": (
        stack(kubeRay={"crdSource": "./crds/{versions}"}),
        "ray-llm:kubeRay.crdSource: ./crds/{versions} has a placeholder that nothing fills. Write "
        "{version} for the release of KubeRay.",
    ),
    "unknown key of kubeRay": (
        stack(kubeRay={"instal": "helm"}),
        "ray-llm:kubeRay.instal: is not a known key. Did you mean install?",
    ),
    "snake case instead of camel case": (
        stack(gpuPools=[{"tier": "l4", "max_nodes": 3}]),
        "ray-llm:gpuPools[0].max_nodes: is not a known key. Did you mean maxNodes?",
    ),
    "a key that is no text": (
        stack([{"model": MODEL, 7: 1}]),
        "ray-llm:models[0][7]: is not a known key. Known keys: ",
    ),
    # Tiers and models
    "unknown tier": (
        stack(gpuPools=["h100"]),
        "ray-llm:gpuPools[0].tier: h100 is not a GPU tier of the catalogue. "
        "Did you mean h100-80gb? Known tiers: t4,",
    ),
    "spot in the tier": (
        stack(gpuPools=["t4-spot"]),
        "ray-llm:gpuPools[0].tier: t4-spot is not a GPU tier of the catalogue. "
        "Write {tier: t4, spot: true}.",
    ),
    "tier by a GPU's short name": (
        stack(gpuPools=["h200-x8"]),
        "ray-llm:gpuPools[0].tier: h200-x8 is not a GPU tier of the catalogue. Did you mean "
        "h200-141gb-x8?",
    ),
    "tier that is not sold on demand": (
        stack(gpuPools=["h100-80gb"]),
        "ray-llm:gpuPools[0]: h100-80gb is not available on demand: of the ways in which Google "
        "sells a3-highgpu-1g, a pool here can only be spot. Use tier: a100-80gb.",
    ),
    "unknown model": (
        stack(["qwen2.5-7b"]),
        "ray-llm:models[0].model: qwen2.5-7b is not in the catalogue. Did you mean "
        "qwen2.5-7b-instruct? Or for a model outside the catalogue give source, "
        "configFile and weightGib.",
    ),
    "source instead of a catalogue name": (
        stack(["Qwen/Qwen2.5-7B-Instruct"]),
        "ray-llm:models[0].model: Qwen/Qwen2.5-7B-Instruct is not in the catalogue. "
        "Write model: qwen2.5-7b-instruct, or for a model outside the catalogue give "
        "source, configFile and weightGib.",
    ),
    "neither model nor source": (
        stack([{"gpu": "l4"}], L4),
        "ray-llm:models[0]: names neither a model nor a source. Give model: ",
    ),
    "model and source": (
        one(source="acme/x"),
        "ray-llm:models[0]: names both a model of the catalogue and a source. Leave source out.",
    ),
    "source without a description": (
        stack([{"source": "acme/x"}]),
        "ray-llm:models[0].source: acme/x is outside the catalogue, so its memory cannot "
        "be checked. Give configFile (the path of its config.json) and weightGib, or "
        "gpu, contextLength and checkFit: false.",
    ),
    "a description of a known model": (
        one(weightGib=3),
        "ray-llm:models[0].weightGib: 3.0 describes a model that the catalogue already "
        "knows (qwen2.5-0.5b-instruct). Leave weightGib out.",
    ),
    # Names
    "one model twice": (
        stack([MODEL, MODEL]),
        "ray-llm:models[1]: qwen2.5-0.5b-instruct is already the name and route of "
        "models[0]. Use name: qwen2.5-0.5b-instruct-2.",
    ),
    "one name twice": (
        stack([{"model": "qwen3-4b", "name": "chat"}, {"model": "qwen3-8b", "name": "chat"}]),
        "ray-llm:models[1].name: chat is already the name and route of models[0].",
    ),
    "RayService name of 48 characters": (
        stack(service={"name": "a" * 48}),
        "ray-llm:service.name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa has 48 "
        "characters, more than the 47 that are allowed. Shorten it to 47 characters or "
        "fewer: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.",
    ),
    "node pool name of 41 characters": (
        stack(gpuPools=[{"tier": "l4", "name": "b" * 41}]),
        "ray-llm:gpuPools[0].name: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb has 41 "
        "characters, more than the 40 that are allowed. Shorten it to 40 characters or "
        "fewer: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.",
    ),
    "cluster name of 41 characters": (
        stack(cluster={**CLUSTER, "name": "c" * 41}),
        f"ray-llm:cluster.name: {'c' * 41} has 41 characters, more than the 40",
    ),
    "node pool name in capitals": (
        stack(gpuPools=[{"tier": "l4", "name": "L4"}]),
        "ray-llm:gpuPools[0].name: L4 is not a DNS-1035 label. Use lower case letters, "
        "digits and '-', a letter first, no '-' last: l4.",
    ),
    "served name of 64 characters": (
        one(name="c" * 64),
        "ray-llm:models[0].name: "
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc has 64 "
        "characters, more than the 63 that are allowed. Give a shorter name: "
        "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.",
    ),
    "served name that is not DNS-safe": (
        one(name="Chat_Bot"),
        "ray-llm:models[0].name: Chat_Bot is not DNS-safe, and it becomes a route and a ConfigMap "
        "key. Use lower case letters, digits, '-' and '.',",
    ),
    "colon in a served name": (
        one(name="llama:8b"),
        "ray-llm:models[0].name: llama:8b contains a ':', which Ray Serve LLM reads as "
        "base model and LoRA adapter, so every request would get a 404. Write it without "
        "one: llama-8b.",
    ),
    "source that yields no served name": (
        stack([{"source": "acme/My_Model", "gpu": "l4", "checkFit": False, "contextLength": 4096}]),
        "ray-llm:models[0].source: acme/My_Model would be served as 'my_model', which is "
        "not DNS-safe, and it becomes a route and a ConfigMap key. Use name: my-model.",
    ),
    "one pool twice": (
        stack(gpuPools=["l4", "l4"]),
        "ray-llm:gpuPools[1]: l4 is also the name of an earlier pool. Use name: l4-2.",
    ),
    "pool named like the CPU pool": (
        stack(gpuPools=[{"tier": "l4", "name": "app-pool"}]),
        "ray-llm:gpuPools[0].name: app-pool is the name of the CPU pool "
        "(cluster.cpuPool). Leave name out to use its tier's, or use name: gpu-app-pool.",
    ),
    "pool named like the routers' group": (
        stack(gpuPools=[{"tier": "l4", "name": "routers"}]),
        "ray-llm:gpuPools[0].name: routers is the name of the routers' worker group.",
    ),
    # Ranges
    "replicas: min above max": (
        one(replicas={"min": 3, "max": 2}),
        "ray-llm:models[0].replicas: min 3 is above max 2. Use replicas.min: 2, or "
        "replicas.max: 3 (+789 USD a month).",
    ),
    "replicas: min above the defaults' max": (
        stack([{"model": MODEL, "replicas": {"min": 3}}], defaults={"replicas": {"max": 2}}),
        "ray-llm:models[0].replicas: min 3 is above the max 2 of ray-llm:defaults. Use "
        "replicas.min: 2, or replicas.max: 3 (+789 USD a month).",
    ),
    "replicas: max below the defaults' min": (
        stack([{"model": MODEL, "replicas": {"max": 1}}], defaults={"replicas": {"min": 2}}),
        "ray-llm:models[0].replicas: max 1 is below the min 2 of ray-llm:defaults. Use "
        "replicas.min: 1, or replicas.max: 2 (+730 USD a month).",
    ),
    "replicas: max 0": (
        one(replicas={"max": 0}),
        "ray-llm:models[0].replicas.max: 0 is below 1. Use 1 or more.",
    ),
    "pool: min above max": (
        stack(gpuPools=[{"tier": "l4", "minNodes": 6, "maxNodes": 5}]),
        "ray-llm:gpuPools[0]: minNodes 6 is above maxNodes 5. Use minNodes: 5, or "
        "maxNodes: 6 (+730 USD a month).",
    ),
    "pool: max 0": (
        stack(gpuPools=[{"tier": "l4", "maxNodes": 0}]),
        "ray-llm:gpuPools[0].maxNodes: 0 is below 1. Use 1 or more.",
    ),
    "pool: idle timeout that a new worker would not outlast": (
        stack(gpuPools=[{"tier": "l4", "idleTimeoutSeconds": 5}]),
        "ray-llm:gpuPools[0].idleTimeoutSeconds: 5 is below 10. Use 10 or more.",
    ),
    "pool: compile cache that is no name of a claim": (
        stack(gpuPools=[{"tier": "l4", "compileCache": "vLLM cache"}]),
        "ray-llm:gpuPools[0].compileCache: vLLM cache is not the name of a "
        "PersistentVolumeClaim. Use lower case letters, digits, '-' and '.', with a letter or "
        "digit at both ends.",
    ),
    "pool: compile cache in a bucket": (
        stack(gpuPools=[{"tier": "l4", "compileCache": "gs://acme-cache"}]),
        "ray-llm:gpuPools[0].compileCache: gs://acme-cache is a bucket, which is no place for a "
        "cache: compilers lock files there, and Cloud Storage FUSE has no locks. Write the name of "
        "a PersistentVolumeClaim that many nodes may write.",
    ),
    "pool: compile cache on the disk of the weights": (
        stack(gpuPools=[{"tier": "l4", "compileCache": "llm-disk"}], weights={"disk": "llm-disk"}),
        "ray-llm:gpuPools[0].compileCache: llm-disk is the claim of weights.disk, too, which nodes "
        "mount read-only. Leave it out.",
    ),
    "pool: max below what the minima need": (
        stack(
            [{"model": MODEL, "replicas": {"min": 3, "max": 3}}], [{"tier": "l4", "maxNodes": 2}]
        ),
        "ray-llm:gpuPools[0].maxNodes: 2 is below the 3 nodes of l4 that are needed for "
        "the minimum replicas of qwen2.5-0.5b-instruct, so some would never start. Use 3 "
        "or more.",
    ),
    "an absurd number": (
        one(contextLength=10**500),
        "ray-llm:models[0].contextLength: a number of more than 77 digits is above 1000000000. "
        "Use contextLength: 32768.",
    ),
    # Pools of models
    "pool that is not listed": (
        stack([{"model": MODEL, "gpu": "t4"}], L4),
        "ray-llm:models[0].gpu: t4 is not a pool of this stack. Use gpu: l4.",
    ),
    "spot pool that is not listed": (
        stack([{"model": MODEL, "gpu": "l4-spot"}], L4),
        "ray-llm:models[0].gpu: l4-spot is not a pool of this stack. Add `- {tier: l4, "
        "spot: true}` to ray-llm:gpuPools, or use gpu: l4 (+571 USD a month).",
    ),
    # Context and memory
    "context beyond the model's own": (
        one(contextLength=65536),
        "ray-llm:models[0].contextLength: 65536 is beyond the model's own limit of 32768 tokens. "
        "Use at most 32768.",
    ),
    "context beyond the model's own, as an engine argument": (
        engine(max_model_len=65536),
        "ray-llm:models[0].engine.max_model_len: 65536 is beyond the model's own limit of 32768",
    ),
    "model that fits nowhere": (
        stack(["qwen2.5-72b-instruct"], ("t4", "l4")),
        "ray-llm:models[0]: qwen2.5-72b-instruct needs ",
    ),
    "context missing for an undescribed source": (
        stack([{"source": "acme/x", "gpu": "l4", "checkFit": False}], L4),
        "ray-llm:models[0]: acme/x is not described, so no context length can be derived. Give "
        "contextLength.",
    ),
    # Numbers
    "bfloat16 on T4": (
        on("t4", dtype="bfloat16"),
        "ray-llm:models[0].dtype: bfloat16 needs compute capability 8.0 and NVIDIA T4 "
        "(t4) has 7.5. Leave dtype out (float16 is chosen there), or use gpu: l4 with `- "
        "l4` in ray-llm:gpuPools (+257 USD a month).",
    ),
    "bfloat16 on T4, as an engine argument": (
        on("t4", engine={"dtype": "bfloat16"}),
        "ray-llm:models[0].engine.dtype: bfloat16 needs compute capability 8.0 and NVIDIA T4",
    ),
    "a model that refuses float16 on T4": (
        stack([{"model": "gemma-2-2b-it", "gpu": "t4"}], ("t4",), token=True),
        "ray-llm:models[0]: google/gemma-2-2b-it would run in float16 on t4: vLLM "
        "refuses it for gemma2 models, whose activations overflow in float16. Use dtype: float32, "
        "which takes twice the memory, or gpu: l4 with `- l4` in ray-llm:gpuPools "
        "(+257 USD a month).",
    ),
    "mxfp4 on T4": (
        stack([{"model": "gpt-oss-20b", "gpu": "t4"}], ("t4",)) | NEWER,
        "ray-llm:models[0]: mxfp4 needs compute capability 8.0 and NVIDIA T4 (t4) has 7.5. Use "
        "gpu: l4 with `- l4` in ray-llm:gpuPools.",
    ),
    "mxfp4 on T4 in its own dtype": (
        stack([{"model": "gpt-oss-20b", "gpu": "t4", "dtype": "bfloat16"}], ("t4",)) | NEWER,
        "ray-llm:models[0]: mxfp4 needs compute capability 8.0 and NVIDIA T4 (t4) has 7.5. Use "
        "gpu: l4 with `- l4` in ray-llm:gpuPools.",
    ),
    "mxfp4 on T4 in any dtype": (
        stack([{"model": "gpt-oss-20b", "gpu": "t4", "dtype": "auto"}], ("t4",)) | NEWER,
        "ray-llm:models[0]: mxfp4 needs compute capability 8.0 and NVIDIA T4 (t4) has 7.5. Use "
        "gpu: l4 with `- l4` in ray-llm:gpuPools.",
    ),
    "fp8 on T4": (
        on("t4", quantization="fp8") | OLDER,
        "ray-llm:models[0].quantization: fp8 needs compute capability 8.0 and NVIDIA T4 "
        "(t4) has 7.5. Leave quantization out, or use gpu: l4 with `- l4` in "
        "ray-llm:gpuPools (+257 USD a month).",
    ),
    "fp8 KV cache on A100": (
        stack(
            [{"model": MODEL, "gpu": "a100-80gb", "engine": {"kv_cache_dtype": "fp8"}}],
            ("a100-80gb",),
            versions={"ray": "2.51.2"},
        ),
        "ray-llm:models[0].engine.kv_cache_dtype: fp8 needs compute capability 8.9 on "
        "the V1 engine and NVIDIA A100 80GB (a100-80gb) has 8.0. Use gpu: l4 with `- l4` "
        "in ray-llm:gpuPools, or leave kv_cache_dtype out (+3,824 USD a month).",
    ),
    "squeezellm": (
        one(quantization="squeezellm"),
        "ray-llm:models[0].quantization: squeezellm is not a quantization method of vLLM "
        "0.29.0. Use fp8, which quantizes while it loads, or leave quantization out.",
    ),
    "squeezellm on T4": (
        on("t4", quantization="squeezellm") | OLDER,
        "ray-llm:models[0].quantization: squeezellm is not a quantization method of vLLM 0.10.0. "
        "Use bitsandbytes, which",
    ),
    "awq of an unquantized checkpoint": (
        one(quantization="awq"),
        "ray-llm:models[0].quantization: awq needs a checkpoint that was quantized that "
        "way, and this one holds 16-bit weights. Use fp8, which quantizes while it "
        "loads, or leave quantization out, or serve a quantized checkpoint (its name "
        "often ends in -awq).",
    ),
    "gptq of an AWQ checkpoint": (
        stack([{"model": "qwen2.5-7b-instruct-awq", "quantization": "gptq"}], L4),
        "ray-llm:models[0].quantization: gptq contradicts the checkpoint, whose weights are awq. "
        "Leave quantization out: vLLM reads it from the checkpoint.",
    ),
    "bfloat16 for AWQ on T4": (
        stack([{"model": "qwen2.5-7b-instruct-awq", "gpu": "t4", "dtype": "bfloat16"}], ("t4",)),
        "ray-llm:models[0].dtype: bfloat16 needs compute capability 8.0",
    ),
    # Parallelism
    "tensor parallelism that does not divide the heads": (
        on("l4-x4", tensorParallelSize=4),
        "ray-llm:models[0].tensorParallelSize: 4 does not divide the model's 14 "
        "attention heads. Use 2 on l4-x4.",
    ),
    "tensor parallelism beyond the node": (
        stack(
            [{"model": "qwen2.5-1.5b-instruct", "gpu": "l4-x2", "tensorParallelSize": 4}],
            ("l4-x2",),
        ),
        "ray-llm:models[0].tensorParallelSize: 4 GPUs for each replica are more than the "
        "2 of a node of l4-x2. Use 2 on l4-x2.",
    ),
    "a key that contradicts its engine argument": (
        one(contextLength=4096, engine={"max_model_len": 8192}),
        "ray-llm:models[0].contextLength: 4096 contradicts engine.max_model_len, which "
        "is 8192. Leave engine.max_model_len out, or contextLength out.",
    ),
    # Engine arguments
    "unknown engine argument": (
        engine(max_num_seq=8),
        "ray-llm:models[0].engine.max_num_seq: is not an engine argument of vLLM 0.29.0. "
        "Did you mean max_num_seqs?",
    ),
    "model as an engine argument": (
        engine(model="x"),
        "ray-llm:models[0].engine.model: is set by this program. Set model or source in the",
    ),
    "served_model_name as an engine argument": (
        engine(served_model_name="x"),
        "ray-llm:models[0].engine.served_model_name: is set by this program. Set name in the",
    ),
    "num_gpus as an engine argument": (
        engine(num_gpus=2),
        "ray-llm:models[0].engine.num_gpus: is set by this program. Set "
        "tensorParallelSize in the entry",
    ),
    "the HTTP server's api_key": (
        engine(api_key="hush"),
        "ray-llm:models[0].engine.api_key: belongs to vLLM's own HTTP server, which Ray Serve "
        "never starts: it would be accepted without an error and have no effect. Leave it out;",
    ),
    "a quoted number": (
        engine(max_num_seqs="8"),
        'ray-llm:models[0].engine.max_num_seqs: "8" is not a whole number or null. Write '
        "8 without quotes, or leave it out.",
    ),
    "yes for true": (
        engine(enforce_eager="yes"),
        'ray-llm:models[0].engine.enforce_eager: "yes" is not true or false. Leave it out.',
    ),
    "an engine count of 0": (
        engine(max_num_seqs=0),
        "ray-llm:models[0].engine.max_num_seqs: 0 is below 1. Leave max_num_seqs out.",
    ),
    "a negative engine count": (
        engine(tensor_parallel_size=-2),
        "ray-llm:models[0].engine.tensor_parallel_size: -2 is below 1.",
    ),
    "a GPU memory utilization of 0": (
        engine(gpu_memory_utilization=0),
        "ray-llm:models[0].engine.gpu_memory_utilization: 0 is not a share of the GPU's "
        "memory. Leave it out (0.9).",
    ),
    "a GPU memory utilization above 1": (
        engine(gpu_memory_utilization=90),
        "ray-llm:models[0].engine.gpu_memory_utilization: 90 is not a share of the GPU's memory.",
    ),
    "a choice that vLLM does not have": (
        engine(dtype="bf16"),
        "ray-llm:models[0].engine.dtype: bf16 is not a value that vLLM accepts for "
        "dtype. Did you mean bfloat16? Or leave it out.",
    ),
    "fewer tokens a step than sequences": (
        engine(max_num_batched_tokens=64, max_num_seqs=128),
        "ray-llm:models[0].engine.max_num_batched_tokens: 64 is below max_num_seqs ",
    ),
    "fewer tokens a step than the context on V0": (
        on("t4", contextLength=8192, engine={"max_num_batched_tokens": 4096}) | OLDER,
        "ray-llm:models[0].engine.max_num_batched_tokens: 4096 is below the context "
        "length 8192, and the V0 engine does not split prompts. Use at least 8192, or "
        "leave it out, or contextLength: 4096.",
    ),
    # Tokens
    "gated model without a token": (
        stack(["llama-3.1-8b-instruct"], L4),
        "ray-llm:models[0]: meta-llama/Llama-3.1-8B-Instruct is gated on Hugging Face, and the "
        "stack has no token. Accept its terms there, then run `pulumi config set --secret "
        "ray-llm:huggingFaceToken`.",
    ),
    "plain-text token": (
        stack(huggingFaceToken="hf_abcdefghijklmnopqrst"),
        "ray-llm:huggingFaceToken: is in plain text in the stack file. Run `pulumi config set "
        "--secret ray-llm:huggingFaceToken` and paste the token there; revoke the token that was "
        "written here.",
    ),
    "empty token": (
        stack(huggingFaceToken=""),
        "ray-llm:huggingFaceToken: is empty. Leave huggingFaceToken out: no model is "
        "gated, or run `pulumi config set --secret ray-llm:huggingFaceToken` and paste "
        "the token there.",
    ),
    # Zones
    "cluster zone outside the region": (
        stack(cluster={"name": "llm-test", "zones": ["europe-west4-a"]}),
        "ray-llm:cluster.zones[0]: europe-west4-a is outside the region us-central1 "
        "(gcp:region). Use us-central1-a, or set gcp:region: europe-west4 (+88 USD a "
        "month).",
    ),
    "zone that does not exist": (
        stack(cluster={"name": "llm-test", "zones": ["us-central1-a", "us-central1-z"]}),
        "ray-llm:cluster.zones[1]: us-central1-z is not a zone of us-central1. Use us-central1-b.",
    ),
    "pool zone outside the region": (
        stack(gpuPools=[{"tier": "l4", "zones": ["europe-west4-a"]}]),
        "ray-llm:gpuPools[0].zones: europe-west4-a is outside the region us-central1. "
        "Use zones: [us-central1-a, us-central1-b, us-central1-c].",
    ),
    "pool zone without the GPU": (
        stack(gpuPools=[{"tier": "a100-80gb", "zones": ["us-central1-a", "us-central1-b"]}]),
        "ray-llm:gpuPools[0].zones: us-central1-b does not offer nvidia-a100-80gb. Use "
        "zones: [us-central1-a, us-central1-c].",
    ),
    "no cluster zone with the GPU": (
        stack(
            gpuPools=["l4", "a100-80gb"], cluster={"name": "llm-test", "zones": ["us-central1-b"]}
        ),
        "ray-llm:gpuPools[1]: a100-80gb needs nvidia-a100-80gb, which none of the "
        "cluster's zones (us-central1-b) offers. Use zones: [us-central1-a, "
        "us-central1-c].",
    ),
    "no default pool in the zones": (
        {
            **stack(cluster={"name": "llm-test", "zones": ["us-south1-b"]}),
            "gcp:region": "us-south1",
        },
        "ray-llm:gpuPools: is left out, and the cluster's zones (us-south1-b) offer none "
        "of the default tiers t4, l4, l4-x2, a100-80gb-x2. Choose other tiers, other "
        "zones or another region.",
    ),
    "a zone twice": (
        stack(cluster={"name": "llm-test", "zones": ["us-central1-a", "us-central1-a"]}),
        "ray-llm:cluster: names a zone twice in zones. Use cluster.zones: [us-central1-a].",
    ),
    "what is no zone": (
        stack(cluster={"name": "llm-test", "zones": ["a"]}),
        "ray-llm:cluster.zones[0]: a is not the name of a zone. Write one such as us-central1-a.",
    ),
    "adopted cluster outside the region": (
        stack(cluster={**CLUSTER, "existing": True, "location": "europe-west4"}),
        "ray-llm:cluster.location: europe-west4 is neither the region us-central1 "
        "(gcp:region) nor one of the zones. Use us-central1 for a regional cluster, or "
        "us-central1-a for a zonal one.",
    ),
    "context of a cluster that is not adopted": (
        stack(cluster={**CLUSTER, "context": "gke"}),
        "ray-llm:cluster: context is only for an adopted cluster, and existing is not "
        "true. Leave out context.",
    ),
    # Machines
    "machine without the tier's GPUs": (
        stack(gpuPools=[{"tier": "l4", "machineType": "g2-standard-24"}]),
        "ray-llm:gpuPools[0].machineType: g2-standard-24 does not carry 1 x NVIDIA L4. "
        "Use machineType: g2-standard-4, or machineType: g2-standard-8 (+139 USD a "
        "month), or leave it out (g2-standard-12) (+279 USD a month).",
    ),
    "a boot disk too small for the weights": (
        stack(
            [{"model": "qwen2.5-14b-instruct", "gpu": "l4-x2"}],
            [{"tier": "l4-x2", "bootDiskGb": 60}],
        ),
        "ray-llm:models[0]: Qwen/Qwen2.5-14B-Instruct downloads 30 GB of weights, the image "
        "takes some 40 GB, and a node of l4-x2 has a disk of 60 GB. Set bootDiskGb: 100 on the "
        "pool.",
    ),
    # Types
    "models as a text": (
        stack("qwen3-4b"),
        "ray-llm:models: qwen3-4b is not a list. Write one `- ...` line for each entry.",
    ),
    "pools as a mapping": (
        stack(gpuPools={"l4": {}}),
        "ray-llm:gpuPools: a mapping is not a list. Write one `- ...` line for each entry.",
    ),
    "models without a value": (
        stack(models=None),
        "ray-llm:models: has no value, and a list is needed. Write one `- ...` line for each "
        "entry.",
    ),
    "no models": (
        stack([]),
        "ray-llm:models: [] is empty, so there would be nothing to serve. List a model "
        "to serve, such as - qwen2.5-0.5b-instruct.",
    ),
    "no pools": (
        stack(gpuPools=[]),
        "ray-llm:gpuPools: [] is empty, so no model could run anywhere. Leave gpuPools "
        "out to get t4, l4, l4-x2, a100-80gb-x2.",
    ),
    "no zones": (
        stack(cluster={"name": "llm-test", "zones": []}),
        "ray-llm:cluster.zones: [] is empty. List at least one.",
    ),
    "a number as a model": (
        stack([5]),
        "ray-llm:models[0]: 5 is not a name or a mapping. Write a name, or keys such as model.",
    ),
    "a number as a model's name": (
        stack([{"model": 5}]),
        "ray-llm:models[0].model: 5 is not a text. Put it in quotes.",
    ),
    "a quoted context length": (
        one(contextLength="8192"),
        'ray-llm:models[0].contextLength: "8192" is not a whole number. Write it without quotes.',
    ),
    "a truth value as a context length": (
        one(contextLength=True),
        "ray-llm:models[0].contextLength: true is not a whole number. Write a whole number.",
    ),
    "a fraction of replicas": (
        one(replicas={"max": 1.5}),
        "ray-llm:models[0].replicas.max: 1.5 is not a whole number. Write a whole number.",
    ),
    "replicas as a number": (
        one(replicas=3),
        "ray-llm:models[0].replicas: 3 is not a mapping. Write `key: value` lines.",
    ),
    "an unknown profile": (
        one(profile="fast"),
        "ray-llm:models[0].profile: fast is not one of 'throughput', 'latency' or 'memory'. Choose "
        "one of these.",
    ),
    "a text for a truth value": (
        stack(gpuPools=[{"tier": "l4", "spot": "no"}]),
        'ray-llm:gpuPools[0].spot: "no" is neither true nor false. Write true or false.',
    ),
    "a cluster that is a list": (
        stack(cluster=["llm"]),
        "ray-llm:cluster: a list is not a mapping of keys. Keys: name, zones, existing,",
    ),
    "a version that YAML reads as a number": (
        stack(versions={"ray": 2.49}),
        "ray-llm:versions.ray: 2.49 is a number, and a number loses the zeros at its end. Write "
        'the whole release in quotes: "2.49.1".',
    ),
    "a version that loses its zero": (
        stack(versions={"ray": 2.60}),
        "ray-llm:versions.ray: 2.6 is a number, and a number loses the zeros at its end. Write "
        'the whole release in quotes: "2.60.0".',
    ),
    "a KubeRay that is a number": (
        stack(versions={"kuberay": 1.6}),
        "ray-llm:versions.kuberay: 1.6 is a number, and a number loses the zeros at its end. Write "
        'the whole release in quotes: "1.6.2".',
    ),
    "a vLLM that is a number": (
        stack(versions={"ray": "2.60.0", "vllm": 0.29, "image": "acme/llm:1"}),
        "ray-llm:versions.vllm: 0.29 is a number, and a number loses the zeros at its end. Write "
        'the whole release in quotes: "0.29.0".',
    ),
    "a number that means two releases": (
        stack(versions={"ray": "2.49.1", "vllm": 0.10, "image": "acme/llm:1"}),
        "ray-llm:versions.vllm: 0.1 is a number, and a number loses the zeros at its end. Write "
        "one of 0.10.0, 0.10.2 in quotes.",
    ),
    "a number that means no release": (
        stack(versions={"ray": 3}),
        "ray-llm:versions.ray: 3 is a number, and a number loses the zeros at its end. Write "
        'the whole release in quotes: "2.60.0".',
    ),
    "versions as a number": (
        stack(versions=2.60),
        "ray-llm:versions: 2.6 is a number, which loses the zeros at its end, and its key does not "
        'say whose. Write {ray: "2.60.0"}.',
    ),
    # Versions
    "unknown Ray": (
        stack(versions={"ray": "2.48.0"}),
        "ray-llm:versions.ray: 2.48.0 is not in the release table. Use 2.49.1.",
    ),
    "versions as one word": (
        stack(versions="latest"),
        "ray-llm:versions: latest names no release: one that changes by itself would replace the "
        "cluster, with twice the GPUs meanwhile, in whichever `pulumi up` comes after it. Write "
        "{ray: 2.60.0}.",
    ),
    "versions as half a release": (
        stack(versions="2.60"),
        "ray-llm:versions: 2.60 is one release, of which its key does not say whose it is. Write "
        "{ray: 2.60.0}.",
    ),
    "versions as a release in no row": (
        stack(versions="2.61.3"),
        "ray-llm:versions: 2.61.3 is no release of Ray in the table, and its key does not say "
        "whose it is. Write {ray: 2.60.0}.",
    ),
    "half a release of Ray": (
        stack(versions={"ray": "2.60"}),
        "ray-llm:versions.ray: 2.60 is not in the release table. Use 2.60.0.",
    ),
    "half a release of Ray that lost its zero": (
        stack(versions={"ray": "2.6"}),
        "ray-llm:versions.ray: 2.6 is not in the release table. Use 2.60.0.",
    ),
    "the newest Ray, whichever that is": (
        stack(versions={"ray": "latest"}),
        "ray-llm:versions.ray: latest is no release, and a stack that follows the newest one would "
        "replace its cluster, with twice the GPUs meanwhile, in whichever `pulumi up` comes after "
        "it. Use versions.ray: 2.60.0.",
    ),
    "a release in no row": (
        stack(versions={"ray": "2.61.0"}),
        "ray-llm:versions.ray: 2.61.0 is not in the release table. Use 2.60.0.",
    ),
    "KubeRay 1.0.0": (
        stack(versions={"kuberay": "1.0.0"}),
        "ray-llm:versions.kuberay: 1.0.0 is older than 1.4.2, the first KubeRay that keeps a "
        "changed serve config from the old cluster while a new one starts (kuberay#3423). Use "
        "1.4.2.",
    ),
    "a plain Ray image": (
        stack(versions={"ray": "2.49.1", "image": "rayproject/ray:2.49.1-py311"}),
        "ray-llm:versions.image: rayproject/ray:2.49.1-py311 is an image of Ray without vLLM: "
        "ray.serve.llm fails there with an ImportError. Use rayproject/ray-llm:2.49.1",
    ),
    "a vLLM version without an image": (
        stack(versions={"vllm": "0.10.0"}),
        "ray-llm:versions.vllm: 0.10.0 says which vLLM your own image holds, but no "
        "image is given. Leave vllm out, or give versions.image as well.",
    ),
    "a model that the pinned vLLM does not know": (
        stack([{"model": "gpt-oss-20b", "gpu": "a100-80gb"}], ("a100-80gb",)) | OLDER,
        "ray-llm:models[0]: openai/gpt-oss-20b is a GptOssForCausalLM, which vLLM 0.10.0 "
        "(Ray 2.49.1) does not know. Use versions.ray: 2.60.0.",
    ),
    # Sections
    "no ray-llm section": (
        {"gcp:project": "acme-ml", "gcp:region": "us-central1"},
        "ray-llm: the stack file has no such section. Add ray-llm:cluster and ray-llm:models;",
    ),
    "no project": (
        {key: value for key, value in stack().items() if key != "gcp:project"},
        "gcp:project: is missing. Set it to the Google Cloud project to deploy to.",
    ),
    "no region": (
        {key: value for key, value in stack().items() if key != "gcp:region"},
        "gcp:region: is missing. Set it to the region, us-central1 for instance.",
    ),
    "no cluster": (
        {key: value for key, value in stack().items() if key != "ray-llm:cluster"},
        "ray-llm:cluster: is missing. Give the cluster's name and zones:",
    ),
    "no models key": (
        {key: value for key, value in stack().items() if key != "ray-llm:models"},
        "ray-llm:models: is missing. List a model to serve, such as - qwen2.5-0.5b-instruct.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_reported_in_one_sentence(case: str) -> None:
    values, expected = CASES[case]
    reported = sentences(values)
    assert len(reported) == 1, reported
    assert reported[0].startswith(expected)
    assert reported[0].endswith((".", "?"))


@pytest.mark.parametrize(
    ("config_json", "reason"),
    [
        (None, "cannot be read (No such file or directory)."),
        (b"{", "does not describe a model: config.json is not JSON"),
        (b"\xff\xfe", "cannot be read (it is not UTF-8 text)."),
        (b"[1]", "does not describe a model: "),
        (b"{}", "does not describe a model: "),
        (b'{"model_type": "llama", "num_hidden_layers": "many"}', "does not describe a model: "),
    ],
)
def test_a_config_json_that_is_missing_or_broken(
    tmp_path: Any, config_json: bytes | None, reason: str
) -> None:
    path = tmp_path / "config.json"
    if config_json is not None:
        path.write_bytes(config_json)
    reported = sentences(
        stack([{"source": "acme/x", "configFile": str(path), "weightGib": 14.2}], L4)
    )
    assert len(reported) == 1, reported
    assert reported[0].startswith("ray-llm:models[0].configFile: ")
    assert reason in reported[0]
    assert reported[0].count(". ") >= 1  # a remedy follows


def test_all_problems_of_a_file_come_together() -> None:
    reported = sentences(
        stack(
            [
                {"model": "qwen2.5-7b"},
                {"model": MODEL, "contxtLength": 1, "gpu": "t4"},
                {"model": "qwen3-4b", "replicas": {"min": 3, "max": 2}},
                {"model": "qwen3-8b", "contextLength": 10**6, "engine": {"host": "x"}},
                {"model": "qwen3-8b", "replicas": {"max": 1}},
            ],
            ["l4", {"tier": "l4", "maxNodes": "5"}],
            cluster={"name": "LLM", "zones": ["us-central1-a"]},
            defaults={"replicas": {"min": 2}},
            versions={"ray": "2.48.0"},
            service={"name": "a" * 48},
            modles=[],
        )
    )
    places = [line.split(": ", 1)[0] for line in reported]
    assert sorted(places) == [
        "ray-llm:cluster.name",
        "ray-llm:gpuPools[1].maxNodes",
        "ray-llm:models[0].model",
        "ray-llm:models[1].contxtLength",
        "ray-llm:models[2].replicas",
        "ray-llm:models[4]",
        "ray-llm:models[4].replicas",
        "ray-llm:modles",
        "ray-llm:service.name",
        "ray-llm:versions.ray",
    ]


def test_a_broken_cluster_does_not_hide_what_is_wrong_with_the_models() -> None:
    reported = sentences(
        stack([{"model": "qwen2.5-7b"}, {"model": MODEL, "contextLength": 10**6}], cluster="llm")
    )
    assert [line.split(": ", 1)[0] for line in reported] == [
        "ray-llm:cluster",
        "ray-llm:models[0].model",
        "ray-llm:models[1].contextLength",
    ]


def test_a_misspelt_key_does_not_hide_what_else_is_wrong_with_its_entry() -> None:
    reported = sentences(one(contxtLength=8192, gpu="t4"))
    assert {line.split(": ", 1)[0] for line in reported} == {
        "ray-llm:models[0].contxtLength",
        "ray-llm:models[0].gpu",
    }


def test_a_broken_pool_gives_no_false_findings_about_models() -> None:
    reported = sentences(
        stack(
            [{"model": MODEL, "gpu": "big"}, "qwen2.5-72b-instruct"],
            ["t4", {"tier": "a100-80gb-x8", "name": "big", "maxNodes": 0}],
        )
    )
    assert [line.split(": ", 1)[0] for line in reported] == ["ray-llm:gpuPools[1].maxNodes"]


TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


@pytest.mark.parametrize(
    "values",
    [
        stack(huggingFaceToken=TOKEN, nothing=1),
        stack(huggingfaceToken=TOKEN),
        stack(cluster=TOKEN),
        stack(cluster={**CLUSTER, "name": TOKEN}),
        stack(cluster={**CLUSTER, TOKEN: 1}),
        stack([TOKEN]),
        stack([{"model": TOKEN}]),
        stack([{"source": f"acme/{TOKEN}"}]),
        stack([{"source": "x" * 70 + TOKEN}]),
        stack([{"model": MODEL, "gpu": TOKEN}]),
        stack([{"model": MODEL, "configFile": TOKEN, "dtype": TOKEN, "quantization": TOKEN}]),
        stack([[TOKEN], {"token": TOKEN, "model": [TOKEN]}]),
        one(engine={"hf_token": TOKEN}),
        one(engine={"api_key": TOKEN}),
        one(engine={"max_num_seqs": TOKEN}),
        one(engine={TOKEN: TOKEN}),
        one(engine={"dtype": TOKEN}),
        one(quantization=TOKEN),
        stack(versions={"image": f"rayproject/ray:{TOKEN}", "ray": TOKEN}),
        {**stack(), "gcp:region": TOKEN, "gcp:project": [TOKEN], f"rayllm:{TOKEN}": TOKEN},
        {**stack(), f"ray-llm:{TOKEN}": TOKEN},
        {**stack(), "ray-llm:prices": {TOKEN: TOKEN}, "ray-llm:quotas": {TOKEN: TOKEN}},
    ],
)
def test_no_message_carries_a_token_whatever_key_it_was_put_under(values: Values) -> None:
    text = "\n".join(sentences(values)).lower()
    for start in range(len(TOKEN) - 8):
        assert TOKEN[start : start + 8].lower() not in text


def test_a_region_of_any_length_is_cut_wherever_a_message_names_it() -> None:
    values = one() | {"gcp:region": "r" * 9000}
    values["ray-llm:cluster"] = {**CLUSTER, "existing": True, "location": "us-central1"}
    reported = sentences(values)
    assert any("ray-llm:cluster.location" in sentence for sentence in reported)
    assert max(map(len, reported)) < 1000
