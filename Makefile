# Every target sets up what it needs. Only Python 3.11 or newer, git and make must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PYTHONHASHSEED ?= 0

.DEFAULT_GOAL := help

help: ## Show the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=...") if sys.version_info < (3, 11) else 0'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

setup: $(READY) ## Make the virtual environment

demo: $(READY) ## Turn blueprints/serverless.yaml into templates, deploy it to this machine and call its API
	@$(BIN)/python .ci/demo.py

demo-deploy: $(READY) ## The life of that deployment: plan, update, drift, destroy
	@$(BIN)/python .ci/demo.py --lifecycle

test: $(READY) ## Run the whole test suite
	@$(BIN)/python -m pytest --numprocesses auto --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE)

check: $(READY) ## Format, lint, types, architecture, generated files
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/generate.py --check

scan: $(READY) ## Run the third-party scanners over every blueprint
	@rm -rf out/scan
	@$(BIN)/python .ci/blueprints.py out/scan
	@$(BIN)/python .ci/scan.py out/scan

scan-packs: $(READY) ## Run cdk-nag and the Control Tower controls (needs Node.js)
	@rm -rf out/scan
	@$(BIN)/python .ci/blueprints.py out/scan
	@$(BIN)/python .ci/scan.py --packs out/scan

bench: $(READY) ## Measure speed as ratios against a baseline of the same run
	@$(BIN)/python .ci/bench.py

docs: $(READY) ## Write the generated files: schema, tables of the README and of docs/
	@$(BIN)/python .ci/generate.py

format: $(READY) ## Format the code
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

lock: $(READY) ## Pin the development dependencies anew
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev --extra deploy --extra local --no-emit-index-url \
		--no-header pyproject.toml --output-file requirements-dev.txt

clean: ## Remove everything that was made
	@rm -rf $(VENV) .venv-scan out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

COVERAGE ?= 95

.PHONY: help setup demo demo-deploy test check scan scan-packs bench docs format lock clean
