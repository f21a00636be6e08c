"""A platform of vLLM: its CPU backend, on what Ray counts as GPUs.

Ray Serve LLM reserves GPUs for a model and starts vLLM's workers with them. vLLM asks its platform
for Ray's name of the device; the CPU platform has none, and workers without one are refused.
"""

from vllm.platforms.cpu import CpuPlatform


class CpuAsGpu(CpuPlatform):
    """The CPU, under the name of Ray's GPUs."""

    ray_device_key = "GPU"


def platform() -> str:
    """The name of the class, as the entry point in cpu_as_gpu-1.dist-info has to give it."""
    return f"{__name__}.{CpuAsGpu.__name__}"
