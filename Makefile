# The one entry to the project. `make demo` and `make test` need nothing but make, git and Python with pip (or uv).
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: help setup demo test check bench clean

help:  ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup:  ## make .venv with everything locked in uv.lock
	@scripts/setup

demo: setup  ## photo search over real pictures, in the browser
	@$(BIN)/lykeion demo photo-search

check: setup  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

test: setup  ## check, then every test
	@scripts/test

bench: setup  ## every figure of docs/benchmarks.md, one table each
	@scripts/bench

clean:  ## remove what setup made; homes and caches of the platform stay
	rm -rf .venv .tools .cache
