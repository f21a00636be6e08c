"""What an LLM looks like inside: the dimensions that decide whether it fits on a GPU.

`llm_architecture` holds the types, `config_json` reads them from the config.json
that is next to the weights of a Hugging Face repository.
"""

from models.architecture.config_fields import ConfigJsonError, NotComputedError
from models.architecture.config_json import architecture_from_config_json
from models.architecture.llm_architecture import (
    Attention,
    AttentionKind,
    LinearAttention,
    LlmArchitecture,
    Quantization,
    RopeParameters,
    VisionEncoder,
)
from models.architecture.quantization_config import MODELOPT_FILE, modelopt_file

__all__ = [
    "MODELOPT_FILE",
    "Attention",
    "AttentionKind",
    "ConfigJsonError",
    "LinearAttention",
    "LlmArchitecture",
    "NotComputedError",
    "Quantization",
    "RopeParameters",
    "VisionEncoder",
    "architecture_from_config_json",
    "modelopt_file",
]
