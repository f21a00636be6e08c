"""What an edit of a running service does: KubeRay's and Ray Serve's own rules, as pure code.

It knows the RayService as a plain object and the catalogue's releases of KubeRay, and neither plans
nor a cluster. This is all of rollouts that other folders import.
"""

from rollouts.access_change import AccessFields, access_sentences, canary_problem
from rollouts.by_hand import Addition, additions, as_live, unforeseen
from rollouts.certificate_secret import Absence, CertificateSecret, SeenSecret
from rollouts.collector_kinds import CollectorKinds
from rollouts.expectation import Duration, Expectation, ModelStart, PoolNode
from rollouts.going_back import Left, WayBack, is_as_wanted, way_back
from rollouts.gpu_quota import GpuQuota
from rollouts.guards import (
    NODE_QUOTA_ANNOTATION,
    OPERATOR_ANNOTATION,
    ROOM_RULE,
    Change,
    Policy,
    change_problems,
    judged,
)
from rollouts.handover import (
    BESIDE,
    ServeConfig,
    Wave,
    handed_over,
    held_models,
    is_last,
    leftovers,
    next_wave,
    running_at_least,
    without,
)
from rollouts.node_pools import NOT_SAID, PoolFields, pool_problems, pool_sentences
from rollouts.off_hours import waking_sentence
from rollouts.operator_change import (
    DEFINITIONS_ANNOTATION,
    OperatorFields,
    operator_fields,
    operator_sentence,
)
from rollouts.prediction import Kind, Rollout, predict
from rollouts.progress import ModelState, Pod, Progress, Seen
from rollouts.replacement import (
    ServiceFields,
    cluster_fields,
    cluster_problem,
    cluster_sentence,
    service_fields,
    service_problems,
    service_sentence,
)
from rollouts.room import HeadRoom, PoolRoom, QuotaRoom, Room, shortages
from rollouts.sentence import Sentence, joined
from rollouts.serve_models import Effect, ModelChange, serve_config
from rollouts.tree import Difference, differences, quantity
from rollouts.words import NOTHING_CHANGES, sentences

__all__ = [
    "BESIDE",
    "DEFINITIONS_ANNOTATION",
    "NODE_QUOTA_ANNOTATION",
    "NOTHING_CHANGES",
    "NOT_SAID",
    "OPERATOR_ANNOTATION",
    "ROOM_RULE",
    "Absence",
    "AccessFields",
    "Addition",
    "CertificateSecret",
    "Change",
    "CollectorKinds",
    "Difference",
    "Duration",
    "Effect",
    "Expectation",
    "GpuQuota",
    "HeadRoom",
    "Kind",
    "Left",
    "ModelChange",
    "ModelStart",
    "ModelState",
    "OperatorFields",
    "Pod",
    "Policy",
    "PoolFields",
    "PoolNode",
    "PoolRoom",
    "Progress",
    "QuotaRoom",
    "Rollout",
    "Room",
    "Seen",
    "SeenSecret",
    "Sentence",
    "ServeConfig",
    "ServiceFields",
    "Wave",
    "WayBack",
    "access_sentences",
    "additions",
    "as_live",
    "canary_problem",
    "change_problems",
    "cluster_fields",
    "cluster_problem",
    "cluster_sentence",
    "differences",
    "handed_over",
    "held_models",
    "is_as_wanted",
    "is_last",
    "joined",
    "judged",
    "leftovers",
    "next_wave",
    "operator_fields",
    "operator_sentence",
    "pool_problems",
    "pool_sentences",
    "predict",
    "quantity",
    "running_at_least",
    "sentences",
    "serve_config",
    "service_fields",
    "service_problems",
    "service_sentence",
    "shortages",
    "unforeseen",
    "waking_sentence",
    "way_back",
    "without",
]
