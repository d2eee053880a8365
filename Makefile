# Every target works on a machine that has Python 3.11+, git and make, and nothing set up by hand.
# The environment is made from requirements.lock (hashes, no addresses), never from ranges.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_ARGS ?=
TEST_ARGS ?=
FUZZ_SECONDS ?= 60
FUZZ_FOLDER ?= var/fuzz
SCHEMATHESIS_SECONDS ?= 300

.PHONY: help setup demo demo-distributed test test-long fuzz schemathesis limbo peers check format lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

$(READY): requirements.lock setup.cfg pyproject.toml scripts/bootstrap.sh
	@PYTHON="$(PYTHON)" sh scripts/bootstrap.sh "$(VENV)"
	@touch $@

setup: $(READY) ## make the environment from the hash lock

demo: $(READY) ## the main job on the embedded default, end to end
	@. scripts/loopback.sh && $(BIN)/xinqiao demo $(DEMO_ARGS)

demo-distributed: $(READY) ## two workers, PostgreSQL and Redis: one delivery staged by both, one on which a worker is lost
	@. scripts/loopback.sh && $(BIN)/xinqiao demo --distributed $(DEMO_ARGS)

test: $(READY) ## every test, on SQLite and on a PostgreSQL that it brings and starts itself
	@sh scripts/test.sh "$(VENV)" $(TEST_ARGS)

test-long: $(READY) ## the tests that take minutes: memory of large deliveries, a million cells of every kind
	@sh scripts/test-long.sh "$(VENV)" $(TEST_ARGS)

fuzz: $(READY) ## each fuzz target for FUZZ_SECONDS, on from what FUZZ_FOLDER holds; stops at a finding
	@. scripts/loopback.sh && for target in $$($(BIN)/python -m tests.fuzz); do \
		echo "== $$target" && $(BIN)/python -m tests.fuzz $$target $(FUZZ_SECONDS) $(FUZZ_FOLDER) || exit 1; done

schemathesis: $(READY) ## the served OpenAPI document against the served gateway, for SCHEMATHESIS_SECONDS altogether
	@. scripts/loopback.sh && $(BIN)/python -m tests.openapi $(SCHEMATHESIS_SECONDS)

limbo: $(READY) ## the public path-validation suite over our verifier; LIMBO=path/to/limbo.json
	@test -n "$(LIMBO)" || { echo "make limbo LIMBO=path/to/limbo.json (of C2SP/x509-limbo)" >&2; exit 1; }
	$(BIN)/python -m tests.limbo "$(LIMBO)"

peers: $(READY) ## what xinqiao bench pipeline and reload are compared with (--peers), each in an environment of its own
	@sh scripts/install_peers.sh "$(VENV)" var/peers

check: $(READY) ## lint, format, types, import layers, docs match code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_docs.py

format: $(READY) ## rewrite the code in the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY) ## work out requirements.lock again from the ranges in setup.cfg
	$(BIN)/uv pip compile --universal --generate-hashes --no-annotate --no-header --upgrade \
		--python-version 3.11 --extra dev setup.cfg -o requirements.lock --quiet

clean: ## remove the environment and what the tests left behind
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
