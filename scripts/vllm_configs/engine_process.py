"""Runs in the environment of one vLLM release: makes the engine's configuration of each case.

A case is a line of JSON on standard input, its answer a line on standard output:

    {"arguments": {...}, "environment": {...}, "build": false, "host_memory_bytes": ...}
    {"accepted": {"dtype": "float16", ...}} or {"refused": "ValueError: ..."}

The GPU is JSON on the command line: {"capability": 75, "name": "NVIDIA T4", "memory_bytes": ...}.
The code is vLLM's own, up to where it would start its executor: `AsyncEngineArgs` and
`create_engine_config`. Only the platform is ours: vLLM's for CUDA with a GPU that is described, not
asked. With `build` the rotary embedding is made as well, whose fields the configuration does not
read.

This file imports nothing of this project: it runs with another Python environment.
"""

import ctypes
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

# Nothing is looked up in a hub: the models are folders with a config.json.
os.environ |= {"HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
# The extensions of vLLM are linked to the driver's library, which a machine without a GPU lacks.
ctypes.CDLL(str(Path(sys.prefix) / "libcuda.so.1"), mode=ctypes.RTLD_GLOBAL)
_ANSWERS = sys.stdout
sys.stdout = sys.stderr  # what libraries print is no answer

import torch  # noqa: E402
import vllm.platforms  # noqa: E402
from vllm.platforms.cuda import CudaPlatformBase  # noqa: E402
from vllm.platforms.interface import DeviceCapability  # noqa: E402


class DescribedGpu(CudaPlatformBase):
    """vLLM's platform for CUDA on a GPU that a case describes."""

    gpu: dict[str, Any] = {}  # noqa: RUF012 - the platform is read by its class

    @classmethod
    def get_device_capability(cls, device_id: int = 0) -> DeviceCapability:  # noqa: ARG003
        """Return the capability of the case's GPU."""
        return DeviceCapability(*divmod(cls.gpu["capability"], 10))

    @classmethod
    def get_device_name(cls, device_id: int = 0) -> str:  # noqa: ARG003
        """Return the name of the case's GPU."""
        return str(cls.gpu["name"])

    @classmethod
    def get_device_total_memory(cls, device_id: int = 0) -> int:  # noqa: ARG003
        """Return the memory of the case's GPU in bytes."""
        return int(cls.gpu["memory_bytes"])

    @classmethod
    def is_fully_connected(cls, *_: Any) -> bool:
        """Return False: the GPUs of G2 and N1 machines are on PCIe."""
        return False

    @classmethod
    def device_count(cls) -> int:
        """Return the most GPUs that a machine of Google Cloud has."""
        return 8


DescribedGpu.gpu = json.loads(sys.argv[1])
vllm.platforms._current_platform = DescribedGpu()
# FlashAttention asks PyTorch instead of vLLM's platform.
torch.cuda.get_device_capability = lambda *_: divmod(DescribedGpu.gpu["capability"], 10)
# vLLM looks at a model's class in a process of its own, where the platform would be another.
from vllm.model_executor.models import registry  # noqa: E402

registry._run_in_subprocess = lambda function: function()

import vllm.config  # noqa: E402

for module in (vllm.config, getattr(vllm.config, "vllm", None)):
    if hasattr(module, "HAS_TRITON"):
        module.HAS_TRITON = True  # vLLM says no, because there is no driver

from vllm import AsyncEngineArgs  # noqa: E402
from vllm.usage.usage_lib import UsageContext  # noqa: E402


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """The configuration that vLLM makes of a case, or the text with which it refuses it."""
    os.environ.pop("VLLM_USE_V1", None)
    os.environ |= case["environment"]
    if hasattr(vllm.config, "get_cpu_memory"):  # vLLM 0.10 compares swap_space with it
        vllm.config.get_cpu_memory = lambda: case["host_memory_bytes"]
    try:
        arguments = AsyncEngineArgs(**case["arguments"])
        config = arguments.create_engine_config(UsageContext.OPENAI_API_SERVER)
        if case["build"]:
            build(config)
    except BaseException as error:  # whatever it is, the engine would not start
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"refused": f"{type(error).__name__}: {error}"[:1500]}
    model, scheduler = config.model_config, config.scheduler_config
    return {
        "accepted": {
            "dtype": str(model.dtype).removeprefix("torch."),
            "quantization": model.quantization,
            "max_model_len": model.max_model_len,
            "max_num_seqs": scheduler.max_num_seqs,
            "max_num_batched_tokens": scheduler.max_num_batched_tokens,
            "v0_engine": os.environ.get("VLLM_USE_V1") == "0",
        },
    }


def build(config: Any) -> None:
    """Make the rotary embedding of the model as its layers do; raises what they raise."""
    from vllm.config import set_current_vllm_config
    from vllm.model_executor.layers.rotary_embedding import get_rope

    model = config.model_config
    text, head = model.hf_text_config, model.get_head_size()
    if "rope_parameters" in inspect.signature(get_rope).parameters:
        given = {"max_position": model.max_model_len, "rope_parameters": text.rope_parameters}
    else:
        given = {
            "rotary_dim": head,
            "max_position": text.max_position_embeddings,
            "base": getattr(text, "rope_theta", 10000),
            "rope_scaling": getattr(text, "rope_scaling", None),
        }
    try:
        with set_current_vllm_config(config):
            get_rope(head, **given)
    except RuntimeError as error:
        if "NVIDIA driver" not in str(error):  # else it was made, and moved to the GPU
            raise


def main() -> None:
    """Answer the cases one by one."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=_ANSWERS, flush=True)


if __name__ == "__main__":
    main()
