"""The reader of vLLM's source understands the forms in which vLLM writes its arguments."""

import io
import tarfile

import pytest

from scripts.vllm_facts.bounds import argument_bounds
from scripts.vllm_facts.closed_values import closed_values
from scripts.vllm_facts.facts import (
    engine_arguments,
    float16_refused,
    front_end_fields,
    quantization_methods,
    read_by_ray,
)
from scripts.vllm_facts.quantization import (
    compressed_tensors_schemes,
    modelopt_algorithms,
    modelopt_file_algorithms,
    own_files,
    quantize_while_loading,
    takeovers,
    weight_limits,
)
from scripts.vllm_facts.release import python_files
from scripts.vllm_facts.rope import own_rope_parameters
from scripts.vllm_facts.source import Source

FILES = {
    "vllm/config/__init__.py": "from vllm.config.cache import CacheConfig, CacheDType\n",
    "vllm/config/cache.py": """
CacheDType = Literal['auto', 'fp8']
class CacheConfig:
    watermark: float = Field(default=0.1, ge=0, lt=1)
    interval: int = 4
""",
    "vllm/config/model.py": "_FLOAT16_NOT_SUPPORTED_MODELS = {'gemma2': 'why'}\n",
    "vllm/config/speculative.py": """
Methods = Literal['ngram', Literal['mtp']]
SpeculativeMethod = Methods
class SpeculativeConfig:
    method: SpeculativeMethod | None = None
    model: str | None = None
    target_model_config: SkipValidation[ModelConfig] = None
""",
    "vllm/model_executor/model_loader/__init__.py": "LoadFormats = Literal['auto', 'gguf']\n",
    "vllm/transformers_utils/config.py": """
class ConfigFormat(str, enum.Enum):
    AUTO = 'auto'
    HF = 'hf'
""",
    "vllm/config/attention.py": """
class AttentionConfig:
    def validate_backend_before(cls, value):
        return None if value.lower() == 'auto' else AttentionBackendEnum[value.upper()]
""",
    "vllm/v1/attention/backends/registry.py": """
class AttentionBackendEnum(Enum):
    FLASH_ATTN = 'vllm.v1.FlashAttention'
    TORCH_SDPA = ''
""",
    "vllm/reasoning/__init__.py": "_REASONING_PARSERS_TO_REGISTER = {'qwen3': ('a', 'B')}\n",
    "vllm/entrypoints/openai/tool_parsers/__init__.py": """
from .abstract_tool_parser import ToolParser
from .llama_tool_parser import LlamaToolParser
from .qwen_tool_parser import QwenToolParser
""",
    "vllm/entrypoints/openai/tool_parsers/llama_tool_parser.py": """
@ToolParserManager.register_module("llama3_json")
@ToolParserManager.register_module("llama4_json")
class LlamaToolParser(ToolParser):
    pass
""",
    "vllm/entrypoints/openai/tool_parsers/qwen_tool_parser.py": """
@ToolParserManager.register_module(["qwen3_coder"])
class QwenToolParser(ToolParser):
    pass
""",
    "vllm/config/compilation.py": "@config\nclass CompilationConfig:\n    level: int\n",
    "vllm/engine/arg_utils.py": """
from vllm.config import CacheConfig, CacheDType
from vllm.config.compilation import CompilationConfig
from torch import Executor
if TYPE_CHECKING:
    from vllm.model_executor.layers.quantization import QuantizationMethods
else:
    QuantizationMethods = Any
Old = Literal['a']
Both = Literal[Old, 'b', 3]

@dataclass
class EngineArgs:
    dtype: CacheDType = 'auto'
    quantization: Optional[QuantizationMethods] = None
    free: QuantizationMethods | str | None = None
    seed: "int | None" = None
    utilization: float = 0.9
    watermark: float = get_field(CacheConfig, 'watermark')
    interval: int = CacheConfig.interval
    both: Both = 'a'
    executor: Optional[Union[str, Type[Executor]]] = None
    compilation_config: CompilationConfig = None
    names: list[str] = None
    overrides: Annotated[dict, 'doc'] = None
    any: Any = None
    _private: int = 0
    SHARED: ClassVar[int] = 1

    def __post_init__(self):
        if isinstance(self.compilation_config, (int, dict)):
            pass

@dataclass
class AsyncEngineArgs(EngineArgs):
    enable_log_requests: bool = False
""",
    "vllm/entrypoints/openai/cli_args.py": """
@dataclass
class FrontendArgs:
    host: Optional[str] = None
    tool_call_parser: Optional[str] = None
    chat_template: str = ''
""",
    "vllm/entrypoints/openai/api_server.py": """
async def init_app_state(engine, state, args):
    from vllm.entrypoints.chat import init_chat
    state.parser = args.tool_call_parser
    init_chat(state, args)
    print(args.model)

def run(args):
    serve(args.host)
""",
    "vllm/entrypoints/chat.py": "def init_chat(state, args):\n    return args.chat_template\n",
    "vllm/model_executor/layers/quantization/__init__.py": """
QuantizationMethods = Literal['awq', 'awq_marlin', 'fp8', 'inc']

def get_quantization_config(quantization):
    from .awq import AWQConfig, AWQMarlinConfig
    from vllm.model_executor.layers.quantization.fp8 import Fp8Config
    methods = {'awq': AWQConfig, 'awq_marlin': AWQMarlinConfig, 'fp8': Fp8Config}
    return methods[quantization]
""",
    "vllm/model_executor/layers/quantization/awq.py": """
class AWQConfig(QuantizationConfig):
    def get_supported_act_dtypes(self):
        return [torch.half]
    @classmethod
    def get_min_capability(cls):
        # Turing or newer
        return 75

class AWQMarlinConfig(AWQConfig):
    @classmethod
    def get_min_capability(cls):
        return 80
""",
    "vllm/model_executor/layers/quantization/fp8.py": """
class Fp8Config(QuantizationConfig):
    def get_supported_act_dtypes(self):
        return [torch.bfloat16, torch.half]
    @classmethod
    def get_min_capability(cls):
        if current_platform.is_rocm():
            return 90
        return 80
""",
}


QUANTIZATION = "vllm/model_executor/layers/quantization"
TAKING_OVER = {
    f"{QUANTIZATION}/__init__.py": """
QuantizationMethods = Literal['inc', 'awq', 'awq_marlin', 'modelopt', 'rocm', 'online']

def get_quantization_config(quantization):
    from .all import Inc, Awq, Marlin, ModelOpt, Rocm, Rows, Online
    methods = {
        'inc': Inc, 'awq': Awq, 'awq_marlin': Marlin, 'modelopt': ModelOpt, 'rocm': Rocm,
        'online': Online, 'again': Inc, 'rows': Rows,
    }
    return methods[quantization]
""",
    f"{QUANTIZATION}/all.py": """
class Inc(QuantizationConfig):
    @classmethod
    def override_quantization_method(cls, hf_quant_cfg, user_quant):
        if hf_quant_cfg.get('quant_method', None) == 'auto-round':
            return 'inc'
        return None

class Awq(QuantizationConfig):
    def __init__(self, weight_bits):
        if weight_bits != 4:
            raise ValueError
    def get_config_filenames(cls):
        return ['quantize_config.json']

class Marlin(QuantizationConfig):
    TYPE_MAP = {4: types.uint4, 8: types.uint8}
    @classmethod
    def override_quantization_method(cls, hf_quant_cfg, user_quant):
        can_convert = cls.compatible(hf_quant_cfg)
        valid = user_quant is None or user_quant == 'awq_marlin'
        if can_convert and valid:
            return 'awq_marlin'
        if can_convert and user_quant == 'awq':
            logger.info('slower')
        return None
    @classmethod
    def compatible(cls, config):
        quant_method = config.get('quant_method', '').lower()
        if not current_platform.is_cuda():
            return False
        if quant_method != 'awq':
            return False
        return check_marlin_supported(quant_type=cls.TYPE_MAP[config['bits']], has_zp=True)

class Rows(Marlin):
    TYPE_MAP = {(4, True): 'uint4b8', (8, True): 'uint8b128'}
    def __init__(self, weight_bits, sym):
        if (weight_bits, sym) not in self.TYPE_MAP:
            raise ValueError

class ModelOpt(QuantizationConfig):
    @classmethod
    def override_quantization_method(cls, hf_quant_cfg, user_quant):
        algo = hf_quant_cfg['quant_algo']
        return 'modelopt' if algo is not None and ('FP8' in algo or algo == 'X') else None
    def get_config_filenames(cls):
        return ['hf_quant_config.json']

class Rocm(QuantizationConfig):
    def __init__(self):
        if not current_platform.is_rocm():
            raise ValueError
    @classmethod
    def override_quantization_method(cls, hf_quant_cfg, user_quant):
        if not current_platform.is_rocm():
            return None
        return 'rocm' if user_quant == 'rocm' else None
    def get_config_filenames(cls):
        return []
    def get_min_capability(cls):
        return 70

class Online(QuantizationConfig):
    def __init__(self, scheme='dynamic'):
        pass
    def get_config_filenames(cls):
        return []
    def get_min_capability(cls):
        return 75
""",
    f"{QUANTIZATION}/modelopt.py": "QUANT_ALGOS = ['FP8', 'X']\n",
    f"{QUANTIZATION}/utils/marlin_utils.py": "MARLIN_SUPPORTED_GROUP_SIZES = [-1, 64, 128]\n",
    f"{QUANTIZATION}/compressed_tensors/schemes/__init__.py": "from .w4 import W4, Scheme\n",
    f"{QUANTIZATION}/compressed_tensors/schemes/w4.py": """
class Scheme:
    @abstractmethod
    def get_min_capability(cls):
        raise NotImplementedError

class W4(Scheme):
    def get_min_capability(cls):
        if envs.EMULATED:
            return 70
        return 90
""",
    "vllm/config/quantization.py": "_ONLINE_SHORTHANDS: dict = {'fp8_per_tensor': 1}\n",
    "vllm/config/model.py": """
class ModelConfig:
    def _parse_quant_hf_config(self, config):
        quant_algo = config.get('quantization', {}).get('quant_algo')
        if quant_algo in {'FP8', 'FP8_PB_WO'}:
            quant_cfg['quant_method'] = 'modelopt'
        elif quant_algo == 'NVFP4':
            quant_cfg['quant_method'] = 'modelopt_fp4'
    def _verify_quantization(self):
        overrides = ['modelopt', 'awq_marlin', 'inc', 'rocm', 'again']
""",
}


def test_what_takes_over_the_checkpoints_of_others_is_read_in_order() -> None:
    rows = takeovers(Source(TAKING_OVER.get))
    assert list(rows) == ["modelopt", "awq_marlin", "inc"]
    assert rows["inc"] == {"of": ["auto-round"]}
    assert rows["modelopt"] == {"algorithms": ["*FP8*", "X"]}
    assert rows["awq_marlin"] == {
        "bits": [4],
        "group_sizes": [64, 128],
        "marlin": True,
        "of": ["awq"],
        "stated": [None, "awq_marlin"],
        "zero_point": True,
    }


def test_what_quantizes_while_loading_needs_no_file_and_runs_on_cuda() -> None:
    assert quantize_while_loading(Source(TAKING_OVER.get)) == ["fp8_per_tensor", "online"]


def test_the_weights_that_a_constructor_takes_are_read() -> None:
    assert weight_limits(Source(TAKING_OVER.get)) == {
        "awq": {"bits": [4]},
        "rows": {"bits": [4, 8], "symmetric": True},
    }


def test_modelopt_s_algorithms_and_files_are_read() -> None:
    source = Source(TAKING_OVER.get)
    assert modelopt_algorithms(source) == ["FP8", "X"]
    assert modelopt_file_algorithms(source) == {
        "FP8": "modelopt",
        "FP8_PB_WO": "modelopt",
        "NVFP4": "modelopt_fp4",
    }
    assert modelopt_file_algorithms(Source(FILES.get)) == {}
    assert own_files(source) == {
        "awq": ["quantize_config.json"],
        "modelopt": ["hf_quant_config.json"],
    }


def test_a_scheme_s_capability_is_the_one_without_emulation() -> None:
    assert compressed_tensors_schemes(Source(TAKING_OVER.get)) == {"W4": 90}


@pytest.fixture
def source() -> Source:
    return Source(FILES.get)


def test_engine_arguments_have_types_and_choices(source: Source) -> None:
    assert engine_arguments(source) == {
        "any": "int|float|bool|str|list|dict|none",
        "both": "int|str [a, b, 3]",
        "compilation_config": "int|dict",
        "dtype": "str [auto, fp8]",
        "enable_log_requests": "bool",
        "executor": "str|none",
        "free": "str|none",
        "interval": "int",
        "names": "list",
        "overrides": "dict",
        "quantization": "str|none [awq, awq_marlin, fp8, inc]",
        "seed": "int|none",
        "utilization": "int|float",
        "watermark": "int|float",
    }


def test_what_ray_runs_of_the_front_end_is_followed_through_calls(source: Source) -> None:
    fields = set(front_end_fields(source))
    assert fields & read_by_ray(source) == {"tool_call_parser", "chat_template"}


def test_limits_are_those_of_the_field_that_gives_the_default(source: Source) -> None:
    assert argument_bounds(source) == {"watermark": {"ge": 0.0, "lt": 1.0}}


def test_registries_and_nested_configurations_close_values(source: Source) -> None:
    assert closed_values(source) == {
        "attention_backend": ["FLASH_ATTN", "TORCH_SDPA", "auto"],
        "compilation_config": ["level"],
        "config_format": ["auto", "hf"],
        "load_format": ["auto", "gguf"],
        "reasoning_parser": ["qwen3"],
        "speculative_config": ["method", "model"],
        "speculative_config.method": ["mtp", "ngram"],
        "tool_call_parser": ["llama3_json", "llama4_json", "qwen3_coder"],
    }


def test_a_capability_that_code_chooses_is_unknown(source: Source) -> None:
    assert quantization_methods(source) == {
        "awq": [75, ["float16"]],
        "awq_marlin": [80, ["float16"]],
        "fp8": [None, ["bfloat16", "float16"]],
        "inc": [None, None],
    }


def test_models_that_refuse_float16_are_found(source: Source) -> None:
    assert float16_refused(source) == ["gemma2"]


def test_a_release_without_the_class_ends_with_a_sentence() -> None:
    with pytest.raises(SystemExit, match="class AsyncEngineArgs is not found"):
        engine_arguments(Source({}.get))


def test_python_files_of_a_source_distribution_are_named_from_inside_it() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in (("vllm-1.0/vllm/config.py", "x = 1"), ("vllm-1.0/README.md", "no")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    assert python_files(buffer.getvalue()) == {"vllm/config.py": "x = 1"}


CONFIGS = {
    "vllm/transformers_utils/configs/__init__.py": """
from vllm.transformers_utils.configs.whole import WholeConfig
_CLASS_TO_MODULE = {'PartsConfig': 'vllm.transformers_utils.configs.parts'}
""",
    "vllm/transformers_utils/configs/parts.py": """
class PartsTextConfig(PretrainedConfig):
    model_type = 'parts_text'
    def __init__(self, rope_parameters=None, **kwargs):
        self.rope_parameters = rope_parameters
class PartsConfig(PretrainedConfig):
    model_type = 'parts'
    def __init__(self, text_config=None):
        self.text_config = PartsTextConfig(**text_config)
""",
    "vllm/transformers_utils/configs/whole.py": """
class WholeConfig(PretrainedConfig):
    def __init__(self, rope_theta=10000.0, rope_parameters=None):
        self.rope_theta = rope_theta
        self.rope_parameters = rope_parameters
""",
}


@pytest.mark.parametrize(
    "registry",
    [
        "_CONFIG_REGISTRY = LazyConfigDict(parts='PartsConfig', whole='WholeConfig', x='Else')",
        "_CONFIG_REGISTRY: dict[str, type] = {'parts': PartsConfig, 'whole': WholeConfig, **OTHER}",
    ],
)
def test_a_class_that_takes_rope_parameters_and_no_base_of_its_own_keeps_them(
    registry: str,
) -> None:
    files = {**CONFIGS, "vllm/transformers_utils/config.py": registry}
    assert own_rope_parameters(Source(files.get)) == ["parts", "parts_text"]
