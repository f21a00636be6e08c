"""What works badly or not at all: every check, in the order in which they run.

A check is a function from its context to the problems that it finds. It lives in the module of
its subject, and models/rules.py says which rules each module makes.
"""

from collections.abc import Callable, Iterable
from typing import Final

from models.problems import Problem
from models.rules import RULES
from planning.checks.access_exposure import adopted_cluster_problems, exposure_problems
from planning.checks.access_keys import key_problems
from planning.checks.adopted_cluster import (
    cpu_pool_name_problems,
    operator_version_problems,
)
from planning.checks.autoscaling import downscale_problems, unseen_use_problems
from planning.checks.boot_disk import boot_disk_problems
from planning.checks.budget import budget_problems
from planning.checks.canaries import canary_problems
from planning.checks.capacity import (
    cpu_pool_zone_problems,
    flex_start_problems,
    reservation_problems,
)
from planning.checks.cold_start import cold_start_problems
from planning.checks.contexts import EntryContext, PlacedContext, StackContext
from planning.checks.cpu_pool import cpu_pool_machine_problems, router_capacity_problems
from planning.checks.engine_argument_values import engine_argument_value_problems
from planning.checks.engine_arguments import engine_argument_problems
from planning.checks.engine_metrics import engine_metrics_problems
from planning.checks.engine_performance import performance_problems
from planning.checks.gated_weights import gated_weights_problems
from planning.checks.gateway_size import gateway_size_problems
from planning.checks.gpu_driver import driver_problems
from planning.checks.gpu_pool import capacity_problems, idle_minimum_problems
from planning.checks.hf_overrides import hf_override_problems
from planning.checks.host_resources import host_cpu_problems, host_memory_problems
from planning.checks.image_cuda import image_cuda_problems
from planning.checks.image_packages import image_package_problems
from planning.checks.kubernetes_object_size import object_size_problems
from planning.checks.local_paths import local_path_problems
from planning.checks.lora import lora_problems
from planning.checks.model_capabilities import model_capability_problems
from planning.checks.model_tasks import task_problems
from planning.checks.monitoring import (
    monitoring_problems,
    promise_problems,
)
from planning.checks.nested_configurations import nested_configuration_problems
from planning.checks.off_hours import off_hours_problems
from planning.checks.parallel_arguments import parallel_argument_problems
from planning.checks.placement import placement_problems
from planning.checks.quota import quota_problems
from planning.checks.rope_scaling import rope_scaling_problems
from planning.checks.served_names import name_problems
from planning.checks.speculative_decoding import (
    speculative_config_problems,
    speculative_engine_problems,
)
from planning.checks.tool_calls import tool_call_problems
from planning.checks.unchecked_weights import unchecked_weight_problems
from planning.checks.unseen_quantization import unseen_quantization_problems
from planning.checks.weights import weights_problems

# A model entry before it is placed. After a value that the others cannot read they are left out.
ENTRY_CHECKS: Final[tuple[Callable[[EntryContext], Iterable[Problem]], ...]] = (
    gated_weights_problems,
    local_path_problems,
    engine_argument_problems,
    engine_argument_value_problems,
    nested_configuration_problems,
    task_problems,
    lora_problems,
    hf_override_problems,
    rope_scaling_problems,
    speculative_config_problems,
    model_capability_problems,
    unseen_quantization_problems,
    tool_call_problems,
    engine_metrics_problems,
)
# A model on its pool.
PLACED_CHECKS: Final[tuple[Callable[[PlacedContext], Iterable[Problem]], ...]] = (
    unseen_use_problems,
    boot_disk_problems,
    unchecked_weight_problems,
    speculative_engine_problems,
    host_memory_problems,
    performance_problems,
    parallel_argument_problems,
    placement_problems,
    flex_start_problems,
)
# The whole stack.
STACK_CHECKS: Final[tuple[Callable[[StackContext], Iterable[Problem]], ...]] = (
    name_problems,
    exposure_problems,
    key_problems,
    canary_problems,
    adopted_cluster_problems,
    image_package_problems,
    cpu_pool_name_problems,
    operator_version_problems,
    driver_problems,
    image_cuda_problems,
    cpu_pool_machine_problems,
    capacity_problems,
    idle_minimum_problems,
    host_cpu_problems,
    router_capacity_problems,
    cpu_pool_zone_problems,
    reservation_problems,
    object_size_problems,
    downscale_problems,
    off_hours_problems,
    cold_start_problems,
    weights_problems,
    gateway_size_problems,
    monitoring_problems,
    promise_problems,
    quota_problems,
    budget_problems,
)


def entry_problems(context: EntryContext) -> Iterable[Problem]:
    """What is wrong with a model entry, wherever it would run."""
    for check in ENTRY_CHECKS:
        found = tuple(check(context))
        yield from found
        if any(RULES[problem.rule].unreadable for problem in found):
            return


def placed_problems(context: PlacedContext) -> Iterable[Problem]:
    """What is wrong with a model on its pool."""
    for check in PLACED_CHECKS:
        yield from check(context)


def stack_problems(context: StackContext) -> Iterable[Problem]:
    """What is wrong with the stack as a whole."""
    for check in STACK_CHECKS:
        yield from check(context)
