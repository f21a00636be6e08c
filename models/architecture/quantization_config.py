"""Reads `quantization_config`, the part of a config.json that each method writes its own way."""

from models.architecture.config_fields import Fields
from models.architecture.llm_architecture import Quantization

BITS_OF_METHOD = {
    "fp8": 8,
    "fbgemm_fp8": 8,
    "ptpc_fp8": 8,
    "mxfp4": 4,
    "modelopt_fp4": 4,
    "eetq": 8,
    "deepspeedfp": 8,
    "experts_int8": 8,
}
BITS_OF_ALGORITHM = {"FP8": 8, "NVFP4": 4, "W4A16_AWQ": 4, "INT4_AWQ": 4, "INT8_SQ": 8}


def quantization(fields: Fields) -> Quantization | None:
    """Return how the weights are stored, or None if they are not quantized."""
    if not fields.has("quantization_config"):
        return None
    config = fields.nested("quantization_config")
    method = config.text("quant_method", default=None)
    if method is None:
        raise config.error("quant_method", "is missing")
    method = method.lower()
    if method == "bitsandbytes":
        return _bitsandbytes(config, method)
    if method in ("compressed-tensors", "modelopt") and config.has("config_groups"):
        return _compressed_tensors(config, method)
    if method == "modelopt":
        return _modelopt(config, method)
    names = ("bits", "w_bit", "wbits", "weight_bits", "nbits")
    bits = config.integer(*names, default=BITS_OF_METHOD.get(method))
    if bits > 16:
        raise config.error(next(name for name in names if config.has(name)), "must be 1 to 16")
    return Quantization(
        method=method,
        bits=bits,
        group_size=_group_size(config),
        scheme=_scheme(config),
    )


def _scheme(config: Fields) -> str | None:
    for name in ("version", "activation_scheme", "checkpoint_format"):
        if config.has(name):
            return config.text(name, default=None)
    return None


def _group_size(config: Fields) -> int | None:
    """Return the weights that share a scale; -1, for one scale a channel, counts as none.

    fp8 checkpoints with block scales state `weight_block_size`, rows and columns of a block.
    """
    for name in ("group_size", "q_group_size"):
        if config.has(name) and not config.is_minus_one(name):
            return config.integer(name)
    return max(config.integers("weight_block_size"), default=None)


def _bitsandbytes(config: Fields, method: str) -> Quantization:
    if config.flag("load_in_4bit", default=False):
        scheme = config.text("bnb_4bit_quant_type", default="fp4")
        return Quantization(method=method, bits=4, scheme=scheme)
    if config.flag("load_in_8bit", default=False):
        return Quantization(method=method, bits=8, scheme="int8")
    raise config.error("load_in_4bit", "and load_in_8bit are both unset")


def _compressed_tensors(config: Fields, method: str) -> Quantization:
    group = config.first_object("config_groups")
    if group is None:
        raise config.error("config_groups", "is empty")
    weights = group.nested("weights")
    bits = weights.integer("num_bits")
    if bits > 16:
        raise weights.error("num_bits", "must be 1 to 16")
    return Quantization(
        method=method,
        bits=bits,
        group_size=_group_size(weights),
        scheme=config.text("format", default=None),
    )


def _modelopt(config: Fields, method: str) -> Quantization:
    algorithm = config.text("quant_algo", default=None)
    if algorithm is None:
        raise config.error("quant_algo", "is missing")
    bits = BITS_OF_ALGORITHM.get(algorithm.upper())
    if bits is None:
        raise config.error("quant_algo", f"is none of {', '.join(BITS_OF_ALGORITHM)}")
    return Quantization(
        method=method, bits=bits, group_size=_group_size(config), scheme=algorithm.upper()
    )
