# make run   the published current pulse, as a result file and a figure in results/
# make test  ruff, mypy, the documentation and every test
# make lint  ruff and mypy alone
# make docs  the documentation, in docs/_build/html
# make bench the same run, and TDVP of a dipole chain, side by side with TeNPy
# Needs Python 3.11 or newer, make and a package index; everything goes into .venv.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1

.PHONY: run test lint docs bench clean

run: $(VENV)/.run
	@mkdir -p results
	$(BIN)/tnspin run stt-collinear --set time.stop=30 -o results/stt-pulse.h5
	$(BIN)/tnspin plot results/stt-pulse.h5

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -q -j 2 docs docs/_build/html

test: lint docs
	$(BIN)/python -m pytest --slow -n 2

bench: $(VENV)/.bench
	$(BIN)/python scripts/bench_stt.py
	$(BIN)/python scripts/bench_tdvp.py

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; give one: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing tnspin into $(VENV) ..."
	$(PIP) -e '.[plot]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing tnspin and its development tools into $(VENV) ..."
	$(PIP) -e '.[dev,docs]'
	@touch $@

$(VENV)/.bench: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) results build dist docs/_build docs/_generated .pytest_cache .mypy_cache .ruff_cache
