# Every command of this project. `make help` lists them. Each one first makes what it
# needs: uv, the locked environment in .venv, and for the first preview the engine.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

STACK ?= dev
ARGS ?=
# The Ray release of the stacks in `make e2e` (default: the newest that is `tested`), and the tests.
RAY ?=
E2E_TESTS ?= tests/cluster $(LOCALCLOUD_TESTS)
# The gate leaves out those that are marked so: E2E_WITHOUT=thorough.
E2E_WITHOUT ?=
PYTHON ?= python3
UV_VERSION := 0.13.9
ACTIONLINT_VERSION := v1.7.12
PY := .venv/bin/python
LOCALCLOUD := $(PY) -m localcloud
LOCALCLOUD_TESTS := devtools/localcloud/tests/cluster
# The modules that Ray's Python imports as top-level ones: those of all releases and of each.
RAY_FOLDER := devtools/localcloud/localcloud/cluster/ray
STANDINS := -p vllm $(foreach name,echo echo_engine engine_arguments fork_client fork_server \
	openai_messages ray_forks sitecustomize watch_processes,-m $(name))

# Use only an installed Python: uv would download one from outside the package registries.
export UV_PYTHON_DOWNLOADS := never
# As pip, trust this machine's certificates: package mirrors often have their own.
export UV_SYSTEM_CERTS := 1
# Keep compiled modules (the empty value does that). Otherwise each `pulumi up` recompiles the
# SDKs, which takes several times as long as loading them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' \
		| while IFS=$$'\t' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done
	@printf '\nSTACK=dev|staging|prod names the stack (now %s), ARGS="..." is passed to pulumi or pytest.\n' '$(STACK)'

.PHONY: preview up refresh destroy outputs shell
preview: env ## show what a stack deploys, on the real Pulumi engine; needs no account
	@$(LOCALCLOUD) preview --stack $(STACK) $(ARGS)

up: env ## deploy a stack to the cloud on this machine
	@$(LOCALCLOUD) up --stack $(STACK) $(ARGS)

refresh: env ## compare a stack's state with the cloud on this machine
	@$(LOCALCLOUD) refresh --stack $(STACK) $(ARGS)

destroy: env ## remove a stack from the cloud on this machine
	@$(LOCALCLOUD) destroy --stack $(STACK) $(ARGS)

outputs: env ## print a deployed stack's outputs
	@$(LOCALCLOUD) stack output --stack $(STACK) $(ARGS)

shell: env ## open a shell in which pulumi commands run in the cloud on this machine
	@$(LOCALCLOUD) shell

.PHONY: engine cluster-up cluster-down cluster-status
engine: env ## build the Pulumi engine, if there is no pulumi on PATH
	@$(LOCALCLOUD) engine

cluster-up: env ## start a real Kubernetes API with KubeRay and Ray Serve on 127.0.0.1
	@$(LOCALCLOUD).cluster up $(ARGS)

cluster-down: env ## stop that cluster
	@$(LOCALCLOUD).cluster down $(ARGS)

cluster-status: env ## print whether that cluster is up, its addresses and its memory use
	@$(LOCALCLOUD).cluster status $(ARGS)

.PHONY: test bench bench-rollouts bench-wakes bench-gateway bench-scraping calibration ray-release vllm-configs corpus rules lint lint-workflow schema format
test: env ## run all tests except those on the real cluster
	@$(LOCALCLOUD) engine >/dev/null
	@$(LOCALCLOUD).prometheus >/dev/null
	@$(PY) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: e2e e2e-shared e2e-alone
e2e: e2e-shared e2e-alone ## run the tests on the real cluster, built first; RAY=2.49.1 names the release

e2e-shared e2e-alone: export RAY_LLM_E2E_RAY := $(RAY)
e2e-shared e2e-alone: E2E_MINUS := $(if $(E2E_WITHOUT), and not $(E2E_WITHOUT))

# Two clusters at the same time: one often waits while the other computes.
e2e-shared: cluster-build
	@$(PY) -m pytest $(E2E_TESTS) -m "cluster and not alone$(E2E_MINUS)" --verbose --numprocesses 2 \
		--dist loadfile --no-loadscope-reorder $(ARGS)

# The prod stack starts a dozen Ray nodes at once.
e2e-alone: cluster-build
	@$(PY) -m pytest $(E2E_TESTS) -m "cluster and alone$(E2E_MINUS)" --verbose $(ARGS)

.PHONY: e2e-engine
e2e-engine: env ## run the tests with a real vLLM in the cluster; installs 3.5 GB once; ARGS=--record records its answers anew
	@$(LOCALCLOUD) engine >/dev/null
	@$(LOCALCLOUD).cluster build --engine vllm --ray 2.60.0
	@$(PY) -m pytest tests/real_engine -m real_engine --verbose $(ARGS)

.PHONY: cluster-build
cluster-build: env
	@$(LOCALCLOUD) engine >/dev/null
	@$(LOCALCLOUD).cluster build

bench: env ## measure planning, start-up, and updates against an earlier revision and a flat program
	@$(PY) -m benchmarks.config_lines
	@$(PY) -m benchmarks.planning
	@$(PY) -m benchmarks.ways_out
	@$(PY) -m benchmarks.preview_rules
	@$(PY) -m benchmarks.start_up
	@$(PY) -m benchmarks.updates $(ARGS)

# Not a part of `make bench`: each run of all kinds of edit takes half an hour.
bench-rollouts: cluster-build ## count what clients notice of each kind of edit on the real cluster
	@$(PY) -m benchmarks.rollouts $(ARGS)

# Not a part of `make bench`: it waits for the minutes that the plan says.
bench-wakes: cluster-build ## compare a first answer at night with the plan, on the real cluster
	@$(PY) -m benchmarks.wakes $(ARGS)

# Not a part of `make bench`: its figures need a quiet machine.
bench-gateway: env ## measure the gateway: added latency, memory, and what edits lose
	@$(PY) -m benchmarks.gateway $(ARGS)

bench-scraping: cluster-build ## measure what being scraped costs the head of a Ray cluster
	@$(PY) -m benchmarks.scraping $(ARGS)

calibration: env ## compare the memory estimate with the logs of real engines
	@$(PY) -m tests.planning.sizing.memory_calibration

# Not a part of the gate: 7 GB are installed into .vllm-configs, the first time.
vllm-configs: env ## compare plans with the configuration code of real vLLM releases
	@$(PY) -m scripts.vllm_configs $(ARGS)

# Not part of the gate: an environment of some 1 GB and some minutes for each release.
ray-release: env ## check releases of Ray (RAY="2.55.1 2.60.0", default all) without Kubernetes
	@$(PY) -m scripts.ray_releases $(RAY)

corpus: env ## print the score against real misconfigurations, by area
	@$(PY) -m tests.misconfigurations.corpus

rules: env ## update the pages of the rules in docs/rules
	@$(PY) -m tests.misconfigurations.pages

lint: env ## check format, lint, types, layers and workflows
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@cd devtools/localcloud && ../../.venv/bin/mypy
	@for release in $(patsubst $(RAY_FOLDER)/%/standins/vllm,%,$(wildcard $(RAY_FOLDER)/*/standins/vllm)); do \
		(cd $(RAY_FOLDER)/$$release/standins && MYPYPATH=../../standins:../../../../forks $(CURDIR)/.venv/bin/mypy \
			--config-file $(CURDIR)/devtools/localcloud/pyproject.toml $(STANDINS)) || exit 1; done
	@PYTHONPATH=. .venv/bin/lint-imports
	@$(MAKE) lint-workflow

# Go fetches and builds actionlint once.
lint-workflow: ## check the GitHub Actions workflows, shipped and own, with actionlint and zizmor
	@go run github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION) examples/ci/*.yml .github/workflows/*.yml
	@.venv/bin/zizmor --offline --no-progress --quiet examples/ci/*.yml .github/workflows/*.yml

schema: env ## rewrite the stack file's JSON Schema after a change in models/
	@.venv/bin/ray-llm schema --out schemas/stack.schema.json

format: env ## rewrite the code in the project's format
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

.PHONY: env lock clean distclean
env: .venv/.synced

lock: .uv/bin/uv ## rewrite uv.lock after an edit of pyproject.toml
	@.uv/bin/uv lock
	@$(MAKE) env

clean: ## delete all stacks and the cloud on this machine, but keep the built engine
	@if [ -x $(PY) ]; then $(LOCALCLOUD) clean; else rm -rf .localcloud; fi

distclean: ## delete everything that these commands made
	@rm -rf .localcloud .venv .uv .vllm-configs

.venv/.synced: .uv/bin/uv pyproject.toml devtools/localcloud/pyproject.toml uv.lock
	@.uv/bin/uv sync --locked --quiet --python "$(PYTHON)" || { \
		echo "error: the environment cannot be made from uv.lock. Run 'make lock' if you edited" \
			"pyproject.toml, and check that the Python package index is reachable." >&2; exit 1; }
	@touch $@

# Use the uv on PATH if it is recent enough; otherwise install one here.
.uv/bin/uv:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error: '$(PYTHON)' is not Python 3.11 or later. Install one, or name one with" \
			"make PYTHON=/path/to/python3.11." >&2; exit 1; }
	@mkdir -p .uv/bin; \
	found="$$(command -v uv || true)"; \
	if [ -n "$$found" ] && "$$found" --version 2>/dev/null \
			| grep -qE '^uv (0\.(9|[1-9][0-9]+)|[1-9][0-9]*)\.'; then \
		ln -sf "$$found" .uv/bin/uv; \
	else \
		echo "Installing uv $(UV_VERSION) into .uv, once."; \
		"$(PYTHON)" -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check \
			"uv==$(UV_VERSION)" || { rm -rf .uv; echo "error: uv could not be installed. Is the" \
			"Python package index reachable?" >&2; exit 1; }; \
	fi
