#!/usr/bin/env bash
# The experimental provider API of Pulumi's Python SDK cannot answer a preview with an unknown, and
# its server cannot answer a detailed DiffConfig.
#
# Version: pulumi 3.259.0 (pulumi.provider.experimental).
# One would guess: `Computed` is one of the values of a `PropertyValue`, so a provider returns it
# from `create` during a preview for what is known only later; and `PropertyDiff` in the answer to
# `diff_config` works as it does in the answer to `diff`.
# Seen:
# - PropertyValue(Computed()).marshal() raises ValueError, while an unknown that arrives is not
#   unmarshalled as Computed but stays the plain text of Pulumi's sentinel.
# - The server's DiffConfig reads `inputDiff`, but the attribute is named `input_diff` (its Diff
#   reads that one), so it raises AttributeError.
# What it means: a provider written on this API must pass the sentinel on by hand, and must not
# answer DiffConfig in detail.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pulumi==3.259.0'
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import inspect
from importlib.metadata import version

from pulumi.provider.experimental import provider, server
from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from google.protobuf import struct_pb2

print("pulumi", version("pulumi"))

try:
    PropertyValue(Computed()).marshal()
except ValueError as error:
    print("marshal(Computed): ValueError:", error)
else:
    raise SystemExit("changed: Computed can be marshalled")

arrived = PropertyValue.unmarshal(struct_pb2.Value(string_value=rpc.UNKNOWN))
print("unmarshal(unknown):", type(arrived.value).__name__, arrived.value)
if isinstance(arrived.value, Computed):
    raise SystemExit("changed: an unknown arrives as Computed")


class Detailed(provider.Provider):
    """Answers DiffConfig with one property that differs."""

    async def diff_config(self, request):
        kind = provider.PropertyDiffKind.UPDATE
        differs = {"region": provider.PropertyDiff(kind, input_diff=True)}
        return provider.DiffResponse(
            changes=True, replaces=[], stables=[], delete_before_replace=False, detailed_diff=differs
        )


servicer_class = next(
    found
    for _, found in inspect.getmembers(server, inspect.isclass)
    if "DiffConfig" in vars(found)
)
servicer = servicer_class.__new__(servicer_class)
for name in ("provider", "_provider"):
    setattr(servicer, name, Detailed())
try:
    asyncio.run(servicer.DiffConfig(provider_pb2.DiffRequest(), None))
except AttributeError as error:
    print("DiffConfig: AttributeError:", error)
else:
    raise SystemExit("changed: DiffConfig answers in detail")
PYTHON
