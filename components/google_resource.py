"""A resource of Pulumi's Google provider that the SDK's large modules would be slow to import for.

`pulumi_gcp.compute` has the classes of some 300 resources, and its import takes longer than a whole
preview. The type token, and so the URN, is that of the SDK's class.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi


class GoogleResource(pulumi.CustomResource):
    """One resource.

    type_token: as in the provider's schema, such as `gcp:compute/globalAddress:GlobalAddress`.
    values: its arguments, by the names of the provider's schema.
    address: of an address alone.
    """

    address: pulumi.Output[str]

    def __init__(
        self,
        type_token: str,
        name: str,
        values: Mapping[str, pulumi.Input[Any]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__(
            type_token,
            name,
            {"address": None, **values},
            pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(version=version("pulumi_gcp")), opts
            ),
        )
