# Every target sets up what it needs; `make` alone lists them.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
AZURITE := $(VENV)/azurite/node_modules/.package-lock.json
SWIFT := $(VENV)/swift/.set-up
# Without the compiled files each of the many processes that the tests start would compile the program anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup azurite swift demo test newest hosts memory works check fmt pages conformance bench fuzz fuzzudb fault lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

setup: $(STAMP) ## make .venv with the locked versions and the commands

$(STAMP): requirements/dev.txt pyproject.toml launchers/bin/aq_pp scripts/setup.sh
	@sh scripts/setup.sh $(VENV)
	@touch $@

azurite: $(AZURITE) ## install the emulator that the tests of az:// run (needs npm); without it they are skipped

$(AZURITE): requirements/azurite/package-lock.json $(STAMP)
	@mkdir -p $(VENV)/azurite
	@cp requirements/azurite/*.json $(VENV)/azurite
	@cd $(VENV)/azurite && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

swift: $(SWIFT) ## install the second server of S3 that the tests run; without it they are skipped

$(SWIFT): requirements/swift/requirements.txt $(STAMP)
	@$(BIN)/python -m venv $(VENV)/swift
	@$(VENV)/swift/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

demo: $(STAMP) ## run the main job from sample logs to the answer
	@bash scripts/demo.sh

test: $(STAMP) ## run all tests
	@$(BIN)/python -m pytest -n $${TEST_WORKERS:-4} --dist loadfile --no-loadscope-reorder

newest: $(STAMP) ## the tests on the newest supported Python that this machine has, beside that of .venv
	@sh scripts/newest.sh tests/formats tests/language tests/rowwise tests/columnar tests/pipeline tests/lake tests/tools tests/cli tests/cluster tests/udb/test_processes.py tests/udb/test_aq_udb.py tests/udb/test_import_export.py tests/udb/test_durability.py src

memory: $(STAMP) ## what commands and servers hold, measured on a machine that does nothing else
	@for tests in tests/alone/memory_*.py; do $(BIN)/python -m pytest -q -p no:xdist $$tests || exit 1; done

hosts: $(STAMP) ## clusters of hosts and of EC2, from create to terminate, on machines that are namespaces (needs root, ip and sshd)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/cluster/ssh_clusters.py tests/cluster/cloud/ec2_clusters.py

works: $(STAMP) ## the works of the benchmark, at tiny sizes: all contestants give equal results
	@$(BIN)/python -m pytest -q -p no:xdist tests/alone/works.py

check: $(STAMP) ## format, lint, strict types, layering, stale pages
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_layering.py tests/test_pages.py

fmt: $(STAMP) ## format and mend what can be mended
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

pages: $(STAMP) ## write the reference pages anew from the option and function tables
	@$(BIN)/python scripts/pages.py

conformance: $(STAMP) ## compare with the published outputs
	@bash scripts/conformance.sh

bench: $(STAMP) ## time the works of docs/benchmarks.md beside other programs; BENCH_ROWS=200000 for a quick look
	@PYTHONPATH=scripts $(BIN)/python -m bench

fault: $(STAMP) ## kill servers, clients, and what else runs in streams, over and over; FAULT_ROUNDS=300 FAULT_REAL_ROUNDS=30 FAULT_STREAM_ROUNDS=80 FAULT_SEED=2
	@FAULT_ROUNDS=$${FAULT_ROUNDS:-100} FAULT_REAL_ROUNDS=$${FAULT_REAL_ROUNDS:-10} FAULT_STREAM_ROUNDS=$${FAULT_STREAM_ROUNDS:-20} $(BIN)/python -m pytest -q -x -s -p no:xdist -p no:logging tests/udb/test_faults.py tests/cluster/fault_streams.py

fuzz: $(STAMP) ## generated programs over generated data through both engines, ten minutes of it; FUZZ_SECONDS=60 FUZZ_SEED=2
	@$(BIN)/python -m tests.differential.fuzz --seconds $${FUZZ_SECONDS:-600} --seed $${FUZZ_SEED:-1}

fuzzudb: $(STAMP) ## damaged spec files, and whatever can be sent to database servers; UDB_FUZZ_ATTACKS=10000 UDB_FUZZ_SPECS=50000 UDB_FUZZ_SEED=2
	@UDB_FUZZ_ATTACKS=$${UDB_FUZZ_ATTACKS:-3000} UDB_FUZZ_SPECS=$${UDB_FUZZ_SPECS:-20000} UDB_FUZZ_REQUESTS=$${UDB_FUZZ_REQUESTS:-20000} UDB_FUZZ_RULES=$${UDB_FUZZ_RULES:-60000} $(BIN)/python -m pytest -q -x -s -p no:xdist -p no:logging tests/udb/test_fuzz_spec.py tests/udb/test_fuzz_requests.py tests/udb/test_portable_rules.py tests/udb/test_fuzz_wire.py

lock: ## resolve the locked versions anew (needs uv and npm)
	uv pip compile --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --python-version 3.11 --extra dev pyproject.toml -c requirements/runtime.txt -o requirements/dev.txt
	uv pip compile --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --python-version 3.11 requirements/swift/swift.in -o requirements/swift/requirements.txt
	cd requirements/azurite && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

clean: ## remove what the targets made
	rm -rf $(VENV) $(VENV)-newest .demo .bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
