"""Whether the weights can be downloaded: gated repositories need a Hugging Face token."""

from collections.abc import Iterable

from models.catalog import Gating
from models.problems import Problem, Severity
from planning.checks.contexts import EntryContext

_TO_GIVE_ONE = "run `pulumi config set --secret ray-llm:huggingFaceToken`"


def gated_weights_problems(context: EntryContext) -> Iterable[Problem]:
    """A gated model without a token; a public model needs none."""
    checkpoint = context.checkpoint
    if checkpoint is None or context.has_hugging_face_token:
        return
    if checkpoint.gated is Gating.YES:
        yield Problem(
            path=context.path,
            value=checkpoint.source,
            reason="is gated on Hugging Face, and the stack has no token",
            remedy=f"Accept its terms there, then {_TO_GIVE_ONE}",
            rule="token-missing",
        )
    elif checkpoint.gated is Gating.PERHAPS:
        yield Problem(
            path=context.path,
            value=checkpoint.source,
            reason="may be gated on Hugging Face, as others of its publisher are, and the stack "
            "has no token",
            remedy="Open its page without an account: if it asks for its terms, accept them and "
            f"{_TO_GIVE_ONE}; if not, write gated: false",
            rule="token-perhaps-missing",
            severity=Severity.WARN,
        )
