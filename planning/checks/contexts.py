"""What a check may look at: a model entry, a placed model, or the whole stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.architecture import LlmArchitecture
from models.stack import ModelDeployment, StackSettings
from planning.access import AccessPlan
from planning.infrastructure.pool_price import PoolChoice
from planning.placement.other_pools import Offer
from planning.plan import ModelPlan, PodResources, PoolPlan, ReleasePlan, RouterGroupPlan
from planning.plan_costs import QuotaNeed, StackCost
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.model_sizing import ModelSpec


@dataclass(frozen=True, kw_only=True)
class EntryContext:
    """A model entry before it is placed, whatever its GPU.

    path: the entry's path in the stack file.
    checkpoint, release: None if they could not be decided; checks that need them find nothing.
    mounted: the folder in which the stack mounts weights; None if it mounts none.
    """

    path: str
    deployment: ModelDeployment
    has_hugging_face_token: bool
    checkpoint: Checkpoint | None
    release: ReleasePlan | None
    mounted: str | None = None

    @property
    def engine(self) -> Mapping[str, Any]:
        """The vLLM engine arguments that the entry states."""
        return self.deployment.engine

    @property
    def architecture(self) -> LlmArchitecture | None:
        """The model's architecture; None if it is not known."""
        return None if self.checkpoint is None else self.checkpoint.architecture

    @property
    def vllm(self) -> str | None:
        """The vLLM release that runs; None if it could not be decided."""
        return None if self.release is None else self.release.vllm


@dataclass(frozen=True, kw_only=True)
class PlacedContext:
    """A model on its pool.

    pool: the model's pool, without node counts.
    choices: all pools of the stack as placement sees them.
    offer: where pools could be added.
    """

    spec: ModelSpec
    model: ModelPlan
    pool: PoolPlan
    choices: tuple[PoolChoice, ...]
    offer: Offer

    @property
    def path(self) -> str:
        """The model's path in the stack file."""
        return self.model.path

    @property
    def choice(self) -> PoolChoice:
        """The model's pool as placement sees it."""
        return next(pool for pool in self.choices if pool.id == self.model.pool)

    @property
    def engine(self) -> Mapping[str, Any]:
        """The vLLM engine arguments that planning passes on as they are stated."""
        return self.spec.arguments.engine


@dataclass(frozen=True, kw_only=True)
class StackContext:
    """The whole stack.

    pools, models, cost, quota: empty or None if a listed pool could not be read, because nothing
    is known then of what the stack needs in all.
    head, routers: the pods of Ray that need no GPU.
    access: the way in, with its gateway; None without one.
    access_complete: False if a part of `ray-llm:access` could not be read, so that its absence
        proves nothing.
    """

    settings: StackSettings
    head: PodResources
    routers: RouterGroupPlan
    pools: tuple[PoolPlan, ...]
    models: tuple[ModelPlan, ...]
    cost: StackCost | None
    quota: tuple[QuotaNeed, ...]
    access: AccessPlan | None = None
    access_complete: bool = True
