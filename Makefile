# Piperoll: `make run` to see it, `make test` to believe it, `make help` for the rest.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run test check check-generated gen bench bench-long clean

# Empty: the first of python3.11 and python3 that is 3.11 or newer. `make setup PYTHON=/path/to/python` chooses another.
PYTHON ?=
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
TIERS := $(wildcard tests/contract tests/integration tests/flow)

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Prepare .venv with everything to be downloaded; quick when nothing changed
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.11 python3); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" deploy/local/bootstrap.py; \
		fi; \
	done; \
	echo "make setup: found no Python 3.11 or newer (tried $(if $(PYTHON),$(PYTHON),python3.11 and python3)):" >&2; \
	echo "  install one (Debian and Ubuntu: apt-get install python3 python3-venv), or name it: make setup PYTHON=/path/to/python" >&2; \
	exit 1

run: setup ## Set up, start the stack and the services, play the demo, keep running until Ctrl-C
	@exec $(BIN)/piperoll up --demo

check: setup ## Format, lint, types, imports, generated files, unit tests: no servers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory check-generated
	$(PYTEST) -q $(wildcard tests/unit tests/tidy)

check-generated:
	@state() { git ls-files -z --cached --others --exclude-standard -- docs shared services | xargs -0 cksum 2>/dev/null; }; \
	before=$$(state); $(MAKE) --no-print-directory gen; \
	if [ "$$before" != "$$(state)" ]; then \
		echo "make check: generated files differed from their sources; they are written anew: look at them and commit" >&2; \
		exit 1; \
	fi

test: check ## Check, then all tests on a real broker and a real database
	$(if $(TIERS),$(PYTEST) -q $(TIERS))

gen: setup ## Write the generated files: schemas, topics, OpenAPI, metrics
	$(BIN)/python -m shared.contracts.gen
	$(BIN)/python -m services.gateway.http.gen
	$(BIN)/python -m services.ledger.http.gen

bench: setup ## Measure, in ten minutes; results in build/bench.json
	$(BIN)/python -m tests.bench

bench-long: setup ## Measure what needs a log of 10,000,000 events; results in build/bench-long.json
	$(BIN)/python -m tests.bench --long

clean: ## Remove results and caches, not .venv and not the state in .piperoll
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find deploy services shared tests -name __pycache__ -type d -prune -exec rm -rf {} +
