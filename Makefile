# make demo: set up, train a small LSTM on sine waves, record it, show its attractors.   make test: everything that CI checks.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup demo test test-peers seeds bench clean
setup: .venv/installed
demo: .venv/installed
	@$(BIN)/rnnscope demo
test: .venv/installed-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright
	@$(BIN)/pytest -n 2
test-peers: .venv-peers/installed
	@OMP_NUM_THREADS=1 PYTHONPATH="$(CURDIR)/.venv-peers" RNNSCOPE_PEERS=1 $(BIN)/pytest -n 2 tests/peers tests/test_networks_page.py
seeds: .venv/installed
	@$(BIN)/python -m benchmarks.seeds
bench: .venv/installed
	@$(BIN)/python -m benchmarks
clean:
	rm -rf .venv .venv-peers runs

.venv/bin/python:
	@$(PYTHON) -m venv .venv
.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing rnnscope into .venv (pinned by constraints.txt)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[parallel]'
	@touch $@
.venv/installed-dev: .venv/installed
	@echo "installing the development tools into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
.venv-peers/installed: .venv/installed-dev constraints-peers.txt
	@echo "installing packages of recurrent cells beside .venv, whose torch they use"
	@rm -rf .venv-peers
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .venv-peers -r constraints-peers.txt
	@touch $@
