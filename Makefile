# make demo | test | check | nano | studio | install | clean     (make help explains each)
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON  ?= python3
VENV    ?= .venv
# What pip is asked for as PyTorch. On a GPU machine name your own build, e.g. make install TORCH="torch==2.9.1";
# with TORCH= (empty) whatever the environment or the package index holds within pyproject's range is used.
TORCH   ?= torch==2.13.0
# Test processes, one thread each.
WORKERS ?= 2
# More arguments for pytest: make test ARGS="tests/data -k scene"
ARGS    ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install demo test check format nano studio clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

# A stamp is redone only when what it depends on changed, so that a second run starts at once.
$(VENV)/.stamp-python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is %d.%d: set PYTHON=" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip
	touch $@

$(VENV)/.stamp-torch: $(VENV)/.stamp-python
	$(if $(strip $(TORCH)),$(PIP) install --quiet $(TORCH),@true)
	touch $@

$(VENV)/.stamp-package: pyproject.toml $(VENV)/.stamp-torch
	$(PIP) install --quiet --editable .
	touch $@

$(VENV)/.stamp-everything: pyproject.toml $(VENV)/.stamp-torch
	$(PIP) install --quiet --editable '.[eval,spice,weights,train,data,geo,ray,serve,dev]'
	touch $@ $(VENV)/.stamp-package

install: $(VENV)/.stamp-everything  ## a virtual environment in .venv with the package and what its development needs

demo: $(VENV)/.stamp-package  ## real answers and masks on optical, SAR and infrared scenes, in outputs/demo
	$(BIN)/earthgptx weights nano
	$(BIN)/python recipes/demo.py

test: $(VENV)/.stamp-everything  ## the test suite: CPU only, offline
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(VENV)/.stamp-everything  ## lint, format, types and the import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_budgets.py tests/test_readme.py

format: $(VENV)/.stamp-everything  ## let ruff lay the code out and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

nano: $(VENV)/.stamp-everything  ## train nano from EARTHGPTX_DATA (default ../shared/data); resumes where it stopped
	$(BIN)/earthgptx weights nano
	$(BIN)/earthgptx train recipes/nano.py $(if $(EARTHGPTX_DATA),--set data=$(EARTHGPTX_DATA))

studio:  ## check the browser studio and build it into the package; needs Node 20.19 or newer
	cd studio && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check && npm run --silent build

clean:  ## remove the environment, caches and outputs; keeps runs/ and checkpoints/
	rm -rf $(VENV) outputs build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis ./*.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
