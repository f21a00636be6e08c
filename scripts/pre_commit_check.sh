#!/usr/bin/env bash
# Checks stack files for pre-commit in the user's repository. It runs `ray-llm check` from the
# environment of this clone, which uv makes at the first run.
set -euo pipefail
if ! command -v uv >/dev/null; then
    echo "ray-llm-plan: uv is not on PATH. Install it (https://docs.astral.sh/uv/); it makes the" \
        "environment of this hook." >&2
    exit 2
fi
hook_repository="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
# uv would install into an environment of the user's that these two name.
exec env --unset=UV_PROJECT_ENVIRONMENT --unset=VIRTUAL_ENV uv run --quiet --project "$hook_repository" --locked --no-default-groups ray-llm check "$@"
