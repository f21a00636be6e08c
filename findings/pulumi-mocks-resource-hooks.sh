#!/usr/bin/env bash
# A component with a resource hook cannot run under the mocks of Pulumi's Python SDK.
#
# Version: pulumi 3.259.0.
# One would guess: mocks register everything and call nothing, so a hook is taken and not run; the
# mock monitor even answers that it supports resource hooks.
# Seen: registering the hook raises "No callback server registered.", and with it the whole program
# fails, because the callback server is only made for a real connection to an engine.
# What it means: unit tests of such a component need a callback servicer of their own, or the real
# engine.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pulumi==3.259.0'
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import pulumi
from pulumi.runtime.proto import resource_pb2

print("pulumi", version("pulumi"))


class Cloud(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return f"{args.name}-id", args.inputs

    def call(self, args):
        return {}, []


pulumi.runtime.set_mocks(Cloud())
supported = pulumi.runtime.settings.monitor_supports_feature(
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS
)
print("the mock monitor supports resource hooks:", supported)
if not supported:
    raise SystemExit("changed: the mock monitor says that it has no hooks")


def program(hooks):
    pulumi.Stash("record", input="x", opts=pulumi.ResourceOptions(hooks=hooks))
    return pulumi.Output.from_input(None)


@pulumi.runtime.test
def without_hook():
    return program(None)


@pulumi.runtime.test
def with_hook():
    hook = pulumi.ResourceHook("said", lambda args: None)
    return program(pulumi.ResourceHookBinding(before_create=[hook]))


without_hook()
print("without a hook: runs")
try:
    with_hook()
except Exception as error:
    print("with a hook:", error)
    if "No callback server registered" not in str(error):
        raise
else:
    raise SystemExit("changed: a resource with a hook runs under mocks")
PYTHON
