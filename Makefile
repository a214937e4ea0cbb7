# Everything a person does with this repository. Each recipe calls something that can be run without make as well.
# Recipes use relative paths only, so that a checkout whose path holds spaces works.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?=
SPEED ?= 20
MINUTES ?= 3
REPLAY ?= $(firstword $(sort $(wildcard lab/recordings/test*)))
ARGS ?=
# How many processes tests run in: more than small machines have cores, since many tests wait for other programs.
# PARALLEL= runs them in one, which is easier to debug.
PARALLEL ?= -n 4 --dist loadgroup

BIN := .venv/bin
INPUTS := pyproject.toml constraints.txt scripts/install.py
# Environments hold absolute paths: one that was moved or copied with its checkout is made anew.
MOVED := $(shell [ "$$(cat .venv/.made 2>/dev/null)" = "$$PWD" ] || echo moved)

##@ Use

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@printf '\nExtra arguments go into ARGS, as in: make up SPEED=60 ARGS="--port dashboard=8600"\n'

.PHONY: install
install: .venv/.serve ## Make .venv with all that detecting, storing and showing anomalies needs (no torch)
	@echo "Ready: .venv/bin/logwarden --help"

.PHONY: up
up: .venv/.serve ## Start the local pipeline and its dashboard, fed with a recorded day of the lab (SPEED=20)
	$(BIN)/logwarden up -f examples/quickstart.yaml $(if $(REPLAY),--replay $(REPLAY)) --speed $(SPEED) $(ARGS)

##@ Use in a cluster

.PHONY: kind-up
kind-up: ## Make a kind cluster with Kafka, PostgreSQL and Logwarden in it (needs docker, kind, kubectl, helm)
	sh scripts/cluster.sh up kind

.PHONY: kind-down
kind-down: ## Delete it
	sh scripts/cluster.sh down kind

.PHONY: k3d-up
k3d-up: ## The same with k3d
	sh scripts/cluster.sh up k3d

.PHONY: k3d-down
k3d-down: ## Delete it
	sh scripts/cluster.sh down k3d

.PHONY: demo
demo: ## Replay a recorded day of the lab to the pipeline of examples/cluster.yaml (SPEED=1)
	sh scripts/demo.sh $(REPLAY)

##@ Develop

.PHONY: test
test: .venv/.dev ## Run all tests but those of make e2e; on Debian as root, install the programs they need first
	sh scripts/system-packages.sh
	$(BIN)/python -m pytest $(PARALLEL) --ignore tests/e2e $(ARGS)

.PHONY: e2e
e2e: .venv/.dev ## The whole story in a kind cluster of its own, with a timeline at the end (15 minutes)
	sh scripts/system-packages.sh
	CI=$(or $(CI),true) $(BIN)/python -m pytest tests/e2e -x $(ARGS)

.PHONY: test-unit
test-unit: .venv/.dev ## Run the tests that need neither root, nor other programs, nor training libraries
	$(BIN)/python -m pytest $(PARALLEL) -m "not lab and not browser and not train and not kafka and not syslog and not postgres and not s3 and not cluster" --ignore tests/e2e $(ARGS)

.PHONY: check
check: .venv/.dev ## Check style, types, layers and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) verify

.PHONY: verify
verify: .venv/.dev ## Fail when a generated file is stale, a link is dead or a tracked file does not belong
	$(BIN)/python -m logwarden.api.generate --check
	$(BIN)/python -m scripts.chart --check
	$(BIN)/python -m scripts.check_links
	$(BIN)/python -m scripts.check_tree

.PHONY: generate
generate: .venv/.dev ## Write the generated files anew
	$(BIN)/python -m logwarden.api.generate
	$(BIN)/python -m scripts.chart

.PHONY: constraints
constraints: .venv/.dev ## Resolve the newest versions of all dependencies into constraints.txt
	$(BIN)/python -m scripts.pin

##@ Produce

.PHONY: lab
lab: .venv/.made ## Run the lab network for some minutes and record it into var/recording (root on Linux; MINUTES=3)
	sh scripts/system-packages.sh
	$(BIN)/python -m lab $(or $(ARGS),record --minutes $(MINUTES) --out var/recording)

.PHONY: builtin-model
builtin-model: .venv/.dev ## Train the model revision that the package carries
	$(BIN)/python -m logwarden.training.builtin $(ARGS)

.PHONY: images
images: ## Build the container images with docker or buildah (REGISTRY=localhost/logwarden TAG=dev ARGS="detector ingest")
	sh scripts/images.sh $(ARGS)

.PHONY: bench
bench: .venv/.dev ## Measure speed and memory into benchmarks/results/ and print a table
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: chaos
chaos: .venv/.dev ## Break things while numbered lines flow, and account for every line (needs Java, once Maven)
	$(BIN)/python -m benchmarks.chaos $(ARGS)

.PHONY: clean
clean: ## Remove what make, tests and checks produced, .venv included
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: a second run does nothing until one of the inputs changes.

.venv/.made: $(MOVED)
	sh scripts/make-venv.sh "$(PYTHON)"

.venv/.serve: .venv/.made $(INPUTS)
	$(BIN)/python scripts/install.py serve
	@touch $@

.venv/.dev: .venv/.made $(INPUTS)
	$(BIN)/python scripts/install.py dev
	@touch $@

.PHONY: moved
