# Every command works on a fresh machine with Python >= 3.11; `make test` also needs Java 17,
# Maven, Chromium, Prometheus, Alertmanager and helm; on Debian as root it installs what is missing,
# helm by Go.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check tools kafka format bench bench-quality clean

demo: $(INSTALLED)  ## Score real sensor data with the real daemon, no Kafka needed.
	$(BIN)/streamae demo

test: tools check  ## Everything, with a real Apache Kafka that the tests fetch and start.
	$(BIN)/pytest -m "slow and not kafka" -n logical --maxprocesses 4
	$(BIN)/pytest -m kafka

check: $(INSTALLED)  ## Format, lint, types, import layers and the fast tests.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not slow and not kafka" -n logical --maxprocesses 4

tools:
	@sh tests/tools.sh

kafka: $(INSTALLED) tools  ## An Apache Kafka on localhost:9092 to try things with; needs Java and Maven.
	$(BIN)/python -m tests.kafka

format: $(INSTALLED)  ## Mend what the formatter and the linter can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)  ## The figures in the README.
	$(BIN)/python -m tests.benchmarks

bench-quality: $(INSTALLED)  ## Other streaming detectors beside streamae, about ten minutes.
	-$(BIN)/pip install --quiet 'pysad>=0.7'
	$(BIN)/python -m tests.benchmarks.peers

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV), torch among it: minutes, and some gigabytes."
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
