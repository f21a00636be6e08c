"""What configurations in engine arguments take is read from vLLM's source as pydantic reads it."""

from scripts.vllm_facts.bounds import argument_bounds
from scripts.vllm_facts.closed_values import closed_values
from scripts.vllm_facts.configurations import nested_fields
from scripts.vllm_facts.facts import engine_arguments
from scripts.vllm_facts.source import Source

FILES = {
    "vllm/config/utils.py": "from pydantic.dataclasses import dataclass\ndef config(cls): ...\n",
    "vllm/config/modes.py": """
class Mode(enum.IntEnum):
    NONE = 0
    WHOLE = 3
class Backend(Enum):
    TRITON = 'a.path'
class Kind(str, Enum):
    BACKED = 'backed'
""",
    "vllm/config/compilation.py": """
from vllm.config.utils import config
from vllm.config.modes import Mode, Backend, Kind
if TYPE_CHECKING:
    from vllm.tensorizer import TensorizerConfig
else:
    TensorizerConfig = Any
@config
class PassConfig:
    fuse: bool = None
    kind: Kind = Kind.BACKED
@config
class CompilationConfig:
    mode: Mode = None
    backend: Backend | None = None
    old_backend: Backend | str = 'x'
    save_format: Literal['binary', 'unpacked'] = 'binary'
    version: Literal[2, 3] | None = None
    lowered: Literal['auto', 'b'] = 'auto'
    sizes: list[int] | None = None
    warmups: int = Field(default=1, ge=0)
    extra: dict | TensorizerConfig = None
    counted: Counter[str] = None
    converted: int = 1
    filled: list[str] = field(default_factory=list, init=False)
    pass_config: PassConfig = None
    @field_validator('mode', mode='before')
    def read_mode(cls, value):
        if isinstance(value, str):
            if value.upper() not in Mode.__members__:
                raise ValueError
        return value
    @field_validator('backend', mode='before')
    def read_backend(cls, value):
        if value.lower() == 'auto':
            return None
        return Backend[value.upper()]
    @field_validator('lowered', mode='before')
    def lower(cls, value):
        return value.lower()
    @field_validator('converted', mode='before')
    def convert(cls, value):
        return something(value)
    @field_validator('pass_config', mode='before')
    def make(cls, value):
        return PassConfig(**value) if isinstance(value, dict) else value
    @field_validator('mode', 'missing', mode='wrap')
    def skip(cls, value, handler):
        if value is None:
            return value
        return handler(value)
""",
    "vllm/config/offload.py": """
from vllm.config.utils import config
@config
class OffloadConfig:
    offload_backend: Literal['auto', 'uva'] = 'auto'
""",
    "vllm/engine/arg_utils.py": """
from vllm.config.compilation import CompilationConfig
from vllm.config.modes import Backend
from vllm.config.offload import OffloadConfig
class Plain:
    any_field: int = 0
@dataclass
class EngineArgs:
    compilation_config: CompilationConfig | None = None
    plain: Plain | None = None
    offload_backend: str = OffloadConfig.offload_backend
    mamba_backend: Backend = Backend.TRITON
    def make(self):
        if isinstance(self.mamba_backend, str):
            self.mamba_backend = Backend[self.mamba_backend.upper()]
@dataclass
class AsyncEngineArgs(EngineArgs):
    pass
""",
    "vllm/reasoning/__init__.py": "_REASONING_PARSERS_TO_REGISTER = {}\n",
    "vllm/tool_parsers/__init__.py": "_TOOL_PARSERS_TO_REGISTER = {}\n",
    "vllm/config/speculative.py": "class SpeculativeConfig:\n    method: str = ''\n",
}


def test_fields_are_read_with_their_validators() -> None:
    assert nested_fields(Source(FILES.get)) == {
        "compilation_config": {
            "backend": "str|none [TRITON, auto] in any case",
            "lowered": "str [auto, b] in any case",
            "mode": "int|str|none [NONE, 0, WHOLE, 3] in any case",
            "old_backend": "str",
            "pass_config": "dict",
            "save_format": "str [binary, unpacked]",
            "sizes": "list|none",
            "version": "int|none [2, 3]",
            "warmups": "int",
        },
        "compilation_config.pass_config": {"fuse": "bool", "kind": "str [backed]"},
    }


def test_limits_and_names_of_inner_configurations_have_their_path() -> None:
    source = Source(FILES.get)
    assert argument_bounds(source) == {"compilation_config.warmups": {"ge": 0}}
    assert closed_values(source)["compilation_config.pass_config"] == ["fuse", "kind"]


def test_classes_that_pydantic_does_not_check_are_left_out() -> None:
    unchecked = FILES | {"vllm/config/utils.py": "def config(cls): ...\n"}
    assert nested_fields(Source(unchecked.get)) == {}


def test_texts_are_closed_by_the_field_or_the_enumeration_that_they_become() -> None:
    rows = engine_arguments(Source(FILES.get))
    assert rows["offload_backend"] == "str [auto, uva]"
    assert rows["mamba_backend"] == "str [TRITON] in any case"
