# Awase: `make run` to look around, `make demo` to watch one sync each way; `make help` for the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUPPLY := .venv-supply
PEERS := .venv-peers
# A second Python for make test-all, where there is one; PYTHON313=/path/to/python3.13 for another place.
PYTHON313 ?= python3.13
OTHER := .venv-3.13

.PHONY: help run demo check check-tests coverage test test-all test-3.13 tests-on-3.13 lint bench bench-large bench-peers screenshots items mutate chaos storm siege hosts bare format pins sbom audit clean

# Hundreds of Python processes start in the suite: without kept bytecode each compiles everything anew.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
SHARED := --numprocesses auto --dist worksteal
# Tests also wait, for databases, sockets and servers: with one process more than there are processors a third of these
# stood still once the houses had ended.
TWO_MORE := --numprocesses $$(( $$(nproc) + 2 )) --dist worksteal
WHOLE_HOUSES := tests/e2e tests/browser
SMALL_PROCESSES := --ignore=tests/e2e --ignore=tests/browser --numprocesses auto --dist loadfile
# Two houses, or a house and a browser, side by side: most of what they do is wait. The long files stand at the front.
TWO_HOUSES := --numprocesses 2 --dist loadfile --no-loadscope-reorder

help:
	@echo "make run     the practice company, the service and its workers on this machine; Ctrl-C stops all of it (COMPANIES=3: several)"
	@echo "make demo    one sync in each direction on the terminal (EMPLOYEES=1000 for a larger company)"
	@echo "make check   the everyday path: lint, and every test that stands on SQLite and starts no process"
	@echo "make test    before a change lands: also PostgreSQL, real processes, a browser, faults"
	@echo "make test-all  everything: long properties, every database twin, every fault; make check's tests on Python 3.13, too"
	@echo "make coverage  how much of app and workers the tests of make check run through; less than the floor is an error"
	@echo "make lint    format, lint, import rules, types"
	@echo "make bench   the benchmarks, ratios first (ARGS='--checkout DIR': another version beside this one)"
	@echo "make bench-peers  the same jobs on Celery and dramatiq in the same table"
	@echo "make bench-large  runs of 5,000 and 50,000 people on both databases: time, calls, memory (ARGS='--sizes 1000,5000')"
	@echo "make items   writes README's table of items from app/domain/mapping.py, and notes how their values are compared"
	@echo "make mutate  changes the code in small ways, says what no test notices; hours (ARGS=planning: one group of tests/mutation/groups.py, ARGS=three_way.py: one file)"
	@echo "make chaos   every fault 20 times on both databases, for hours (ARGS=--short: each once, some minutes; '--connections 20')"
	@echo "make sbom    what the service consists of (CycloneDX) and under which licences, into var/supply"
	@echo "make audit   asks the advisory database about every pin; says so when it cannot be reached"
	@echo "make storm   10,000 webhooks while workers are killed, latencies, canaries (ARGS='--database postgresql', '--connections 20')"
	@echo "make siege   rude and busy clients all at once, what honest callers meet meanwhile (ARGS='--database postgresql')"
	@echo "make bare    way (a) of docs/deploy/README.md by copy and paste, in a bare Debian that boots its systemd (as root)"
	@echo "make hosts   three hosts in network namespaces: wrong clocks, a lost host, a cut network, restarts (as root)"

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Awase needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing requirements.txt into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@echo "installing requirements-dev.txt into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@touch $@

run: $(VENV)/.installed
	@exec $(BIN)/python -m app.practice.launch run $(if $(COMPANIES),--companies $(COMPANIES))

demo: $(VENV)/.installed
	@exec $(BIN)/python -m app.practice.launch demo $(if $(EMPLOYEES),--employees $(EMPLOYEES))

# The everyday path. Lint and tests share the cores.
check: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint check-tests

check-tests: $(VENV)/.installed-dev
	@$(PYTEST) --reach=check $(SHARED)

# The floor, and what does not count towards it, stand in pyproject.toml.
coverage: $(VENV)/.installed-dev
	@$(PYTEST) --reach=check $(SHARED) --cov --cov-report=term

# tests/reach.py says what belongs where. The houses mostly wait, so the rest is tried beside them, less urgently: what
# they wait for has its time limits. Their part is told when the rest has ended.
test: $(VENV)/.installed-dev
ifdef ARGS
	@$(PYTEST) $(ARGS)
else
	@told=$$(mktemp); $(PYTEST) --reach=test -m processes $(TWO_HOUSES) $$(grep -lrw "mark.processes" tests --include="test_*.py") >$$told 2>&1 & houses=$$!; \
	trap 'kill $$houses; rm -f $$told; exit 130' INT TERM; status=0; \
	nice -n 5 env $(PYTEST) --reach=test -m "not live and not processes" $(TWO_MORE) || status=1; \
	wait $$houses || status=1; cat $$told; rm -f $$told; exit $$status
endif

# HYPOTHESIS_PROFILE: see tests/properties.py. A property with many examples takes its time, and the whole fault suite,
# with three houses at once, wants the machine for itself.
test-all: $(VENV)/.installed-dev
	@status=0; export HYPOTHESIS_PROFILE=long PYTEST_TIMEOUT=3600; \
	$(PYTEST) --reach=all -m "not live and not processes" $(SHARED) || status=1; \
	$(PYTEST) --reach=all -m processes $(SMALL_PROCESSES) || status=1; \
	$(PYTEST) --reach=all -m processes $(WHOLE_HOUSES) || status=1; \
	$(MAKE) --no-print-directory coverage test-3.13 || status=1; \
	exit $$status

# The same tests as make check on the newest Python that Awase is for: what the language has changed shows there. A python3.13
# that is only a name (a shim of pyenv without that version) counts as none.
test-3.13:
	@if $(PYTHON313) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; \
	then $(MAKE) --no-print-directory tests-on-3.13; \
	else echo "skipped: $(PYTHON313) is no Python 3.13 on this machine"; fi

tests-on-3.13: $(OTHER)/.installed-dev
	@PYTHONDONTWRITEBYTECODE= $(OTHER)/bin/python -m pytest --reach=check $(SHARED)

$(OTHER)/.installed-dev: requirements-dev.txt
	@test -x $(OTHER)/bin/python || $(PYTHON313) -m venv $(OTHER)
	@echo "installing requirements-dev.txt into $(OTHER) ..."
	@$(OTHER)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@touch $@

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

bench-large: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.bench.large $(ARGS)

# The same with the same jobs on Celery and dramatiq beside it.
bench-peers: $(VENV)/.installed-dev $(PEERS)/.installed
	@$(BIN)/python -m tests.bench.run --peers $(ARGS)

# The pictures of the README: the browser tests make them.
screenshots: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest tests/browser --screenshots

# What is written down of the items of app/domain/mapping.py: after a new row.
items: $(VENV)/.installed-dev
	@$(BIN)/python docs/tools/items.py
	@$(BIN)/python -m tests.domain.noting

mutate: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.mutation.run $(ARGS)

chaos: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.chaos.run $(ARGS)

storm: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.storm.run $(ARGS)

siege: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.siege.run $(ARGS)

# Network namespaces: as root, on Linux.
hosts: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.hosts.run $(ARGS)

# Way (a) of docs/deploy/README.md in a bare Debian that boots its own systemd: as root, with mmdebstrap.
bare: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.deploy.bare $(ARGS)

# Renew the pins after a change of pyproject.toml (PINS= keeps the versions there are) or to take newer versions. Universal:
# pip takes only what has a hash, so a need of an older Python or another system has to stand there as well.
PINS ?= --upgrade
COMPILE = $(BIN)/uv pip compile --quiet $(PINS) --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links
pins: $(VENV)/.installed-dev
	@$(COMPILE) --output-file requirements.txt pyproject.toml
	@$(COMPILE) --constraint requirements.txt --extra telemetry --output-file requirements-telemetry.txt pyproject.toml
	@$(COMPILE) --constraint requirements-telemetry.txt --extra dev --extra telemetry --output-file requirements-dev.txt pyproject.toml
	@$(COMPILE) --group supply --output-file requirements-supply.txt
	@$(COMPILE) --constraint requirements.txt --group peers --output-file tests/bench/requirements-peers.txt pyproject.toml

# What looks at the pins is none of them.
$(SUPPLY)/.installed: requirements-supply.txt
	@test -x $(SUPPLY)/bin/python || $(PYTHON) -m venv $(SUPPLY)
	@echo "installing requirements-supply.txt into $(SUPPLY) ..."
	@$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-supply.txt
	@touch $@

# What the benchmark compares with is no dependency of ours.
$(PEERS)/.installed: tests/bench/requirements-peers.txt
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@echo "installing tests/bench/requirements-peers.txt into $(PEERS) ..."
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement tests/bench/requirements-peers.txt
	@touch $@

sbom: $(VENV)/.installed $(SUPPLY)/.installed
	@$(SUPPLY)/bin/python -m tests.supply.sbom

audit: $(SUPPLY)/.installed
	@$(SUPPLY)/bin/python -m tests.supply.audit

clean:
	rm -rf $(VENV) $(SUPPLY) $(PEERS) $(OTHER) var
