# The whole set-up of a fresh machine: `make demo` or `make test` is all that it needs.
# Wants Python 3.11 or later and make; everything else is installed into .venv, pinned by constraints.txt.

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean
SHELL := /bin/bash
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
CHECKED := mdm golden_records rules tests alembic

help: ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10
	@echo 'Options go through ARGS, for example: make demo ARGS="--once --metering-points 20000"'

demo: $(INSTALLED) ## Run the simulated market, the hub and its API (ARGS="--help" lists the options)
	@$(BIN)/mdm demo $(ARGS)

test: $(INSTALLED) ## Run the tests, two files at a time (ARGS goes to pytest)
	@$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(INSTALLED) ## Check style, types and the direction of imports
	@$(BIN)/ruff check --quiet $(CHECKED) || { echo "Style: '$(BIN)/ruff check --fix' mends what it can."; exit 1; }
	@$(BIN)/ruff format --check --quiet $(CHECKED) || { echo "Layout: run '$(BIN)/ruff format'."; exit 1; }
	@$(BIN)/mypy --strict
	@$(BIN)/lint-imports --no-logo

bench: $(INSTALLED) ## Measure against the budgets; writes .bench/result.json
	@$(BIN)/mdm bench $(ARGS)

clean: ## Remove .venv, caches, builds and measurements; the data folder .mdm stays
	@rm -rf .venv .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@[ ! -e .mdm ] || echo "Kept .mdm: it holds the hub's databases. Stop them with 'mdm db stop', then remove it by hand."

# pip runs again only when what it would install has changed.
$(INSTALLED): pyproject.toml constraints.txt .ci/make-venv
	@.ci/make-venv
	@touch $@
