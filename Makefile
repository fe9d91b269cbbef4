# Quarry's tasks. Each target brings what it needs: .venv by itself, Debian packages where you are root.
# PYTHON=python3.12 chooses another interpreter, TEST_ARGS='-k ledger' narrows the tests.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint bench chaos docs clean

VENV := .venv
BIN := $(VENV)/bin
TEST_WORKERS ?= 2
TEST_ARGS ?=
CHAOS_ARGS ?=

help:
	@echo "make demo    crawl the example shop and check every count"
	@echo "make test    run all tests"
	@echo "make lint    ruff, mypy, import floors, contract clauses"
	@echo "make docs    build docs/_build/html"
	@echo "make chaos   kill everything at random moments, write docs/reliability.md (about 40 minutes)"
	@echo "make bench   measure beside other crawlers (needs the shared bench folder)"
	@echo "make clean   remove what these targets made inside this folder"

# One stamp for each dependency group of pyproject.toml; the first of them makes the virtual environment.
$(VENV)/.group-%: pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(VENV) $*

demo: $(VENV)/.group-test
	@$(BIN)/python tools/leftovers.py $(BIN)/python tools/demo.py

test: $(VENV)/.group-test
	@tools/packages.sh "some tests" $(shell tools/packages.sh --tests)
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup $(TEST_ARGS)

lint: $(VENV)/.group-test $(VENV)/.group-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tools/*.py
	$(BIN)/lint-imports
	$(BIN)/python tools/contracts.py

docs: $(VENV)/.group-docs
	$(BIN)/python -m sphinx -n -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.group-test
	@tools/bench.sh

chaos: $(VENV)/.group-test
	@tools/packages.sh "the chaos suite" redis-server
	$(BIN)/python -m tests.chaos --write docs/reliability.md $(CHAOS_ARGS)

clean:
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
