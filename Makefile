# make demo | test | check | bench | docs: each sets up its own environment in .venv first, once.
#
#   PYTHON=python3.12   the interpreter for .venv (default: the first of python3.11, python3.12 that runs)
#   FAST=1              leave out the tests marked slow
#   DATA=dir            make demo with your own files
#   ARGS="..."          further options for pytest or the benchmarks

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: setup demo test check lint bench docs clean

VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.done
PIP := $(BIN)/python -m pip --disable-pip-version-check

# One thread per process unless the user says otherwise: the tests run side by side.
test check: export OMP_NUM_THREADS ?= 1

setup: $(DONE)/project

demo: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" DATA="$(DATA)" recipes/demo.sh

test: setup
	$(BIN)/python -m pytest -n 2 $(if $(FAST),-m "not slow") $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test

bench: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/throughput.py --out out/bench $(ARGS)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/weam.py --out out/bench-weam $(ARGS)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/memory.py --out out/bench-memory $(ARGS)

# what the pages say of benchmarks is made from their table
docs: setup
	PYTHONPATH=. $(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build out *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- the environment: a step that fails leaves no stamp and is done again -------------------------------------------

$(DONE)/venv:
	@python="$(PYTHON)"; \
	for candidate in $${python:-python3.11 python3.12 python3}; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then \
	        found="$$candidate"; break; \
	    fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	    echo "Python 3.11 or 3.12 is needed (tried: $${python:-python3.11 python3.12 python3}); set PYTHON=/path/to/it" >&2; \
	    exit 2; \
	fi; \
	"$$found" -m venv $(VENV); \
	mkdir -p $(DONE); \
	touch $@

# torch and NumPy first: everything after this builds against them and must not replace them
$(DONE)/build: requirements/build.txt requirements/constraints.txt | $(DONE)/venv
	$(PIP) install -q -c requirements/constraints.txt -r requirements/build.txt
	touch $@

# without build isolation (no second torch) and without its dependencies (its torchaudio fails to import)
$(DONE)/fairseq: requirements/fairseq.txt $(DONE)/build
	$(PIP) install -q --no-build-isolation --no-deps -r requirements/fairseq.txt
	touch $@

$(DONE)/requirements: requirements/dev.txt requirements/runtime.txt $(DONE)/fairseq
	$(PIP) install -q -c requirements/constraints.txt -r requirements/dev.txt
	touch $@

# a source package of the old kind, which pip builds only when told how; scikit-learn, which it needs, is in dev.txt
$(DONE)/seqeval: requirements/seqeval.txt $(DONE)/requirements
	$(PIP) install -q --use-pep517 --no-deps -r requirements/seqeval.txt
	touch $@

$(DONE)/project: setup.py pyproject.toml $(DONE)/seqeval
	$(PIP) install -q --no-build-isolation --no-deps -e .
	touch $@
