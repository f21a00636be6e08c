"""Secrets in plain text anywhere in a stack's configuration: found, reported and taken out.

What is read afterwards holds `[secret]` in their place, so that no message, table, output or
comment can show them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from models.problems import Problem, without_secrets
from models.secret_forms import HIDDEN, OF_KEY, SecretForm, is_secret_of_key, secret_form
from models.ways_out import instead

_DEEPEST: Final = 200  # levels that are copied; what lies deeper is hidden whole


def plain_secret_problems(values: Mapping[str, Any], token_key: str) -> tuple[Problem, ...]:
    """A problem for each text and key of a configuration that holds a secret.

    values: by full key. token_key: the full key of the Hugging Face token; what is wrong with its
    own text is found elsewhere.
    """
    return tuple(
        _problem(path, form, token_key)
        for key, value in values.items()
        if key != token_key or isinstance(value, Mapping)
        for path, form in _found(key, value)
    )


def without_plain_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with its secrets replaced; the same objects where it has none."""
    return {
        without_secrets(key): value
        if next(_found(key, value), None) is None
        else _hidden(value, key, _DEEPEST)
        for key, value in values.items()
    }


def _found(key: str, value: object) -> Iterator[tuple[str, SecretForm]]:
    """The path of each text or key that holds a secret, with the form of the secret."""
    waiting: list[tuple[str, str, object]] = [(key, key, value)]
    while waiting:
        path, name, node = waiting.pop()
        form = secret_form(name)
        if form is None and isinstance(node, str):
            form = secret_form(node) or (OF_KEY if is_secret_of_key(name, node) else None)
        if form is not None:
            yield path, form
        if isinstance(node, Mapping):
            inner = [(f"{path}.{child}", str(child), item) for child, item in node.items()]
            waiting.extend(reversed(inner))
        elif isinstance(node, list | tuple):
            # An entry has the key of its list, unless that was reported already.
            of_list = "" if form else name
            entries = [(f"{path}[{index}]", of_list, item) for index, item in enumerate(node)]
            waiting.extend(reversed(entries))


def _hidden(value: object, name: str, levels: int) -> object:
    if isinstance(value, str):
        return HIDDEN if is_secret_of_key(name, value) else without_secrets(value)
    if isinstance(value, Mapping | list | tuple) and levels == 0:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            without_secrets(key) if isinstance(key, str) else key: _hidden(
                item, str(key), levels - 1
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_hidden(item, name, levels - 1) for item in value]
    return value


def _problem(path: str, form: SecretForm, token_key: str) -> Problem:
    if form.of_hugging_face:
        remedy = (
            f"Run `pulumi config set --secret {token_key}` and paste the token there; revoke the "
            "one that was written here"
        )
    else:
        remedy = (
            f"Take it out and revoke it: {token_key} and the keys of ray-llm:access, encrypted, "
            "are the only secrets that a stack can hold"
        )
    return Problem(
        path=path,
        reason=f"holds {form.name} in plain text, and whoever sees the file, the plan or the state "
        "would have it",
        remedy=remedy,
        rule="plain-token" if form.of_hugging_face else "plain-secret",
        candidates=() if form.of_hugging_face else (instead(path, remedy),),
    )
