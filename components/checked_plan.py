"""Plans for programs: whole ones or the GPU pools alone, or the run stops with every problem.

Pulumi ends a run on `RunError` without a traceback and with an exit code that is not 0; nothing
has been registered by then, so nothing is created, changed or deleted.
"""

import pulumi

from models.problems import StackError, stops
from models.reading import Reading, reading_of
from models.stack import StackSettings
from planning import Plan, PoolPlan, gpu_pools, make_plan


def plan_or_stop(stack: StackSettings | Reading) -> Plan:
    """The plan of settings made in Python, or of a stack file that was read; it says its warnings.

    Raises pulumi.RunError.
    """
    reading = reading_of(stack) if isinstance(stack, StackSettings) else stack
    try:
        plan = make_plan(reading)
    except StackError as error:
        raise pulumi.RunError(str(error)) from None
    for warning in plan.warnings:
        pulumi.warn(warning.sentence())
    return plan


def gpu_pools_or_stop(settings: StackSettings) -> tuple[PoolPlan, ...]:
    """The GPU pools of settings whose models, if any, are deployed by others; shows their warnings.

    Raises pulumi.RunError.
    """
    pools, problems = gpu_pools(settings)
    if stops(problems):
        raise pulumi.RunError(str(StackError(f"stack {settings.stack}", stops(problems))))
    for warning in problems:
        pulumi.warn(warning.sentence())
    return pools
