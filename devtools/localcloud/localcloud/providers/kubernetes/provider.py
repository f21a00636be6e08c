"""The `kubernetes` stand-in: the rules of the provider itself.

This module does what pulumi-kubernetes does itself: auto-naming, namespace
defaults, which changes replace an object, waiting, marking Secret data, and its
arguments. What a cluster answers is in `stored_api.StoredApi`.
"""

from __future__ import annotations

import copy
import importlib.metadata
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import yaml

from localcloud.faults import recorded
from localcloud.providers import diff
from localcloud.providers.kubernetes import helm, objects, yaml_components
from localcloud.providers.kubernetes.objects import ObjectRef
from localcloud.providers.kubernetes.stored_api import StoredApi
from localcloud.providers.schema import Schema, has_module
from localcloud.providers.server import Diff, Failure, Provider, ProviderError, Resource
from localcloud.providers.wire import Secret, Unknown, has_unknown, known_part
from localcloud.store import cache_from_environment, home_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi.runtime.proto import provider_pb2

AMBIENT: Final = "ambient"
_AUTONAMED: Final = "pulumi.com/autonamed"
_BOOLEANS: Final = {
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}


class KubernetesProvider(Provider):
    """Answers as pulumi-kubernetes would."""

    name: ClassVar[str] = "kubernetes"
    version: ClassVar[str] = importlib.metadata.version("pulumi_kubernetes")

    def __init__(self) -> None:
        self.home = home_from_environment()
        self.config: dict[str, Any] = {}
        self.api = StoredApi(self.home, AMBIENT)

    def check_config(self, news: dict[str, Any]) -> list[Failure]:
        """Refuse unknown arguments and a kubeconfig that cannot be read."""
        schema = self._schema("pulumi_kubernetes", "ProviderArgs")
        known = schema.types[schema.root]["properties"]
        failures = [
            Failure(key, f"unknown provider argument {key}")
            for key in news
            if key not in known and key != "version" and not key.startswith("__")
        ]
        try:
            _server_of(news)
        except ProviderError as error:
            failures.append(Failure("kubeconfig", str(error)))
        return failures

    def diff_config(self, olds: dict[str, Any], news: dict[str, Any]) -> Diff:
        """A change of clusterIdentifier replaces; if it is not set, a new server does."""
        old_identity, new_identity = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
        if old_identity or new_identity:
            replacing = {"clusterIdentifier"} if old_identity != new_identity else set()
        elif _server_of(olds) != _server_of(news):
            replacing = {"kubeconfig", "context", "cluster"}
        else:
            replacing = set()
        return Diff(diff.detailed(olds, news, lambda path: path.split(".")[0] in replacing))

    def configure(self, args: dict[str, Any]) -> None:
        """Store the arguments; booleans can also be set by the plugin's variables."""
        self.config = dict(args)
        for key, variable in _BOOLEANS.items():
            self.config[key] = _is_true(args.get(key, os.environ.get(variable)))
        server = _server_of(args)
        self.api = StoredApi(self.home, server if isinstance(server, str) else "")

    def check(
        self, res: Resource, olds: dict[str, Any], news: dict[str, Any], seed: bytes
    ) -> tuple[dict[str, Any], list[Failure]]:
        """Fill in name and namespace, then refuse what an API server would refuse."""
        inputs = copy.deepcopy(news)
        if res.type == helm.RELEASE:
            inputs.setdefault("name", olds.get("name") or _auto_name(res.name, seed))
            inputs.setdefault("namespace", self.config.get("namespace") or "default")
            problems = [
                *self._schema("pulumi_kubernetes.helm.v3", "ReleaseArgs").problems(news),
                *helm.problems(known_part(inputs)),
            ]
        else:
            problems = list(self._object_problems(res, news))
            self._place(res, olds, inputs, seed)
            problems += objects.metadata_problems(inputs)
            problems += objects.content_problems(inputs)
            if inputs.get("kind") == "CustomResourceDefinition" and not problems:
                self.api.announce(inputs)
            else:
                problems += self.api.problems(inputs)
        return inputs, [Failure(path, reason) for path, reason in dict.fromkeys(problems)]

    def diff(self, res: Resource, old_inputs: dict[str, Any], news: dict[str, Any]) -> Diff:
        """Compare inputs; an object that keeps its name is deleted before its replacement."""
        if res.type == helm.RELEASE:
            changes = diff.detailed(old_inputs, news, lambda path: path in ("name", "namespace"))
            return Diff(changes)
        kind = news.get("kind", "")
        changes = diff.detailed(old_inputs, news, lambda path: self._forces_new(kind, path, news))
        old, new = objects.metadata_of(old_inputs), objects.metadata_of(news)
        same_place = [old.get(k) == new.get(k) for k in ("name", "namespace")]
        autonamed = _AUTONAMED in (new.get("annotations") or {})
        replaces = any(replace for _, replace in changes.values())
        return Diff(changes, delete_before_replace=replaces and all(same_place) and not autonamed)

    def create(
        self, res: Resource, inputs: dict[str, Any], preview: bool
    ) -> tuple[str, dict[str, Any]]:
        """Create in the cluster and wait."""
        if preview or has_unknown(inputs):
            return "", self._preview(res, inputs)
        with recorded(self.home, self.name, "create", res.type, res.name) as entry:
            ref = self._ref(res, inputs)
            entry["id"] = ref.id
            if res.type == helm.RELEASE:
                return ref.id, helm.install(self.api, inputs)
            live = self.api.create(ref, inputs, upsert=self.config["upsertExistingObjects"])
        return ref.id, _outputs(live)

    def read(
        self, res: Resource, id_: str, state: dict[str, Any], inputs: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The live object, for refresh, import and `get`."""
        ref = self._ref_by_id(res, id_, inputs or state)
        if res.type == helm.RELEASE:
            entry = helm.read(self.api, ref)
            if entry is None:
                return "", {}, {}
            return id_, helm.outputs(entry["object"], entry["revision"]), entry["object"]
        live = self.api.get(ref)
        if live is None:
            if not inputs:
                msg = f'{ref.plural} "{ref.name}" not found'
                raise ProviderError(msg)
            return "", {}, {}
        live = _with_known_secrets(live, state)
        return id_, _outputs(live), _inputs_as_live(inputs, live)

    def update(
        self,
        res: Resource,
        id_: str,
        old_inputs: dict[str, Any],
        inputs: dict[str, Any],
        preview: bool,
    ) -> dict[str, Any]:
        """Apply server-side and wait."""
        del old_inputs
        if preview or has_unknown(inputs):
            return self._preview(res, inputs)
        with recorded(self.home, self.name, "update", res.type, res.name) as entry:
            entry["id"] = id_
            if res.type == helm.RELEASE:
                return helm.upgrade(self.api, inputs)
            annotations = objects.metadata_of(inputs).get("annotations") or {}
            force = _is_true(annotations.get("pulumi.com/patchForce"))
            live = self.api.apply(
                self._ref(res, inputs), inputs, force=force or self.config["enablePatchForce"]
            )
        return _outputs(live)

    def delete(self, res: Resource, id_: str, inputs: dict[str, Any]) -> None:
        """Delete in the foreground."""
        with recorded(self.home, self.name, "delete", res.type, res.name) as entry:
            entry["id"] = id_
            self.api.delete(self._ref_by_id(res, id_, inputs))

    async def construct(
        self, request: provider_pb2.ConstructRequest, engine_address: str
    ) -> provider_pb2.ConstructResponse:
        """Construct a `yaml/v2` component; there are no others."""
        if request.type not in (yaml_components.CONFIG_GROUP, yaml_components.CONFIG_FILE):
            return await super().construct(request, engine_address)
        return await yaml_components.construct(request, cache_from_environment(), self.version)

    def _schema(self, module: str, args_class: str) -> Schema:
        return Schema.load(cache_from_environment(), module, args_class, self.version)

    def _object_problems(self, res: Resource, news: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Strict field validation of built-in kinds, from the SDK's types."""
        group_version, _, kind = res.type.removeprefix("kubernetes:").partition(":")
        group, _, version = group_version.partition("/")
        if kind == "CustomResourceDefinition":
            spec = news.get("spec")
            missing = {"group", "names", "scope", "versions"} - set(known_part(spec) or ())
            if missing and not has_unknown(spec):
                yield "spec", f"Required value: {', '.join(sorted(missing))}"
            return
        module = f"pulumi_kubernetes.{group.split('.')[0]}.{version}"
        builtin = objects.is_built_in(group)
        if builtin and has_module(module):
            for path, reason in self._schema(module, f"{kind}InitArgs").problems(news, strict=True):
                unknown = "is not expected here" in reason
                yield path, f'unknown field "{path}"' if unknown else reason
        elif builtin:
            msg = f"the local cloud has no {res.type}: the SDK does not know it."
            raise ProviderError(msg)

    def _place(
        self, res: Resource, olds: dict[str, Any], inputs: dict[str, Any], seed: bytes
    ) -> None:
        """Fill in the name and the namespace."""
        metadata = inputs.setdefault("metadata", {})
        if not isinstance(metadata, dict):
            return
        if "name" not in metadata and "generateName" not in metadata:
            old = objects.metadata_of(olds)
            was_autonamed = _AUTONAMED in (old.get("annotations") or {})
            metadata["name"] = old["name"] if was_autonamed else _auto_name(res.name, seed)
            annotations = metadata.get("annotations") or {}
            if isinstance(annotations, dict):
                metadata["annotations"] = {**annotations, _AUTONAMED: "true"}
        if self.api.is_namespaced(inputs.get("apiVersion", ""), inputs.get("kind", "")):
            metadata.setdefault("namespace", self.config.get("namespace") or "default")

    def _forces_new(self, kind: str, path: str, news: dict[str, Any]) -> bool:
        plain = diff.without_indexes(path)
        if plain in ("metadata.name", "metadata.namespace", "kind"):
            return True
        mutable = {
            "ConfigMap": self.config.get("enableConfigMapMutable"),
            "Secret": self.config.get("enableSecretMutable"),
        }.get(kind)
        if mutable and plain != "type" and not news.get("immutable"):
            return False
        fields = objects.FORCE_NEW.get(kind, ())
        return any(plain == field or plain.startswith(f"{field}.") for field in fields)

    def _ref(self, res: Resource, inputs: dict[str, Any]) -> ObjectRef:
        if res.type == helm.RELEASE:
            return helm.ref_of(inputs)
        metadata = inputs["metadata"]
        return ObjectRef(
            inputs["apiVersion"], inputs["kind"], metadata.get("namespace"), metadata["name"]
        )

    def _ref_by_id(self, res: Resource, id_: str, inputs: dict[str, Any]) -> ObjectRef:
        namespace, _, name = id_.rpartition("/")
        if res.type == helm.RELEASE:
            return helm.ref_of({"namespace": namespace, "name": name})
        version, _, kind = res.type.removeprefix("kubernetes:").partition(":")
        api_version = inputs.get("apiVersion") or version.removeprefix("core/")
        if not namespace and self.api.is_namespaced(api_version, kind):
            namespace = "default"
        return ObjectRef(api_version, kind, namespace or None, name)

    def _preview(self, res: Resource, inputs: dict[str, Any]) -> dict[str, Any]:
        if res.type == helm.RELEASE:
            return helm.outputs(inputs, None)
        return _outputs(objects.with_data(inputs) if inputs.get("kind") == "Secret" else inputs)


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def _auto_name(name: str, seed: bytes) -> str:
    return f"{name}-{(seed or os.urandom(8)).hex()[:8]}"


def _server_of(config: dict[str, Any]) -> str | Unknown:
    """The API server that a kubeconfig's current context points to.

    Raises ProviderError when the kubeconfig is not one.
    """
    text = config.get("kubeconfig") or os.environ.get("KUBECONFIG")
    if isinstance(text, Unknown):
        return text
    if not text:
        return AMBIENT
    path = Path(text).expanduser() if len(text) < 4096 and "\n" not in text else None
    if path is not None and not text.lstrip().startswith("{"):
        if not path.is_file():
            msg = f"kubeconfig: no such file: {path}"
            raise ProviderError(msg)
        text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
        contexts = {c["name"]: c["context"] for c in content.get("contexts") or ()}
        if not config.get("kubeconfig") and config.get("context") not in contexts:
            return AMBIENT  # a cluster that the local cloud has not
        clusters = {c["name"]: c["cluster"] for c in content["clusters"]}
        context = contexts.get(config.get("context") or content.get("current-context"))
        name = config.get("cluster") or (context or {}).get("cluster")
        server: str = clusters[name]["server"]
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        msg = f"kubeconfig has no server for its current context ({type(error).__name__})"
        raise ProviderError(msg) from error
    return server


def _outputs(live: dict[str, Any]) -> dict[str, Any]:
    if live.get("kind") == "Secret":
        return {**live, "data": Secret(live.get("data") or {})}
    return live


def _with_known_secrets(live: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """A Secret's values from the state, if their digests equal the cluster's."""
    known = state.get("data")
    if live.get("kind") != "Secret" or not isinstance(known, dict):
        return live
    digests = objects.digested({"data": known})["data"]
    data = {
        key: known[key] if digests.get(key) == value else value
        for key, value in (live.get("data") or {}).items()
    }
    return {**live, "data": data}


def _inputs_as_live(inputs: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the changes that others made in the cluster, for refresh.

    Of a Secret they stay as they are, because the cluster here has digests of its values.
    """
    if not inputs:
        return {key: value for key, value in live.items() if key != "status"}
    if live.get("kind") == "Secret":
        return inputs
    pruned: dict[str, Any] = _pruned(live, inputs)
    return pruned


def _pruned(live: Any, inputs: Any) -> Any:
    """What of a live value has a counterpart in the inputs, as the real provider finds it.

    `pruneMap` and `pruneSlice` in its provider/pkg/provider/util.go: keys that the inputs lack, and
    items beyond the length of their list, are left out.
    """
    if isinstance(live, dict) and isinstance(inputs, dict):
        return {key: _pruned(value, inputs[key]) for key, value in live.items() if key in inputs}
    if isinstance(live, list) and isinstance(inputs, list) and live and inputs:
        if type(live[0]) is not type(inputs[0]):
            return live
        return [_pruned(*pair) for pair in zip(live, inputs, strict=False)]
    return live
