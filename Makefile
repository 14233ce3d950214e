# Two commands do everything on a machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where it is set, every process would compile all that it imports anew, and each of ours imports Dagster.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo down test tests slow lint types unit lock clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(VENV)/.installed ## make the environment in .venv, from the lock file

$(VENV)/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stir needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	@# pip itself first: the one that a Python brings may take three times as long for what follows.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint requirements.lock --upgrade pip setuptools wheel
	@# Not compiled ahead: Python does it for the modules that are used, and most never are.
	@# setuptools warns of folders that could hide an editable package; there are none.
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-compile \
		--constraint requirements.lock --editable '.[local,dev]'
	@touch $@

demo: install ## a whole platform on this machine: engines, a generated world, all assets, tables published
	$(BIN)/stir demo

down: install ## stop what `make demo` left running
	$(BIN)/stir down

test: install ## lint, types and all tests but the slow ones: what every change has to pass
	@$(MAKE) --no-print-directory --jobs=3 lint types tests

tests: install # beside the type checker; three, for two processors, because tests wait for engines much of the time
	$(BIN)/python -m pytest -n 3 -m "not slow"

slow: install ## the slow tests: faults, endurance, whole services; CI runs them after `make test`
	$(BIN)/python -m pytest -n 3 -m slow

unit: install ## only the tests that need no engine
	$(BIN)/python -m pytest stir_assets_tests/unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install # behind the tests, which take longer
	nice $(BIN)/basedpyright --level error

lock: ## renew requirements.lock from pyproject.toml (a fresh environment, newest allowed versions)
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --upgrade pip setuptools wheel '.[local,dev,bench]'
	$(VENV)-lock/bin/python -m pip freeze --all --exclude stir > requirements.lock
	rm -rf $(VENV)-lock

clean: ## remove the environment and the local stack's data (stop it first)
	rm -rf $(VENV) .stir stir_dbt/target stir_dbt/logs
