# SPDX-License-Identifier: Apache-2.0
# `make run` starts the server, `make test` checks everything. Both build what they need from nothing but Python and make.

PYTHONS := $(shell scripts/pythons)
PYTHON  := $(firstword $(PYTHONS))
OTHERS  := $(wordlist 2,99,$(PYTHONS))
BIN     := .venv/bin

.PHONY: help run test lint types rooms unit others coverage coverage-spec fuzz mutants bench conformance docs clean
help: ## list what make can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# One recipe for every interpreter: .venv is the first one found, .venv-3.12 and so on the others.
INSTALL = $(1) -m venv $(2) \
	&& $(2)/bin/python -m pip install -q --disable-pip-version-check 'pip>=25.1' \
	&& $(2)/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt --group test $(3) -e '.[server]' \
	&& touch $(2)/.ready

.venv/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "lmtp needs Python 3.11 or later with its venv module; none was found on PATH" >&2; exit 1; }
	@echo "setting up .venv with $(PYTHON)"
	@$(call INSTALL,$(PYTHON),.venv,--group lint)

run: .venv/.ready ## start an LMTP server on 127.0.0.1:2424 that delivers into ./mail
	@$(BIN)/lmtp serve

test: lint types rooms unit others ## everything that must hold at every commit

lint: .venv/.ready ## style and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/.ready ## mypy, strict
	$(BIN)/mypy

rooms: .venv/.ready ## the direction of imports
	$(BIN)/lint-imports

unit: .venv/.ready ## the tests, with this Python
	$(BIN)/pytest

others: .venv/.ready ## the tests, but for slow ones, with every other Python found
	@for python in $(OTHERS); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); venv=.venv-$$version; \
	  if [ ! -e $$venv/.ready ] || [ pyproject.toml -nt $$venv/.ready ] || [ constraints.txt -nt $$venv/.ready ]; then \
	    echo "setting up $$venv with $$python"; $(call INSTALL,$$python,$$venv,) || exit 1; \
	  fi; \
	  echo "== Python $$version"; $$venv/bin/pytest -m "not slow" || exit 1; \
	done

coverage: .venv/.ready ## line and branch coverage
	$(BIN)/coverage run -m pytest && $(BIN)/coverage report

coverage-spec: .venv/.ready ## which test covers which requirement of the standards
	$(BIN)/python -m scripts.coverage_spec

fuzz: ## every fuzz target, thirty minutes together
	@test -e .venv-fuzz/.ready || { $(PYTHON) -m venv .venv-fuzz \
	  && .venv-fuzz/bin/python -m pip install -q --disable-pip-version-check 'pip>=25.1' \
	  && .venv-fuzz/bin/python -m pip install -q --disable-pip-version-check --group fuzz -e . && touch .venv-fuzz/.ready; }
	for target in engine client chunks parameters addresses proxy; do \
	  .venv-fuzz/bin/python -m fuzz.run $$target -max_total_time=300 -print_final_stats=1 || exit 1; done

# CI: hypothesis thinks of the same examples each time, and no example is too slow.
mutants: ## change the engine's code in each small way, and see that a test of tests/protocol notices
	@test -e .venv-mutants/.ready || { $(PYTHON) -m venv .venv-mutants \
	  && .venv-mutants/bin/python -m pip install -q --disable-pip-version-check 'pip>=25.1' \
	  && .venv-mutants/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt --group test --group mutants \
	  && touch .venv-mutants/.ready; }
	CI=1 .venv-mutants/bin/mutmut run && .venv-mutants/bin/python -m scripts.mutants

bench: .venv/.ready ## messages a second beside Dovecot; needs root, Dovecot's LMTP server and a quiet machine
	$(BIN)/python -m bench.run

conformance: .venv/.ready ## put lmtp check before every LMTP server there is; needs what scripts/install-peers installs
	$(BIN)/python -m tests.peers.conformance --page docs/explanation/conformance.md

docs: .venv/.ready ## write into the manual what the code says
	$(BIN)/python -m scripts.docs

clean: ## remove what was built
	rm -rf .venv .venv-3.* .venv-mutants mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
