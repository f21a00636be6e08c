"""Whether the stack stays within its monthly budget."""

from collections.abc import Iterable
from decimal import Decimal
from math import ceil

from models.problems import Problem
from models.ways_out import WayOut, outside, together, use
from planning.checks.contexts import StackContext
from planning.plan_costs import StackCost


def budget_problems(context: StackContext) -> Iterable[Problem]:
    """A stop if the minimum exceeds the budget, a warning if the maximum does."""
    cost, budget = context.cost, context.settings.monthly_budget
    if cost is None or budget is None:
        return
    path, total = "ray-llm:monthlyBudget", cost.total
    # With several ways to pay, if only the dearest has nodes.
    most = (cost.dearest or total).maximum
    if total.minimum > budget:
        usd, dearest = _dearest(cost)
        yield Problem(
            path=path,
            value=f"{budget:f}",
            reason=f"is below the {total.minimum:,.0f} USD that the stack costs a month with all "
            f"models at their minimum (most of it, {usd:,.0f}, for {dearest})",
            remedy="Lower replicas.min or minNodes, choose cheaper pools, or raise the budget",
            rule="budget-exceeded",
            candidates=_ways_to_save(context, total.minimum, cheaper=dearest in cost.pools),
        )
    elif most > budget:
        yield Problem(
            path=path,
            value=f"{budget:f}",
            reason=f"is below the {most:,.0f} USD that the stack would cost a month with "
            f"all models at their maximum all the time; a typical month "
            f"costs {total.typical:,.0f} USD",
            remedy="Lower replicas.max or maxNodes to make it certain, or accept the risk",
            rule="budget-at-maximum",
            candidates=(
                *(
                    use(
                        f"{model.path}.replicas.max",
                        max(1, model.replicas.min),
                        f"lower replicas.max of {model.name} to {max(1, model.replicas.min)}",
                        group="replicas",
                    )
                    for model in context.models
                    if model.replicas.max > max(1, model.replicas.min)
                ),
                use(path, ceil(most), f"raise it to {ceil(most)}"),
                outside("accept the risk"),
            ),
        )
    if cost.unpriced:
        yield Problem(
            path=path,
            value=f"{budget:f}",
            reason=f"was compared without {', '.join(cost.unpriced)}, whose prices in this region "
            "are not known",
            remedy="Give a price for each in ray-llm:prices, in USD an hour, by GPU tier or by "
            "machine type",
            rule="budget-unknown-price",
        )


def _ways_to_save(context: StackContext, needed: Decimal, *, cheaper: bool) -> Iterable[WayOut]:
    """Fewer replicas that are always up, of one model or of all; or more money.

    cheaper: whether another pool might cost less.
    """
    lower = [model for model in context.models if model.replicas.min > 1]
    awake = [model for model in context.models if model.replicas.min > 0]
    for models, least in ((lower, 1), (awake, 0)):
        edits = [use(f"{model.path}.replicas.min", least) for model in models]
        for model, edit in zip(models, edits, strict=True):
            words = f"lower replicas.min of {model.name} to {least}"
            yield together(words, edit, group="replicas")
        if len(models) > 1:
            yield together(f"lower all replicas.min to {least}", *edits, group="replicas")
    more = f"raise it to {ceil(needed)}"
    yield use(
        "ray-llm:monthlyBudget",
        ceil(needed),
        f"{more} or choose cheaper pools" if cheaper else more,
    )


def _dearest(cost: StackCost) -> tuple[Decimal, str]:
    """What costs most at the minimum, a GPU pool or another part: where to look first."""
    pools = {name: pool.expected for name, pool in cost.pools.items()}
    parts = {**pools, **cost.of_no_pool}
    return max((levels.minimum, name) for name, levels in parts.items() if levels is not None)
