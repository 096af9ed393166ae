# Every recipe of the project: people, .ci/run and the workflows call these and nothing else.
# Needs git, make and Python 3.11 or newer with venv; everything else is brought.

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := .tools/bin/uv
SERVICE ?=
ENV ?= .venv-$(SERVICE)
IMAGE ?= homeostat/$(SERVICE)
ARGS ?=
SLOW ?=
SEEDS ?= 1000
FIRST ?= 0
SECONDS ?= 600
SEED ?= 1

export UV_SYSTEM_CERTS := 1
export UV_NO_PROGRESS := 1
export OMP_NUM_THREADS := 1
# Six services compile the same packages: once, and not at every start.
unexport PYTHONDONTWRITEBYTECODE
AUTHORITIES := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt))
ifneq ($(AUTHORITIES),)
export PIP_CERT ?= $(AUTHORITIES)
endif

# What is installed is known by what it was made from: a second call has nothing to do.
WANTED := $(shell cat requirements.lock pyproject.toml homeostat/local/kafka-jars.lock.toml 2>/dev/null | cksum | cut -d' ' -f1)
STAMP := .venv/.installed-$(WANTED)

.PHONY: help setup demo up test lint lock docs simulate faults bench env trial image compose named chromium clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(STAMP) ## everything that is needed, into .venv and the user's cache

demo: setup ## the electricity market through the whole system, broken and healed on the way
	@$(BIN)/homeostat demo $(ARGS)

up: setup ## the local stack, in front, until ctrl-C
	@$(BIN)/homeostat up $(ARGS)

test: lint chromium ## all checks and all tests, those on a real Kafka included
	@echo "==> tests"
	@CHROMIUM="$$($(BIN)/python tools/chromium.py)" $(BIN)/python -m pytest -n 2 --dist loadgroup $(if $(SLOW),,-m "not slow") $(ARGS)

lint: setup ## style, types and import directions
	@echo "==> ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "==> mypy"
	@$(BIN)/mypy
	@echo "==> import-linter"
	@$(BIN)/lint-imports

simulate: setup ## SEEDS=1000 FIRST=0: seeded fault runs of the whole system in virtual time
	@$(BIN)/homeostat sim many --seeds $(SEEDS) --first $(FIRST) $(ARGS)

faults: setup ## SECONDS=600 SEED=1: parts killed, paused and replaced under load, each kind for so long
	@HOMEOSTAT_FAULT_SECONDS=$(SECONDS) HOMEOSTAT_FAULT_SEED=$(SEED) $(BIN)/python -m pytest tests/faults $(ARGS)

bench: setup ## the benchmarks
	@$(BIN)/homeostat bench $(ARGS)

docs: setup ## the pages that are made from the code
	@$(BIN)/python -m tools.topics

COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock: setup ## every lock file anew, from pyproject.toml and the Kafka version
	@echo "==> requirements.lock"
	@$(UV) $(COMPILE) pyproject.toml --all-extras --output-file requirements.lock
	@for peers in streaming monitoring mlserver bentoml; do echo "==> benchmarks/peers/$$peers.lock"; \
	  $(UV) $(COMPILE) --group peers-$$peers --output-file benchmarks/peers/$$peers.lock || exit; done
	@echo "==> homeostat/local/kafka-jars.lock.toml"
	@$(BIN)/python -m homeostat.local.jars --lock

env: $(UV) named ## SERVICE=predictor: .venv-predictor, with that service's packages only
	@echo "==> $(ENV): the packages of services/$(SERVICE) alone"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(ENV)
	@$(UV) pip install --quiet --python $(ENV) --constraints requirements.lock --requirements pyproject.toml --extra $(SERVICE)
	@$(UV) pip install --quiet --python $(ENV) --no-deps --editable .

trial: setup env ## SERVICE=predictor: that environment starts the service on a real broker
	@$(BIN)/python -m tools.trial $(SERVICE) $(ENV)/bin/python

image: named ## SERVICE=predictor: the service's container image
	docker build --file deploy/Dockerfile --build-arg SERVICE=$(SERVICE) --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE) .

compose: ## everything in containers, with Prometheus and Grafana
	@$(PYTHON) tools/compose_env.py
	docker compose up --build $(ARGS)

named:
	@test -n "$(SERVICE)" -a -d "services/$(SERVICE)" || { echo "say which: SERVICE=predictor" >&2; exit 2; }

chromium: setup
	@$(BIN)/python tools/chromium.py --install >/dev/null

clean: ## removes environments and caches; your data in .homeostat stays
	rm -rf .venv .venv-* .tools .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON=…" >&2; exit 2; }
	@echo "==> uv $(UV_VERSION), the installer, into .tools"
	@$(PYTHON) -m venv .tools || { echo "$(PYTHON) has no venv: on Debian, apt-get install python3-venv" >&2; exit 2; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): $(UV)
	@echo "==> Python packages into .venv, as requirements.lock has them (1.3 GB unpacked, once)"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python .venv --require-hashes --requirements requirements.lock
	@$(UV) pip install --quiet --python .venv --no-deps --editable .
	@echo "==> Apache Kafka into the user's cache (45 MB, once)"
	@$(BIN)/python -m homeostat.local.jars
	@echo "==> Kafka's start, recorded (10 s, once): each later one is shorter by it"
	@$(BIN)/python -m homeostat.local.quick
	@rm -f .venv/.installed-*
	@touch $@
