# `make run` and `make test` set up what they need; a second call starts in seconds.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8501
JOBS   ?= 3  # more than two cores, because tests in the browser wait more than they compute

.PHONY: run test lint format types bench baseline messages clean help

help:  ## show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.ready: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	touch $@

$(VENV)/.dev: $(VENV)/.ready requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements-dev.txt
	touch $@

run: $(VENV)/.ready  ## install, create or migrate the database, start the app on 127.0.0.1:8501
	$(BIN)/python -m emostore db upgrade
	$(BIN)/python -m emostore.api --port $(PORT)

# Workers share the cores among them: more threads in each of them would only wait for each other.
test: export OMP_NUM_THREADS ?= 1
test: $(VENV)/.dev  ## run every test that can run on this machine
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## check types
	$(BIN)/mypy

format: $(VENV)/.dev  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## print the benchmark tables
	$(BIN)/python -m benchmarks.audio
	$(BIN)/python -m benchmarks.baseline
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.app

baseline: $(VENV)/.ready  ## train the bundled baseline again from EmoDB=<folder of the corpus>
	$(BIN)/python -m emostore.training.train --emodb $(EMODB)

# Errors carry their sentence in the call, so their names are keywords beside gettext's own.
messages: $(VENV)/.dev  ## extract, merge and compile the translations
	@mkdir -p build
	$(BIN)/pybabel -q extract -F pyproject.toml --no-location --sort-output --omit-header \
		-k N_ -k AudioError -k ModelError -k ScoresError -k StoreError -k MetadataError -k SettingsError -k AccessError -k Note \
		-o build/emostore.pot Home.py pages emostore
	$(BIN)/pybabel -q update -N --ignore-obsolete --ignore-pot-creation-date -D emostore -i build/emostore.pot -d emostore/locale
	$(BIN)/pybabel -q compile -D emostore -d emostore/locale

clean:  ## remove what can be made again (never data/)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
