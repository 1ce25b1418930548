# Awase: `make run` to look around, `make demo` to watch one sync each way; `make help` for the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run demo test lint bench screenshots chaos storm format pins clean

help:
	@echo "make run     the practice company, the service and its workers on this machine; Ctrl-C stops all of it"
	@echo "make demo    one sync in each direction on the terminal (EMPLOYEES=1000 for a larger company)"
	@echo "make test    the whole suite"
	@echo "make lint    format, lint, import rules, types"
	@echo "make bench   the benchmarks, ratios first"
	@echo "make chaos   every fault 20 times on both databases, for hours (ARGS=--short: each once, some minutes)"
	@echo "make storm   10,000 webhooks while workers are killed, latencies, canaries (ARGS='--database postgresql')"

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Awase needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing requirements.txt into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@echo "installing requirements-dev.txt into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

run: $(VENV)/.installed
	@exec $(BIN)/python -m app.practice.launch run

demo: $(VENV)/.installed
	@exec $(BIN)/python -m app.practice.launch demo $(if $(EMPLOYEES),--employees $(EMPLOYEES))

# What starts processes of its own, or a browser, has the machine for itself; the rest shares its cores.
test: $(VENV)/.installed-dev
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@status=0; \
	$(BIN)/python -m pytest -m "not live and not processes" --numprocesses auto --dist worksteal || status=1; \
	$(BIN)/python -m pytest -m processes || status=1; \
	exit $$status
endif

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

format: $(VENV)/.installed-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.bench.run $(ARGS)
	@$(BIN)/python -m tests.bench.intake $(INTAKE_ARGS)
	@$(BIN)/python -m tests.bench.pages $(PAGES_ARGS)

# The pictures of the README: the browser tests make them.
screenshots: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest tests/browser --screenshots

chaos: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.chaos.run $(ARGS)

storm: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.storm.run $(ARGS)

# Renew the pins after a change of pyproject.toml or to take newer versions.
pins: $(VENV)/.installed-dev
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.txt pyproject.toml
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links --extra dev --output-file requirements-dev.txt pyproject.toml

clean:
	rm -rf $(VENV) var
