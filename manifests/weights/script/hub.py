"""What a repository of the hub holds, and one file of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from huggingface_hub import HfApi, hf_hub_download

# Weights in other forms than safetensors, which vLLM passes over if there are safetensors.
_OTHER_FORMATS: Final = (
    ".bin",
    ".pt",
    ".pth",
    ".h5",
    ".msgpack",
    ".onnx",
    ".gguf",
    ".ckpt",
    ".tflite",
)
_SAFETENSORS: Final = ".safetensors"
_CONSOLIDATED: Final = "consolidated"


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a repository.

    checksum: its SHA-256, or, of a small file, that of Git for its content (40 digits).
    """

    path: str
    size: int
    checksum: str


def listed(
    source: str, revision: str, token: str | None, *, any_format: bool
) -> tuple[str, tuple[HubFile, ...]]:
    """The commit that a revision is now, and its files that are kept, the smallest first.

    So config.json and tokenizer come before hours of weights, if something is wrong with them.
    """
    info = HfApi().model_info(source, revision=revision, files_metadata=True, token=token)
    if info.sha is None or info.siblings is None:
        raise ValueError(f"{source}: the hub names neither a commit nor files")
    files = [
        HubFile(
            path=item.rfilename,
            size=item.size or 0,
            checksum=item.lfs.sha256 if item.lfs else item.blob_id or "",
        )
        for item in info.siblings
    ]
    kept = set((file.path for file in files) if any_format else kept_paths(f.path for f in files))
    return info.sha, tuple(
        sorted((file for file in files if file.path in kept), key=lambda file: file.size)
    )


def kept_paths(paths: Iterable[str]) -> list[str]:
    """The files that vLLM reads: all but weights that are there in safetensors as well."""
    all_paths = [PurePosixPath(path) for path in paths]
    tensors = [path for path in all_paths if path.suffix == _SAFETENSORS and path.parent.name == ""]
    if not tensors:
        return [str(path) for path in all_paths]
    sharded = any(not path.name.startswith(_CONSOLIDATED) for path in tensors)
    return [
        str(path)
        for path in all_paths
        if path.suffix not in _OTHER_FORMATS
        and path.parts[0] not in ("original", "onnx", ".git")
        and not (sharded and path in tensors and path.name.startswith(_CONSOLIDATED))
    ]


def fetched(source: str, commit: str, file: HubFile, staging: Path, token: str | None) -> Path:
    """The file, in the staging folder; a download that broke off is taken up again."""
    return Path(hf_hub_download(source, file.path, revision=commit, local_dir=staging, token=token))
