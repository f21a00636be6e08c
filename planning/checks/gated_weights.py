"""Whether the weights can be downloaded: gated repositories need a Hugging Face token."""

from collections.abc import Iterable

from models.problems import Problem
from planning.checks.contexts import EntryContext


def gated_weights_problems(context: EntryContext) -> Iterable[Problem]:
    """A gated model without a token; a public model needs none."""
    checkpoint = context.checkpoint
    if checkpoint is not None and checkpoint.gated and not context.has_hugging_face_token:
        yield Problem(
            path=context.path,
            value=checkpoint.source,
            reason="is gated on Hugging Face, and the stack has no token",
            remedy="Accept its terms there, then run "
            "`pulumi config set --secret ray-llm:huggingFaceToken`",
            rule="token-missing",
        )
