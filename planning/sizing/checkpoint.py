"""What a model entry serves: a row of the catalogue, or a checkpoint the user describes.

A model outside the catalogue gives its `source` and either its config.json and weight size, so
that everything is checked, or an explicit `checkFit: false` and a `gpu`. What it gives beside them
is still checked: a size against the GPUs and the disk, a config.json against dtype and vLLM.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from models.architecture import (
    CLASSIFICATION_SUFFIX,
    EMBEDDING_SUFFIX,
    MODELOPT_FILE,
    ConfigJsonError,
    LlmArchitecture,
    NotComputedError,
    Quantization,
    architecture_from_config_json,
    modelopt_file,
)
from models.catalog import (
    Gating,
    LlmRow,
    gating,
    llms,
    lora_architectures,
    multimodal_architectures,
    supported_architectures,
    vllm_behaviour,
)
from models.problems import Problem
from models.spelling import nearest, nearest_of
from models.stack import ModelDeployment
from models.tasks import Task
from models.ways_out import WayOut, leave_out, meant, outside, use
from planning.plan import GIB
from planning.sizing.task import derived_task, served_class, stated_task

# A class that older releases have without its layers of experts.
_STATES_AND_EXPERTS = frozenset({"NemotronHForCausalLM"})
# Weights below this share of what they would take in 16 bit are quantized. Half a billion in 8 bit
# with embeddings in 16 takes 0.64; 16-bit weights without a gate projection show as 0.72, and the
# estimate is low for layers of other kinds, which only raises the share.
_QUANTIZED_SHARE: Final = 0.68
_VALUE_BYTES: Final = 2
# Weights above this share of what they would take in 16 bit are stored in 32.
_STORED_IN_32_BIT: Final = 1.5
# Repositories that ModelOpt's makers publish are named after the algorithm, and up to ModelOpt 0.29
# say it in hf_quant_config.json alone.
_MODELOPT_PUBLISHER: Final = "nvidia/"
_MODELOPT_NAMES: Final[Mapping[str, str]] = {"-FP8": "FP8", "-NVFP4": "NVFP4", "-FP4": "NVFP4"}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The weights behind a served model.

    weight_bytes: what vLLM allocates for them at tensor parallelism 1; None if unknown.
    checkpoint_bytes: what is downloaded to a node; None if unknown.
    architecture: None if the user described the model by name only (`checkFit: false`).
    in_catalogue: whether its facts are the catalogue's, not the user's.
    task: what it is served for.
    served_class: the class that vLLM loads; None if it is not known.
    engine: the engine arguments that it needs for its task, whatever the release.
    prompts_whole: whether its pooling needs all of a prompt in one step.
    """

    source: str
    family: str
    architecture: LlmArchitecture | None
    quantization: Quantization | None
    weight_bytes: int | None
    checkpoint_bytes: int | None
    gated: Gating
    in_catalogue: bool = False
    task: Task = Task.GENERATE
    served_class: str | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)
    prompts_whole: bool = False

    @property
    def share_of_16_bit(self) -> float | None:
        """The size of the weights as a share of what they would take in 16 bit."""
        if self.architecture is None or self.weight_bytes is None:
            return None
        return self.weight_bytes / (_VALUE_BYTES * self.architecture.parameters)

    @property
    def holds_16_bit_weights(self) -> bool:
        """Whether nothing speaks for quantized weights, whatever config.json leaves unsaid."""
        if self.quantization is not None:
            return False
        share = self.share_of_16_bit
        return self.in_catalogue or share is None or share >= _QUANTIZED_SHARE

    def is_known_to(self, vllm: str) -> bool:
        """Whether a vLLM version has this architecture; True if it is not described."""
        architecture = self.architecture
        experts = architecture is not None and bool(architecture.num_experts)
        if experts and self.served_class in _STATES_AND_EXPERTS:
            return vllm_behaviour(vllm).nemotron_h_experts
        return self._is_among(supported_architectures(vllm))

    def takes_adapters(self, vllm: str) -> bool:
        """Whether a vLLM version has LoRA for this architecture; True if it is not described."""
        return self._is_among(lora_architectures(vllm))

    def _is_among(self, known: frozenset[str]) -> bool:
        name = self.served_class
        if name is None or name in known:
            return True
        # A class without a head, or with a classification head, is made of that which generates:
        # _normalize_arch in vLLM's registry.
        return any(
            name.endswith(suffix) and f"{name.removesuffix(suffix)}ForCausalLM" in known
            for suffix in (EMBEDDING_SUFFIX, CLASSIFICATION_SUFFIX)
        )


def checkpoint_of(
    deployment: ModelDeployment, path: str, directory: Path
) -> tuple[Checkpoint | None, tuple[Problem, ...]]:
    """The checkpoint of one model entry, or what keeps it from being known.

    directory: the path in `configFile` is relative to it.
    """
    if deployment.model is not None and deployment.source is not None:
        problem = Problem(
            path=path,
            reason="names both a model of the catalogue and a source",
            remedy="Keep model for a model of the catalogue, source for any other",
            rule="contradiction",
            candidates=(leave_out(f"{path}.source"), leave_out(f"{path}.model")),
        )
        return None, (problem,)
    if deployment.model is not None:
        return _of_catalogue(deployment, deployment.model, path)
    if deployment.source is None:
        problem = Problem(
            path=path,
            reason="names neither a model nor a source",
            remedy="Give model: <a name of the catalogue>, or source: <a Hugging Face repository>",
            rule="model-unknown",
        )
        return None, (problem,)
    return _of_source(deployment, deployment.source, path, directory)


def _of_catalogue(
    deployment: ModelDeployment, name: str, path: str
) -> tuple[Checkpoint | None, tuple[Problem, ...]]:
    row = llms().get(name)
    if row is None:
        by_source = [row.id for row in llms().values() if row.source.lower() == name.lower()]
        near = nearest_of(name, llms())
        where = f"{path}.model"
        problem = Problem(
            path=f"{path}.model",
            value=name,
            reason="is not in the catalogue",
            remedy=f"{nearest(name, llms())}For a model outside the catalogue give its source"
            " (a Hugging Face repository), configFile and weightGib",
            rule="model-unknown",
            candidates=(
                *(use(where, row, f"write model: {row}", group="model") for row in by_source),
                *(() if near is None or by_source else (meant(where, near),)),
                outside("for a model outside the catalogue give source, configFile and weightGib"),
            ),
        )
        return None, (problem,)
    described = {
        "configFile": deployment.config_file,
        "weightGib": deployment.weight_gib,
    }
    problems = tuple(
        Problem(
            path=f"{path}.{key}",
            value=value,
            reason=f"describes a model that the catalogue already knows ({row.id})",
            remedy="Give source instead of model",
            rule="contradiction",
            candidates=(leave_out(f"{path}.{key}", f"leave {key} out"),),
        )
        for key, value in described.items()
        if value is not None
    )
    return _of_row(row, deployment), problems


def _of_row(row: LlmRow, deployment: ModelDeployment) -> Checkpoint:
    engine = {**row.engine, **deployment.engine}
    return Checkpoint(
        source=row.source,
        family=deployment.family or row.family,
        architecture=row.architecture,
        quantization=row.quantization,
        weight_bytes=row.weight_bytes,
        checkpoint_bytes=row.checkpoint_bytes,
        gated=_gating(row.source, deployment, row.gated),
        in_catalogue=True,
        task=stated_task(deployment) or row.task,
        served_class=served_class(row.architecture, engine),
        engine=row.engine,
        prompts_whole=row.prompts_whole,
    )


@cache
def _rows_by_source() -> Mapping[str, LlmRow]:
    return {row.source.lower(): row for row in llms().values()}


def _gating(source: str, deployment: ModelDeployment, of_catalogue: bool | None = None) -> Gating:
    """As the stack file says; else as the catalogue; else what the repository's name says."""
    said = of_catalogue if deployment.gated is None else deployment.gated
    if said is None:
        return gating(source)
    return Gating.YES if said else Gating.NO


def _unchecked(deployment: ModelDeployment, path: str) -> Iterable[WayOut]:
    """A model whose config.json cannot be read, served unchecked where the entry says enough."""
    if deployment.gpu is None or deployment.context_length is None:
        return
    yield outside("use the config.json next to the model's weights")
    yield use(
        f"{path}.checkFit",
        False,
        "set checkFit: false, with which its memory is not checked",
    )


def _of_source(
    deployment: ModelDeployment, source: str, path: str, directory: Path
) -> tuple[Checkpoint | None, tuple[Problem, ...]]:
    family = deployment.family or "custom"
    described = deployment.config_file is not None and deployment.weight_gib is not None
    row = _rows_by_source().get(source.lower())
    if row is not None and deployment.config_file is None and deployment.weight_gib is None:
        return _of_row(row, deployment), ()  # the catalogue knows it by this name as well
    if not described and (deployment.check_fit or deployment.gpu is None):
        problem = Problem(
            path=f"{path}.source",
            value=source,
            reason="is outside the catalogue, so its memory cannot be checked",
            remedy="Give configFile (the path of its config.json) and weightGib, "
            "or gpu, contextLength and checkFit: false",
            rule="source-undescribed",
        )
        return None, (problem,)
    weight_bytes = None if deployment.weight_gib is None else round(deployment.weight_gib * GIB)
    undescribed = Checkpoint(
        source=source,
        family=family,
        architecture=None,
        quantization=None,
        weight_bytes=weight_bytes,
        checkpoint_bytes=weight_bytes,
        gated=_gating(source, deployment),
        task=_task(deployment, source, None),
        served_class=served_class(None, deployment.engine),
    )
    if deployment.config_file is None:
        return undescribed, ()
    config_file = directory / deployment.config_file
    try:
        architecture, quantization = architecture_from_config_json(config_file.read_text("utf-8"))
        if architecture.architecture in multimodal_architectures():
            architecture = architecture.model_copy(update={"multimodal": True})
        if quantization is None:
            quantization = _stored_beside(config_file) or _assumed(source)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problem = Problem(
            path=f"{path}.configFile",
            value=deployment.config_file,
            reason=f"cannot be read ({reason})",
            remedy="Give the path of the model's config.json, relative to the stack file",
            rule="config-json",
        )
        return None, (problem,)
    except ConfigJsonError as error:
        if not deployment.check_fit and deployment.gpu is not None:
            return undescribed, ()  # the user knows that it cannot be checked
        reason, _, remedy = str(error).partition(". ")
        problem = Problem(
            path=f"{path}.configFile",
            value=deployment.config_file,
            reason=(
                "describes a model that is not computed"
                if isinstance(error, NotComputedError)
                else "does not describe a model"
            )
            + f": {reason.rstrip('.')}",
            remedy=remedy or "Use the config.json next to the model's weights",
            rule="config-json",
            candidates=_unchecked(deployment, path),
        )
        return None, (problem,)
    described_checkpoint = replace(
        undescribed,
        architecture=architecture,
        weight_bytes=_loaded_bytes(weight_bytes, architecture),
        quantization=quantization,
        task=_task(deployment, source, architecture),
        served_class=served_class(architecture, deployment.engine),
    )
    return described_checkpoint, ()


def _loaded_bytes(stored_bytes: int | None, architecture: LlmArchitecture) -> int | None:
    """The weights in 16 bit, in which vLLM loads those of a checkpoint in 32."""
    if stored_bytes is None or architecture.torch_dtype != "float32":
        return stored_bytes
    in_32_bit = stored_bytes > _STORED_IN_32_BIT * _VALUE_BYTES * architecture.parameters
    return stored_bytes // 2 if in_32_bit else stored_bytes


def _task(deployment: ModelDeployment, source: str, architecture: LlmArchitecture | None) -> Task:
    return stated_task(deployment) or derived_task(source, architecture, deployment.engine)


def _stored_beside(config_file: Path) -> Quantization | None:
    """What ModelOpt's own file beside config.json says; None if there is none."""
    path = config_file.with_name(MODELOPT_FILE)
    if not path.is_file():
        return None
    return modelopt_file(path.read_text("utf-8", errors="replace"))


def _assumed(source: str) -> Quantization | None:
    """What the name of a repository says of a file that was not given."""
    if not source.lower().startswith(_MODELOPT_PUBLISHER):
        return None
    for ending, algorithm in _MODELOPT_NAMES.items():
        if source.lower().endswith(ending.lower()):
            bits = 8 if algorithm == "FP8" else 4
            return Quantization(method="modelopt", bits=bits, scheme=algorithm, assumed=True)
    return None
