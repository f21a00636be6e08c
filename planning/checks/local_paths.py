"""Paths of files in the container, which the image must hold, but for what `weights` mounts."""

from collections.abc import Iterable, Mapping
from typing import Final

from models.problems import Problem, Severity
from planning.checks.contexts import EntryContext

# Arguments of vLLM's engine that name a model or a file of it: a repository, or a path.
_ARGUMENTS: Final = ("tokenizer", "hf_config_path", "model")
_STARTS: Final = ("/", "./", "../", "~", "file:")


def local_path_problems(context: EntryContext) -> Iterable[Problem]:
    """A model, tokenizer or draft by its path: a stop with Ray's own image, which has no models.

    With an image of the user's own it may be there, which is said. Hugging Face's library takes a
    path that is not there for a repository: "Repo id must be in the form 'repo_name' or
    'namespace/repo_name'" (https://github.com/vllm-project/vllm/issues/10974).
    """
    release = context.release
    if release is None:
        return
    own_image = release.image_is_own
    for path, value in _paths(context):
        if context.mounted is not None and value.startswith(f"{context.mounted}/"):
            continue  # of a bucket or a disk, which nobody can look into from here
        yield Problem(
            path=path,
            value=value,
            reason="is a path in the container, and nobody can see here whether the image "
            f"{release.image} holds it"
            if own_image
            else f"is a path in the container, where {release.image} has no models and nothing "
            "is mounted",
            remedy="Make sure that the image holds it"
            if own_image
            else "Give a Hugging Face repository or a gs:// folder, or versions.image with an "
            "image of your own that holds the path",
            rule="local-path",
            severity=Severity.WARN if own_image else Severity.STOP,
        )


def _paths(context: EntryContext) -> Iterable[tuple[str, str]]:
    source = context.deployment.source
    if source is not None and _is_path(source):
        yield f"{context.path}.source", source
    draft = context.engine.get("speculative_config")
    for where, arguments in (
        (f"{context.path}.engine", context.engine),
        (f"{context.path}.engine.speculative_config", draft if isinstance(draft, Mapping) else {}),
    ):
        for name in _ARGUMENTS:
            value = arguments.get(name)
            if isinstance(value, str) and _is_path(value):
                yield f"{where}.{name}", value


def _is_path(text: str) -> bool:
    return text.strip().startswith(_STARTS)
