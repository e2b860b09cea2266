# What people run. Each line is a few words over Bazel; CI runs the same.
.DEFAULT_GOAL := help
.PHONY: help setup up build test test-kernels test-kubernetes check lint format bench fuzz soak update-goldens clean

# Seconds each fuzz target runs.
TIME ?= 60

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

setup: ## Install what is missing to build and run
	@deploy/dev/setup.sh

build: setup ## Build everything
	bazel build //services/...

up: setup ## Build, profile this whole host, print the page's URL; Ctrl-C stops
	@deploy/dev/up.sh

test: ## Install what is missing, build and run every test
	@deploy/dev/setup.sh test
	@deploy/dev/test.py

check: ## Formatting, lint, build and the tests that need no privilege
	@deploy/dev/setup.sh test lint
	deploy/dev/format.sh --check
	deploy/dev/boundaries.sh
	$(MAKE) --no-print-directory lint
	@deploy/dev/test.py --test_tag_filters=-privileged

lint: ## clang-tidy over all C++
	@deploy/dev/setup.sh lint
	bazel build --config=tidy //services/... //tests/...

format: ## Rewrite C++ as .clang-format says
	@deploy/dev/setup.sh lint
	deploy/dev/format.sh

bench: setup ## Benchmarks and the agent's cost under load, summary in docs/operations/performance.md
	@deploy/dev/bench.sh

fuzz: ## Run every fuzz target for TIME seconds under ASan and UBSan
	@deploy/dev/setup.sh lint
	@deploy/dev/fuzz.sh $(TIME)

test-kernels: ## Load, attach and follow stacks on Debian's kernels 5.10, 6.1 and 6.12, in virtual machines (root)
	@deploy/dev/setup.sh test
	@deploy/dev/test_kernels.sh

test-kubernetes: ## Hold discovery.kubernetes against a real API server, built once (root)
	@deploy/dev/setup.sh test
	@deploy/dev/test_kubernetes.sh

soak: setup ## Run the lab under load for TIME seconds, killing processes; checks conservation
	@deploy/dev/soak.sh $(TIME)

update-goldens: setup ## Rewrite golden files from what the code gives now
	@deploy/dev/update_goldens.sh

clean: ## Remove what was built here; the disk cache stays
	bazel clean
