"""Whether config.json may leave unsaid how the weights are quantized.

Without it no check of quantization runs: not the GPU's capability, not the release's methods.
"""

import re
from collections.abc import Iterable
from typing import Final

from models.architecture import MODELOPT_FILE
from models.catalog import quantize_while_loading
from models.problems import Problem, Severity
from planning.checks.contexts import EntryContext

# How the names of repositories say it, as a word of their own.
_IN_NAMES: Final = re.compile(
    r"(?:^|[-_./])(fp8|nvfp4|mxfp4|fp4|awq|gptq|int4|int8|w4a16|w8a16|w8a8|w4a4|autoround|bnb|"
    r"4bit|8bit|gguf|modelopt)(?:$|[-_.])",
    re.IGNORECASE,
)
_RULE: Final = "quantization-unseen"


def unseen_quantization_problems(context: EntryContext) -> Iterable[Problem]:
    """A source whose name or size says quantized, and whose config.json does not."""
    checkpoint, deployment = context.checkpoint, context.deployment
    if checkpoint is None or checkpoint.in_catalogue or checkpoint.architecture is None:
        return
    stored = checkpoint.quantization
    if stored is not None and stored.assumed:
        yield Problem(
            path=f"{context.path}.configFile",
            value=deployment.config_file,
            reason=f"says nothing of quantization, so {checkpoint.source} is taken for ModelOpt's "
            f"{stored.scheme} by its name",
            remedy=f"Put the repository's {MODELOPT_FILE} beside it",
            rule=_RULE,
            severity=Severity.WARN,
        )
        return
    asked = deployment.quantization or deployment.engine.get("quantization")
    in_flight = context.vllm is not None and str(asked) in quantize_while_loading(context.vllm)
    if stored is not None or (asked is not None and not in_flight):
        return
    name = _IN_NAMES.search(checkpoint.source)
    share = checkpoint.share_of_16_bit
    if not checkpoint.holds_16_bit_weights and share is not None:
        sign = f"weightGib {deployment.weight_gib:g} is {share:.0%} of what its weights take in "
        sign += "16 bit"
    elif name is not None and asked is None:
        sign = f"the name of {checkpoint.source} says {name[1]}"
    else:
        return
    yield Problem(
        path=f"{context.path}.configFile",
        value=deployment.config_file,
        reason=f"says nothing of quantization, and {sign}",
        remedy="Give the config.json of this repository, not of the model that it was made from, "
        f"with its {MODELOPT_FILE} beside it if it has one",
        rule=_RULE,
        severity=Severity.WARN,
    )
