"""Whether the weights can be downloaded: gated repositories need a Hugging Face token."""

from collections.abc import Iterable

from models.problems import Problem
from planning.sizing.checkpoint import Checkpoint


def gated_weights_problems(checkpoint: Checkpoint, has_token: bool, path: str) -> Iterable[Problem]:
    """A gated model without a token; a public model needs none."""
    if checkpoint.gated and not has_token:
        yield Problem(
            path=path,
            value=checkpoint.source,
            reason="is gated on Hugging Face, and the stack has no token",
            remedy="Accept its terms there, then run "
            "`pulumi config set --secret ray-llm:huggingFaceToken`",
            rule="token-missing",
        )
