"""Reads `quantization_config`, the part of a config.json that each method writes its own way.

Older releases of ModelOpt write it into a file of its own beside config.json.
"""

from fnmatch import fnmatch

from models.architecture.config_fields import ConfigJsonError, Fields, parse_object
from models.architecture.llm_architecture import Quantization

MODELOPT_FILE = "hf_quant_config.json"

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
# Bits of a weight; of the wider weights if a checkpoint mixes them. Patterns, the first counts.
BITS_OF_ALGORITHM = {"*FP4*": 4, "*FP8*": 8, "*W4*": 4, "*INT4*": 4, "*": 8}


def quantization(fields: Fields) -> Quantization | None:
    """Return how the weights are stored, or None if they are not quantized."""
    if not fields.has("quantization_config"):
        return None
    config = fields.nested("quantization_config")
    method = config.text("quant_method", default=None)
    if method is None:
        raise _without_method(config)
    method = method.lower().replace("compressed_tensors", "compressed-tensors")
    if method == "bitsandbytes":
        return _bitsandbytes(config, method)
    if method.startswith("modelopt"):
        return _modelopt(config, method)
    if method == "compressed-tensors" and config.has("config_groups"):
        return _compressed_tensors(config, method)
    names = ("bits", "w_bit", "wbits", "weight_bits", "nbits")
    bits = config.integer(*names, default=BITS_OF_METHOD.get(method))
    if bits > 16:
        raise config.error(next(name for name in names if config.has(name)), "must be 1 to 16")
    return Quantization(
        method=method,
        bits=bits,
        group_size=_group_size(config),
        scheme=_scheme(config),
        symmetric=config.flag("sym", default=False) if config.has("sym") else None,
        zero_point=config.flag("zero_point", default=False) if config.has("zero_point") else None,
    )


def modelopt_file(text: str) -> Quantization | None:
    """Return what a hf_quant_config.json says, None if it is not one of ModelOpt.

    Raises ConfigJsonError if it is, and cannot be read.
    """
    whole = Fields(parse_object(text, MODELOPT_FILE), file=MODELOPT_FILE)
    if not whole.has("quantization"):
        return None
    inner = whole.nested("quantization")
    if not inner.has("quant_algo"):
        return None  # an empty one lies beside weights that are not quantized
    return _modelopt(inner, "modelopt").model_copy(update={"file": MODELOPT_FILE})


def _without_method(config: Fields) -> ConfigJsonError:
    """No release of vLLM takes a method from elsewhere in config.json.

    From the producer and `quantization.quant_algo` of a hf_quant_config.json it does.
    """
    producer = config.nested("producer") if config.has("producer") else None
    if producer is None or producer.text("name", default=None) != "modelopt":
        return config.error("quant_method", "is missing")
    return config.error(
        "quant_method",
        "is missing, and vLLM does not recognise the weights as ModelOpt's without it",
        way_out='Add "quant_method": "modelopt" to quantization_config here and in a copy of '
        "the repository, and give the copy as source",
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
    nested = config.nested("quantization") if config.has("quantization") else config
    algorithm = nested.text("quant_algo", default=None)
    if algorithm is None:
        raise nested.error("quant_algo", "is missing")
    algorithm = algorithm.upper()
    bits = next(bits for pattern, bits in BITS_OF_ALGORITHM.items() if fnmatch(algorithm, pattern))
    group = _group_size(nested)
    if group is None and config.has("config_groups"):
        first = config.first_object("config_groups")
        if first is not None and first.has("weights"):
            group = _group_size(first.nested("weights"))
    return Quantization(method=method, bits=bits, group_size=group, scheme=algorithm)
