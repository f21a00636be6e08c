"""Whether the stack stays within its monthly budget."""

from collections.abc import Iterable
from decimal import Decimal

from models.problems import Problem
from planning.checks.contexts import StackContext
from planning.plan_costs import StackCost


def budget_problems(context: StackContext) -> Iterable[Problem]:
    """A stop if the minimum exceeds the budget, a warning if the maximum does."""
    cost, budget = context.cost, context.settings.monthly_budget
    if cost is None or budget is None:
        return
    path, total = "ray-llm:monthlyBudget", cost.total
    if total.minimum > budget:
        yield Problem(
            path=path,
            value=f"{budget:f}",
            reason=f"is below the {total.minimum:,.0f} USD that the stack costs a month with all "
            f"models at their minimum ({_dearest(cost)})",
            remedy="Lower replicas.min or minNodes, choose cheaper pools, or raise the budget",
            rule="budget-exceeded",
        )
    elif total.maximum > budget:
        yield Problem(
            path=path,
            value=f"{budget:f}",
            reason=f"is below the {total.maximum:,.0f} USD that the stack would cost a month with "
            f"all models at their maximum all the time; a typical month "
            f"costs {total.typical:,.0f} USD",
            remedy="Lower replicas.max or maxNodes to make it certain, or accept the risk",
            rule="budget-at-maximum",
        )
    if cost.unpriced:
        yield Problem(
            path=path,
            value=f"{budget:f}",
            reason=f"was compared without {', '.join(cost.unpriced)}, whose prices in this region "
            "are not known",
            remedy=f"Give them: ray-llm:prices: {{{cost.unpriced[0].removesuffix('-spot')}: "
            "{onDemand: 1.20}}, in USD an hour by GPU tier or machine type",
            rule="budget-unknown-price",
        )


def _dearest(cost: StackCost) -> str:
    """The pool that costs most at the minimum: where to look first."""
    priced = [
        (pool.monthly.minimum, pool.pool)
        for pool in cost.pools.values()
        if pool.monthly is not None
    ]
    usd, pool = max(priced, default=(Decimal(0), "the cluster"))
    return f"most of it, {usd:,.0f}, for {pool}"
