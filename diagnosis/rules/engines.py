"""Engines that do not start, or fail, and why: from Ray Serve's messages and the engines' logs.

The texts are those of vLLM, transformers, huggingface_hub, torch and Ray Serve.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from diagnosis.case import Case, awaits_node
from diagnosis.finding import Finding, Mend
from diagnosis.replicas import actor_in, replicas_of
from diagnosis.rules.containers import DRIVER, driver
from diagnosis.rules.surroundings import NAMES, unresolved
from diagnosis.snapshot import condition, moment
from manifests import CAUSE_ELSEWHERE, engine_error, failure_messages, root_cause
from planning import ModelPlan

_FAILED: Final = frozenset({"DEPLOY_FAILED", "UNHEALTHY"})
_FIELD: Final = re.compile(r"validation errors? for \w+\s+(?P<field>[a-z_]+)(?:\.[\w\[\]',-]+)?\s")
_UNKNOWN: Final = re.compile(
    r"(?:Unknown engine argument: |unexpected keyword argument ')(?P<field>[a-z_]+)"
)
_ESTIMATE: Final = re.compile(r"estimated maximum model length is (\d+)")
_DERIVED: Final = re.compile(r"derived max_model_len \(\w+=([\d.]+)")


class _Kind(NamedTuple):
    """One kind of failure. mend: of the model and the error."""

    rule: str
    text: re.Pattern[str]
    what: str
    mend: Callable[[ModelPlan, str], Mend]


def _kind(rule: str, text: str, what: str, mend: Callable[[ModelPlan, str], Mend]) -> _Kind:
    return _Kind(rule, re.compile(text, re.IGNORECASE), what, mend)


def _shorter(model: ModelPlan, error: str) -> Mend:
    found = _ESTIMATE.search(error)
    most = f"at most {found[1]}" if found else f"less than {model.max_model_len}"
    return Mend(
        path=f"{model.path}.contextLength",
        text=f"Set contextLength to {most}, or place the model on a pool with more GPU memory.",
    )


def _as_the_model(model: ModelPlan, error: str) -> Mend:
    found = _DERIVED.search(error)
    most = f"{float(found[1]):.0f}" if found else "what its config.json says"
    return Mend(
        path=f"{model.path}.contextLength",
        text=f"Set contextLength to at most {most}, which the model was made for.",
    )


def _more_memory(model: ModelPlan, error: str) -> Mend:
    if "desired GPU memory utilization" in error:
        return Mend(
            path=f"{model.path}.engine.gpu_memory_utilization",
            text=f"Lower it below {model.gpu_memory_utilization}: something else holds memory of "
            "that GPU.",
        )
    return Mend(
        path=f"{model.path}.gpu",
        text="Place the model on a pool with more GPU memory, or set a shorter contextLength "
        f"(now {model.max_model_len}) or a lower engine.max_num_seqs (now {model.max_num_seqs}).",
    )


def _access(model: ModelPlan, error: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path="ray-llm:huggingFaceToken",
        text=f"Accept the terms at https://huggingface.co/{model.source} with the token's account, "
        "or set a token that may read it.",
        command="pulumi config set --secret ray-llm:huggingFaceToken",
    )


def _repository(model: ModelPlan, error: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path=f"{model.path}.source",
        text=f"Correct {model.source}: the hub has no such repository, or the token may not know "
        "that it exists.",
    )


def _reach(model: ModelPlan, error: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path=f"{model.path}.source",
        text="Let the pods reach huggingface.co (Cloud NAT for private nodes), or load the model "
        "from a bucket.",
    )


def _argument(model: ModelPlan, error: str) -> Mend:
    found = _UNKNOWN.search(error) or _FIELD.search(error)
    field = found["field"] if found else ""
    if field == "max_model_len":
        return Mend(path=f"{model.path}.contextLength", text="Correct contextLength.")
    where = f"{model.path}.engine.{field}" if field in model.engine else f"{model.path}.engine"
    named = f"engine.{field}" if field else "the engine argument that the message is about"
    return Mend(path=where, text=f"Correct or remove {named}.")


def _newer(model: ModelPlan, error: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path="ray-llm:versions.ray",
        text="Name a newer release, whose vLLM knows the architecture, or another model.",
    )


def _disk(model: ModelPlan, error: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(path="ray-llm:gpuPools", text=f"Raise bootDiskGb of the pool {model.pool}.")


def _look(model: ModelPlan, error: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path=model.path,
        text="Read its lines around the error.",
        command=f"ray-llm logs {model.name} --errors",
    )


_KINDS: Final = (
    _kind(
        "context-too-long",
        r"larger than the available KV cache memory|maximum number of tokens that can be stored in "
        r"KV cache",
        "its context does not fit into the GPU's memory",
        _shorter,
    ),
    _kind(
        "context-above-model",
        r"is greater than the derived max_model_len",
        "its context is longer than the model can",
        _as_the_model,
    ),
    _kind(
        "engine-out-of-memory",
        r"No available memory for the cache blocks|CUDA out of memory|OutOfMemoryError"
        r"|desired GPU memory utilization|CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU's memory is too small",
        _more_memory,
    ),
    _kind(
        "model-gated",
        r"GatedRepoError|gated repo|is restricted and you are not in the|must be authenticated to "
        r"access it",
        "its repository is gated, and the token may not read it",
        _access,
    ),
    _kind(
        "hub-unreachable",
        r"couldn't connect to|OfflineModeIsEnabled|LocalEntryNotFoundError|outgoing traffic has "
        r"been disabled|Max retries exceeded|Connection (refused|timed out|reset)",
        "its pods do not reach the hub",
        _reach,
    ),
    _kind(
        "repository-unknown",
        r"RepositoryNotFoundError|Repository Not Found|is not a (valid model identifier|local "
        r"folder)|Cannot find any model weights|RevisionNotFoundError",
        "its repository is not there, or has no weights",
        _repository,
    ),
    _kind(
        "architecture-unknown",
        r"Model architectures? .* (are|is) not supported|does not recognize this architecture",
        "this release of vLLM does not know its architecture",
        _newer,
    ),
    _kind("disk-full", r"No space left on device", "its node's disk is full", _disk),
    _kind(
        "engine-argument",
        r"validation errors? for|Unknown engine argument|unexpected keyword argument|Invalid "
        r"(deployment config|model_loading_config)|has not been registered|Unknown quantization "
        r"method|not supported for the current GPU|Bfloat16 is only supported|must be divisible by"
        r"|unrecognized arguments|is smaller than max_model_len",
        "the engine refuses an argument",
        _argument,
    ),
)
# Ray Serve says this of a replica whose engine died as of one whose node left.
_UNHEALTHY: Final = re.compile(r"replica's health check failed", re.IGNORECASE)
_ANY: Final = _Kind("engine-failed", re.compile(""), "its engine fails", _look)


def engines(case: Case) -> Iterator[Finding]:
    """The models whose engine has failed, in the cluster that answers or in the one that starts."""
    for model in case.plan.models:
        for applications in (case.upcoming, case.serve):
            application = applications.get(model.name)
            if application and (error := failure_of(case, application)):
                yield _finding(case, model, application, error)
                break


def failure_of(case: Case, application: Mapping[str, Any]) -> str:
    """Why an application fails, from the engine's log if only that says it; empty if it does not.

    One that is still deploying has failed if a message of it has an exception: Ray Serve tries
    again, and says so only at the end.
    """
    messages = [text for text in failure_messages(application) if text.strip()]
    for message in messages:
        if CAUSE_ELSEWHERE in message:
            log = case.snapshot.logs.get(actor_in(message), "")
            return root_cause(log) or message_of(application)
    settled = str(application.get("status")) in _FAILED
    if settled or any(root_cause(message) for message in messages):
        return message_of(application)
    return ""


def message_of(application: Mapping[str, Any]) -> str:
    """The last error in Ray Serve's own messages."""
    try:
        return engine_error(application)
    except (KeyError, TypeError, AttributeError):
        return str(application.get("status") or "")


def since_of(application: Mapping[str, Any]) -> datetime | None:
    """When an application was last deployed."""
    return moment(application.get("last_deployed_time_s"))


def _finding(case: Case, model: ModelPlan, application: Mapping[str, Any], error: str) -> Finding:
    since = since_of(application)
    if DRIVER.search(error):
        return driver(case, f"pool {model.pool} ({model.name})", error, since)
    if NAMES.search(error):
        return unresolved(model.name, error, since)
    if _UNHEALTHY.search(error) and (waiting := _waiting_since(case, model, application)):
        return _lost(case, model, waiting, error)
    kind = next((kind for kind in _KINDS if kind.text.search(error)), _ANY)
    serves = _still_serves(application)
    return Finding(
        rule=kind.rule,
        subject=f"model {model.name}",
        what=kind.what + (", and its older replicas go on" if serves else ""),
        since=since,
        why=error,
        mend=kind.mend(model, error),
    )


def _waiting_since(case: Case, model: ModelPlan, application: Mapping[str, Any]) -> datetime | None:
    """Since when a model waits for a node for its first replica; None if it does not."""
    replicas = replicas_of(model.name, application)
    if any(replica.has_node for replica in replicas):
        return None
    waiting = [
        moment(condition(pod, "PodScheduled").get("lastTransitionTime"))
        for pod in case.pods_of_group(model.pool)
        if awaits_node(pod)
    ]
    return min((since for since in waiting if since), default=None)


def _lost(case: Case, model: ModelPlan, since: datetime, error: str) -> Finding:
    return Finding(
        rule="replica-lost",
        subject=f"model {model.name}",
        what="its last replica is gone, and the next one waits for a node",
        since=since,
        why=error,
        mend=Mend(
            path=case.plan.pool(model.pool).path,
            text=f"Do what is said of the pool {model.pool}; the model answers once it has a node.",
        ),
    )


def _still_serves(application: Mapping[str, Any]) -> bool:
    deployments = application.get("deployments") or {}
    return bool(deployments) and all(
        any(replica.get("state") == "RUNNING" for replica in deployment.get("replicas") or ())
        for deployment in deployments.values()
    )
