"""What is remembered of the way in, so that previews say what its change does."""

from planning import Plan
from rollouts import AccessFields


def access_fields(plan: Plan) -> AccessFields:
    """Who may ask what, from where; empty if the plan has no gateway."""
    access = plan.access
    if access is None:
        return {}
    return {
        "exposure": access.exposure.value,
        "host": access.host,
        "certificate": access.certificate,
        "securityPolicy": access.security_policy,
        "maxBodyMib": access.gateway.max_body_mib,
        "keys": {
            key.team: {
                "models": None if key.models is None else list(key.models),
                "requestsPerMinute": key.requests_per_minute,
            }
            for key in access.keys
        },
        "canaries": {
            model.name: {"of": model.canary_of, "percent": model.canary_percent}
            for model in plan.models
            if model.canary_of is not None
        },
        "models": [model.name for model in plan.models],
    }
