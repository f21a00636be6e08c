"""Whether the CUDA of an image knows the GPUs of the pools."""

from collections.abc import Iterable
from typing import Final

from models.problems import Problem
from planning.checks.contexts import StackContext
from planning.infrastructure.container_image import cuda_of_image

# The first CUDA release with code for a compute capability, newest first:
# https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ (Blackwell with 12.8, Ada and Hopper
# with 11.8).
_FIRST_CUDA: Final = (((10, 0), (12, 8)), ((8, 9), (11, 8)))


def image_cuda_problems(context: StackContext) -> Iterable[Problem]:
    """An own image whose tag names a CUDA release that is older than a pool's GPU.

    PyTorch then has no code for it: "no kernel image is available for execution on the device",
    https://github.com/vllm-project/vllm/issues/14452.
    """
    image = context.settings.versions.image
    cuda = None if image is None else cuda_of_image(image)
    if cuda is None:
        return
    for pool in context.pools:
        first = next(
            (
                first
                for capability, first in _FIRST_CUDA
                if pool.tier.compute_capability >= capability
            ),
            cuda,
        )
        if cuda < first:
            yield Problem(
                path="ray-llm:versions.image",
                value=image,
                reason=f"has a tag that names CUDA {cuda[0]}.{cuda[1]}, and the "
                f"{pool.tier.gpu_name} of {pool.id} needs {first[0]}.{first[1]} or newer: "
                "PyTorch would have no code for it",
                remedy="Use an image with a newer CUDA, or another GPU",
                rule="image-cuda",
            )
