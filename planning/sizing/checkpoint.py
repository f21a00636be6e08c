"""What a model entry serves: a row of the catalogue, or a checkpoint the user describes.

A model outside the catalogue gives its `source` and either its config.json and weight size, so
that everything is checked, or an explicit `checkFit: false` and a `gpu`. What it gives beside them
is still checked: a size against the GPUs and the disk, a config.json against dtype and vLLM.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from models.architecture import (
    ConfigJsonError,
    LlmArchitecture,
    Quantization,
    architecture_from_config_json,
)
from models.catalog import LlmRow, llms, supported_architectures
from models.problems import Problem
from models.spelling import nearest
from models.stack import ModelDeployment
from planning.plan import GIB

# Gated repositories, whose terms must be accepted: all whose names start so.
# https://github.com/skypilot-org/skypilot/issues/2634, https://ai.google.dev/gemma/docs/setup
_GATED: Final = ("meta-llama/", "google/gemma-2", "google/gemma-3", "google/gemma-7b")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The weights behind a served model.

    weight_bytes: what vLLM allocates for them at tensor parallelism 1; None if unknown.
    checkpoint_bytes: what is downloaded to a node; None if unknown.
    architecture: None if the user described the model by name only (`checkFit: false`).
    """

    source: str
    family: str
    architecture: LlmArchitecture | None
    quantization: Quantization | None
    weight_bytes: int | None
    checkpoint_bytes: int | None
    gated: bool

    def is_known_to(self, vllm: str) -> bool:
        """Whether a vLLM version has this architecture; True if it is not described."""
        name = self.architecture.architecture if self.architecture else None
        return name is None or name in supported_architectures(vllm)


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
        way_out = (
            f"Write model: {by_source[0]}"
            if by_source
            else f"{nearest(name, llms())}For a model outside the catalogue give its source"
            " (a Hugging Face repository), configFile and weightGib"
        )
        problem = Problem(
            path=f"{path}.model",
            value=name,
            reason="is not in the catalogue",
            remedy=way_out,
            rule="model-unknown",
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
            remedy=f"Leave {key} out, or give source instead of model",
            rule="contradiction",
        )
        for key, value in described.items()
        if value is not None
    )
    return _of_row(row, deployment), problems


def _of_row(row: LlmRow, deployment: ModelDeployment) -> Checkpoint:
    return Checkpoint(
        source=row.source,
        family=deployment.family or row.family,
        architecture=row.architecture,
        quantization=row.quantization,
        weight_bytes=row.weight_bytes,
        checkpoint_bytes=row.checkpoint_bytes,
        gated=row.gated if deployment.gated is None else deployment.gated,
    )


@cache
def _rows_by_source() -> Mapping[str, LlmRow]:
    return {row.source.lower(): row for row in llms().values()}


def _is_gated(source: str, deployment: ModelDeployment) -> bool:
    """As the stack file says; else whether its publisher gates all of these repositories."""
    if deployment.gated is not None:
        return deployment.gated
    return source.lower().startswith(_GATED)


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
            "or gpu and checkFit: false",
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
        gated=_is_gated(source, deployment),
    )
    if deployment.config_file is None:
        return undescribed, ()
    config_file = directory / deployment.config_file
    try:
        architecture, quantization = architecture_from_config_json(config_file.read_text("utf-8"))
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
            reason=f"does not describe a model: {reason.rstrip('.')}",
            remedy=remedy or "Use the config.json next to the model's weights",
            rule="config-json",
        )
        return None, (problem,)
    return replace(undescribed, architecture=architecture, quantization=quantization), ()
