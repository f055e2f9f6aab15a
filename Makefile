# 统管 Tongguan. `make demo` and `make test` need nothing but Linux and Python 3.11 or later with venv; all else goes into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SYSTEM_PACKAGES := chromium fonts-noto-cjk prometheus strace default-jre-headless maven postgresql mosquitto \
                   prometheus-alertmanager openssl
DEMO_FLAGS ?=
# make demo SCENARIO=bad-day
SCENARIO ?=
STACK_FLAGS ?=
# compiled kernels are kept between runs
export NUMBA_CACHE_DIR ?= $(CURDIR)/.cache/numba

.PHONY: demo test check bench bench-kafka stack stack-down soak screenshots mutants lock test-setup python lint types imports clean

demo: $(VENV)/run.ok
	$(BIN)/tongguan demo $(if $(SCENARIO),--scenario $(SCENARIO)) $(DEMO_FLAGS)

test: $(VENV)/dev.ok
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: lint types imports
	$(BIN)/pytest -n 2 --dist loadfile tests/unit tests/contract -q

lint: $(VENV)/dev.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.ok
	$(BIN)/mypy

imports: $(VENV)/dev.ok
	$(BIN)/lint-imports

bench: $(VENV)/dev.ok
	$(BIN)/python -m bench.p1

# the same beside peers, on Kafka; makes environments for them
bench-kafka: $(VENV)/dev.ok
	$(BIN)/python -m bench.kafka

# Kafka, PostgreSQL, two workers, the API and a simulator on this machine
stack: $(VENV)/run.ok
	$(BIN)/python deploy/local/stack up $(STACK_FLAGS)

stack-down:
	$(BIN)/python deploy/local/stack down

# long runs, not part of `make test`: two million readings through faults, 5,000 examples a property, 200 random kills,
# 5,000 made-up calls, two hours of the bad day at 60x with the console open
soak: $(VENV)/dev.ok
	$(BIN)/pytest tests/soak/spread.py tests/soak/faults.py
	TONGGUAN_EXAMPLES=5000 TONGGUAN_KILLS=200 $(BIN)/pytest -n 2 --dist loadfile tests/property tests/crash --timeout 0
	TONGGUAN_API_CALLS=5000 $(BIN)/pytest -n 2 tests/contract/test_described.py --timeout 0
	$(BIN)/python -m tests.soak.city --minutes 120 --speed 60 --page docs/soak.md

# the pictures of docs/, played anew in a real browser
screenshots: $(VENV)/dev.ok
	$(BIN)/python -m tests.e2e.screenshots

mutants: $(VENV)/dev.ok
	$(BIN)/python -m tests.mutants

# what the tests use of the system and pip cannot bring; asks for no password behind your back
test-setup:
	@if [ "$$(id -u)" = 0 ]; then \
	    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(SYSTEM_PACKAGES); \
	else \
	    echo "As root, type:"; echo "  apt-get update && apt-get install -y $(SYSTEM_PACKAGES)"; exit 2; \
	fi

python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed. On Debian or Ubuntu, as root: apt-get install -y python3 python3-venv"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V); Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 demo"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv. On Debian or Ubuntu, as root: apt-get install -y python3-venv"; exit 2; }

$(VENV)/bin/pip: | python
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.ok: requirements.lock pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.ok: requirements-dev.lock $(VENV)/run.ok
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# exact versions of all that is installed, with hashes
lock: $(VENV)/dev.ok
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
