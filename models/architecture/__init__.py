"""What an LLM looks like inside: the dimensions that decide whether it fits on a GPU.

`llm_architecture` holds the types, `config_json` reads them from the config.json
that is next to the weights of a Hugging Face repository.
"""

from models.architecture.class_defaults import has_text_config
from models.architecture.config_fields import ConfigJsonError, NotComputedError
from models.architecture.config_json import architecture_from_config_json
from models.architecture.llm_architecture import (
    Attention,
    AttentionKind,
    LlmArchitecture,
    Quantization,
    RopeParameters,
    StateKind,
    StateLayers,
    VisionEncoder,
)
from models.architecture.model_families import EMBEDDING_SUFFIX, GENERATION_SUFFIXES
from models.architecture.pooling_models import CLASSIFICATION_SUFFIX
from models.architecture.quantization_config import MODELOPT_FILE, modelopt_file

__all__ = [
    "CLASSIFICATION_SUFFIX",
    "EMBEDDING_SUFFIX",
    "GENERATION_SUFFIXES",
    "MODELOPT_FILE",
    "Attention",
    "AttentionKind",
    "ConfigJsonError",
    "LlmArchitecture",
    "NotComputedError",
    "Quantization",
    "RopeParameters",
    "StateKind",
    "StateLayers",
    "VisionEncoder",
    "architecture_from_config_json",
    "has_text_config",
    "modelopt_file",
]
