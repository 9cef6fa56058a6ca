# make run    a federation of two members on this machine, at http://127.0.0.1:8080
# make test   everything that is tested here
# make test-kubernetes
#             members on Docker and Kubernetes: takes the engine, registry and cluster that
#             DOCKER_HOST, TESTBED_REGISTRY, TESTBED_BASE_IMAGE and KUBECONFIG name
# make live   a federation under load while Redis and replicas fail (five minutes)
# make check  lint, types and layers
# make docs   the documentation as a site, in site/
# make bench  the benchmarks, each beside its yardstick (ARGS=--quick)
# make help   this list

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8080
MEMBERS ?= 2
ARGS ?=
JOBS ?= 3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help run test test-kubernetes live unit check bench docs format constraints chart-schema screenshots clean

help:
	@sed -n '/^# make/,/^$$/s/^# \{0,1\}//p' Makefile

run: $(INSTALLED)
	@exec $(BIN)/binderfed up --port $(PORT) --members $(MEMBERS) $(ARGS)

test: $(INSTALLED_DEV) check
	@$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-kubernetes: $(INSTALLED_DEV)
	@$(BIN)/pytest -m cluster -n 2 --dist loadfile $(ARGS) tests/cluster

live: $(INSTALLED_DEV)
	@$(BIN)/pytest -m live -s $(ARGS) tests/live

unit: $(INSTALLED_DEV)
	@$(BIN)/pytest tests/unit $(ARGS)

check: $(INSTALLED_DEV)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(INSTALLED_DEV)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(INSTALLED_DEV)
	@$(BIN)/python -m tests.support.reference
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -q

format: $(INSTALLED_DEV)
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

screenshots: $(INSTALLED_DEV)
	@BINDERFED_SCREENSHOTS=docs/images $(BIN)/pytest tests/e2e $(ARGS)

# The versions that the project is tested with; pyproject.toml has the floors.
constraints: .venv/.made
	@$(BIN)/uv pip compile -q --no-header --no-annotate --no-emit-index-url --upgrade \
		--extra docker --extra kubernetes --extra ecr --extra plot --extra tracing --group dev --group docs --python-version 3.11 pyproject.toml -o constraints.txt

# What `config` may hold in the charts follows from the settings.
chart-schema: $(INSTALLED_DEV)
	@$(BIN)/python -m tests.support.chart_schema

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; make PYTHON=/path/to/python names one."; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "No virtual environment could be made. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv
	@touch $@

$(INSTALLED): .venv/.made pyproject.toml constraints.txt
	@echo "Installing into .venv ..."
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[docker]'
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[docker,kubernetes,ecr,plot,tracing]' --group dev --group docs
	@touch $@

clean:
	@rm -rf .venv .binderfed .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
