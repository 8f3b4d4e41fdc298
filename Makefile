# What people type. PYTHON=... picks another interpreter; setup makes the environment the others use.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: setup test lint docs demo

setup:  ## a virtual environment with everything a contributor needs
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --editable '.[dev]'

test:
	$(BIN)/pytest

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs:  ## the site in docs/_build, a warning is an error
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build

demo:
	$(BIN)/vidlstm demo
